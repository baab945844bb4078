//! What a person types at a terminal: the keys, and the words for the terminal itself behind a tilde.

/// What is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Keys for the console.
    Keys(Vec<u8>),
    /// `~.`: no more.
    Leave,
    /// `~t`: the keyboard is to be mine.
    Take,
    /// `~?`: which words there are.
    Help,
}

/// Knows whether a tilde is at the beginning of a line.
#[derive(Debug)]
pub struct Escape {
    line_begins: bool,
    tilde: bool,
}

impl Default for Escape {
    fn default() -> Escape {
        Escape { line_begins: true, tilde: false }
    }
}

impl Escape {
    /// Takes what was typed, in whatever pieces.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let mut typed = Vec::new();
        let mut keys = Vec::new();
        for &byte in bytes {
            let word = match (std::mem::take(&mut self.tilde), byte) {
                (true, b'.') => Some(Typed::Leave),
                (true, b't') => Some(Typed::Take),
                (true, b'?') => Some(Typed::Help),
                (false, b'~') if self.line_begins => {
                    self.tilde = true;
                    continue;
                }
                // A second tilde is the first.
                (true, b'~') => None,
                (true, _) => {
                    keys.push(b'~');
                    None
                }
                (false, _) => None,
            };
            self.line_begins = word.is_some() || matches!(byte, b'\r' | b'\n');
            match word {
                None => keys.push(byte),
                Some(word) => {
                    typed.extend((!keys.is_empty()).then(|| Typed::Keys(std::mem::take(&mut keys))));
                    typed.push(word);
                }
            }
        }
        typed.extend((!keys.is_empty()).then_some(Typed::Keys(keys)));
        typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys, with `<word>` for each word.
    fn read(pieces: &[&[u8]]) -> String {
        let mut escape = Escape::default();
        let typed = pieces.iter().flat_map(|piece| escape.push(piece));
        let text = |typed| match typed {
            Typed::Keys(keys) => String::from_utf8(keys).unwrap(),
            word => format!("<{word:?}>"),
        };
        typed.map(text).collect()
    }

    #[test]
    fn a_word_counts_at_the_beginning_of_a_line_only() {
        assert_eq!(read(&[b"~."]), "<Leave>");
        assert_eq!(read(&[b"ls\r~.x"]), "ls\r<Leave>x");
        assert_eq!(read(&[b"a~."]), "a~.");
        assert_eq!(read(&[b"~?~t"]), "<Help><Take>");
    }

    #[test]
    fn other_keys_behind_a_tilde_are_keys() {
        assert_eq!(read(&[b"~~."]), "~.");
        assert_eq!(read(&[b"~root\r"]), "~root\r");
        assert_eq!(read(&[b"~\r~."]), "~\r<Leave>");
    }

    #[test]
    fn pieces_make_no_difference() {
        for text in [b"a\r~.".as_slice(), b"~~x\n~?", b"~x~.\r~t"] {
            let single: Vec<&[u8]> = text.chunks(1).collect();
            assert_eq!(read(&single), read(&[text]));
        }
    }
}
