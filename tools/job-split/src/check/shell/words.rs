//! One command: what its words say.

use super::lexer::{Piece, is_name};
use super::walker::{After, SHELLS, Walker};
use super::{CALLS, ShellCall, Sure};

impl Walker {
    pub(super) fn run(&mut self, words: &[(Vec<Piece>, usize)], sure: Sure) -> After {
        let mut nth = 0;
        while let Some((pieces, at)) = words.get(nth) {
            let value = self.value(pieces);
            let name = value.as_deref().map(|value| value.rsplit('/').next().unwrap_or(value));
            match name {
                Some("exit") if nth == 0 => return After::Gone,
                // Alone it changes where the output goes.
                Some("exec") if nth == 0 => {
                    self.run(&words[1..], sure);
                    return if words.len() > 1 { After::Gone } else { After::Here };
                }
                Some("sudo" | "time" | "command" | "env" | "nice" | "!") => nth += 1,
                Some("timeout") => nth += 2,
                Some("export" | "readonly" | "local") => nth += 1,
                Some("return") if nth == 0 => return After::Returned,
                Some(name) if SHELLS.contains(&name) => return self.inner(&words[nth + 1..], "-c", sure),
                Some("lava-test-case") => return self.inner(&words[nth + 1..], "--shell", sure),
                Some(name) if CALLS.contains(&name) => {
                    self.call(name, *at, &words[nth + 1..], sure);
                    return After::Here;
                }
                _ if self.assign(pieces, sure) => nth += 1,
                name => {
                    let after = name.and_then(|name| self.enter(name, &words[nth + 1..], sure));
                    return after.unwrap_or(After::Here);
                }
            }
        }
        After::Here
    }

    /// A script in the words after an option.
    fn inner(&mut self, words: &[(Vec<Piece>, usize)], option: &str, sure: Sure) -> After {
        let Some(place) = words.iter().position(|(pieces, _)| self.value(pieces).as_deref() == Some(option)) else {
            return After::Here;
        };
        let rest = &words[place + 1..];
        let Some((_, at)) = rest.first() else { return After::Here };
        let texts: Vec<String> = rest.iter().filter_map(|(pieces, _)| self.value(pieces)).collect();
        // Words of their own are a command; one word is a script.
        if texts.len() == rest.len() {
            self.nested(&texts.join(" ").chars().collect::<Vec<_>>(), *at, sure);
        }
        After::Here
    }

    /// `NAME=value`; a value that is not known, or not sure to be set, makes the name unknown.
    fn assign(&mut self, pieces: &[Piece], sure: Sure) -> bool {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                _ if text.contains('=') => break,
                _ => return false,
            }
        }
        let Some((name, _)) = text.split_once('=').filter(|(name, _)| is_name(name)) else { return false };
        let name = name.to_owned();
        let value = self.value(pieces).and_then(|whole| Some(whole.split_once('=')?.1.to_owned()));
        match value.filter(|_| sure == Sure::Yes) {
            Some(value) => drop(self.variables.insert(name, value)),
            None => drop(self.variables.remove(&name)),
        }
        true
    }

    fn call(&mut self, name: &str, at: usize, words: &[(Vec<Piece>, usize)], sure: Sure) {
        let Some(name) = CALLS.into_iter().find(|known| *known == name) else { return };
        let key = |pieces: &Vec<Piece>| {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(part) => text.push_str(part),
                    _ => break,
                }
            }
            text.split_once('=').map(|(key, _)| key.to_owned())
        };
        self.calls.push(ShellCall {
            name,
            words: words.iter().map(|(pieces, _)| self.value(pieces)).collect(),
            keys: words.iter().map(|(pieces, _)| key(pieces)).collect(),
            sure,
            at,
        });
    }

    /// The text of a word, if it is known before the script runs.
    pub(super) fn value(&self, pieces: &[Piece]) -> Option<String> {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Variable(name) => text.push_str(self.variables.get(name)?),
                Piece::Command(..) | Piece::Other => return None,
            }
        }
        Some(text)
    }
}
