use crate::MemberDir;
use mn_cli::{Cannot, Result};
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

/// One line of RUNDIR/ID/held: something in the world, with the command that undoes it.
///
/// Written before the change and struck out by [`Held::release`] after the undo; whoever finds it
/// neither struck out nor its stage alive runs the command.
#[derive(Debug)]
#[must_use = "what is held is struck out by release()"]
pub struct Held {
    file: File,
    key: String,
}

impl Held {
    /// Writes that the stage `tool` is about to hold what `undo`, a command and its arguments, undoes.
    ///
    /// # Errors
    /// Status 3 when it cannot be written: then nothing may be changed.
    pub fn write(dir: &MemberDir, tool: &str, undo: &[&str]) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let key = format!("{}.{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let words: Vec<String> = undo.iter().map(|word| quote(word)).collect();
        let mut file = dir.append_to("held")?;
        file.write_all(format!("+{key} {tool} {}\n", words.join(" ")).as_bytes()).cannot("write 'held'")?;
        Ok(Self { file, key })
    }

    /// Strikes the line out, after the undo.
    ///
    /// # Errors
    /// Status 3 when it cannot be written.
    pub fn release(mut self) -> Result<()> {
        self.file.write_all(format!("-{}\n", self.key).as_bytes()).cannot("write 'held'")
    }
}

/// A word as a POSIX shell reads it back, on one line.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    // A newline would end the line in the file; no path or command of ours has one.
    format!("'{}'", word.replace('\'', r"'\''").replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunDir;

    #[test]
    fn a_held_line_is_a_shell_command_until_it_is_struck_out() {
        let dir = std::env::temp_dir().join(format!("mn-msg-held-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let member = RunDir::open(&dir).unwrap().member("7", "host").unwrap();
        let held = Held::write(&member, "tftp-stage", &["rm", "-rf", "--", "/a dir/it's"]).unwrap();
        let key = held.key.clone();
        held.release().unwrap();
        let text = std::fs::read_to_string(member.path().join("held")).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(text, format!("+{key} tftp-stage rm -rf -- '/a dir/it'\\''s'\n-{key}\n"));
    }
}
