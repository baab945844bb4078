//! The multinode calls of a shell script, and whether they are made.
//!
//! Steps are taken to succeed, as a step that fails ends its run: what follows `&&` is done, what follows `||` is
//! not sure. A loop over words is unrolled, and a function is followed where it is called; another loop, a branch, a
//! background job, and a function that nothing calls by its name are not sure.

mod lexer;
mod walker;
mod words;

use std::collections::HashMap;

/// Whether a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sure {
    /// When the script is run, it is.
    Yes,
    /// It depends, on this.
    No(Reason),
}

/// Why a call may not be made, or not once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// In a branch of `if` or `case`.
    Branch,
    /// In a loop whose rounds are not known.
    Loop,
    /// After `||`.
    Or,
    /// In a function that is not called by its name.
    Function,
    /// In the background.
    Background,
    /// After an `exit`.
    Exit,
    /// In the text that a command reads.
    Document,
}

impl Reason {
    /// The reason in words, after "this call".
    pub fn text(self) -> &'static str {
        match self {
            Reason::Branch => "is in a branch",
            Reason::Loop => "is in a loop",
            Reason::Or => "comes after '||'",
            Reason::Function => "is in a function that no step calls",
            Reason::Background => "is made in the background",
            Reason::Exit => "comes after an exit",
            Reason::Document => "is in a here-document",
        }
    }
}

/// One `lava-send`, `lava-wait`, `lava-wait-all` or `lava-sync`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellCall {
    /// The command's name.
    pub name: &'static str,
    /// Its arguments; none for one that only the shell can know.
    pub words: Vec<Option<String>>,
    /// The name before an equals sign in each argument, which may be known when the value is not.
    pub keys: Vec<Option<String>>,
    /// Whether it is made.
    pub sure: Sure,
    /// The character of the script at which it begins.
    pub at: usize,
}

const CALLS: [&str; 4] = ["lava-send", "lava-wait", "lava-wait-all", "lava-sync"];

/// The calls of a script in the order in which they are made; `variables` are those that are known before it.
pub fn calls(script: &str, variables: &HashMap<String, String>) -> Vec<ShellCall> {
    let chars: Vec<char> = script.chars().collect();
    walker::Walker::new(&chars, variables.clone()).walk()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(script: &str) -> Vec<String> {
        let variables = [("ID".to_owned(), "known".to_owned())].into();
        let text = |call: ShellCall| {
            let words: Vec<String> = call.words.into_iter().map(|word| word.unwrap_or("?".to_owned())).collect();
            let sure = match call.sure {
                Sure::Yes => String::new(),
                Sure::No(reason) => format!(" {reason:?}"),
            };
            format!("{} {}{sure}", call.name, words.join(" "))
        };
        calls(script, &variables).into_iter().map(text).collect()
    }

    #[test]
    fn calls_come_in_the_order_in_which_they_are_made() {
        let script = "ls; lava-send a x=1 && lava-wait b\n# lava-sync no\n(cd /; lava-sync 'c d')\n./bin/lava-wait-all e f | cat";
        assert_eq!(told(script), ["lava-send a x=1", "lava-wait b", "lava-sync c d", "lava-wait-all e f"]);
        assert_eq!(told("echo lava-sync x; grep 'lava-sync y' z; lava-synch q"), [""; 0]);
    }

    #[test]
    fn what_stands_around_a_call_is_seen_through() {
        assert_eq!(told("out=\"$(lava-wait a)\"; echo `lava-sync b`"), ["lava-wait a", "lava-sync b"]);
        assert_eq!(told("A=1 sudo timeout 5 lava-sync a"), ["lava-sync a"]);
        assert_eq!(told("lava-test-case t --shell lava-sync a; sh -c 'lava-sync b'"), ["lava-sync a", "lava-sync b"]);
        assert_eq!(
            told("lava-send a ip=$(lava-echo-ipv4 eth0) > /dev/null 2>&1; lava-sync b"),
            ["lava-send a ?", "lava-sync b"]
        );
    }

    #[test]
    fn what_may_not_be_made_is_not_sure() {
        let script = "if lava-wait a; then lava-sync b; else lava-sync c; fi; lava-sync d";
        assert_eq!(told(script), ["lava-wait a", "lava-sync b Branch", "lava-sync c Branch", "lava-sync d"]);
        assert_eq!(told("while true; do lava-sync a; done\nlava-sync b"), ["lava-sync a Loop", "lava-sync b"]);
        assert_eq!(told("ls || lava-sync a; lava-sync b"), ["lava-sync a Or", "lava-sync b"]);
        assert_eq!(
            told("f() { lava-sync a; }\nlava-sync b &\nlava-sync c"),
            ["lava-sync b Background", "lava-sync c", "lava-sync a Function"]
        );
        assert_eq!(told("case x in x) lava-sync a;; esac; lava-sync b"), ["lava-sync a Branch", "lava-sync b"]);
        assert_eq!(told("exit 0\nlava-sync a"), ["lava-sync a Exit"]);
        assert_eq!(
            told("ls || exit 1; exec >log 2>&1; lava-sync a; exec lava-sync b; lava-sync c"),
            ["lava-sync a", "lava-sync b", "lava-sync c Exit"]
        );
    }

    #[test]
    fn a_loop_over_words_is_unrolled_and_variables_are_followed() {
        assert_eq!(told("for i in 1 2; do lava-sync m$i; done"), ["lava-sync m1", "lava-sync m2"]);
        assert_eq!(told("for i in $(seq 3); do lava-sync m$i; done; lava-sync z"), ["lava-sync ? Loop", "lava-sync z"]);
        assert_eq!(
            told("lava-sync $ID; ID=new; lava-sync \"${ID}er\"; ID=$(date); lava-sync $ID"),
            ["lava-sync known", "lava-sync newer", "lava-sync ?"]
        );
    }

    #[test]
    fn a_function_is_followed_where_it_is_called() {
        let script = "meet() {\n  lava-sync \"$1\"\n}\nlava-send a; meet x; for i in 1 2; do meet y$i; done";
        assert_eq!(told(script), ["lava-send a", "lava-sync x", "lava-sync y1", "lava-sync y2"]);
        assert_eq!(
            told("f() { lava-sync a; return; lava-sync b; }; f; lava-sync c"),
            ["lava-sync a", "lava-sync b Exit", "lava-sync c"]
        );
        assert_eq!(
            told("die() { lava-send gone; exit 1; }; ls || die; lava-sync a; die; lava-sync b"),
            ["lava-send gone Or", "lava-sync a", "lava-send gone", "lava-sync b Exit"]
        );
        assert_eq!(told("f() { g; }; g() { lava-sync $1; }; f; g x"), ["lava-sync ?", "lava-sync x"]);
        // One that never ends is left somewhere.
        assert!((1..=64).contains(&told("f() { lava-sync a; f; }; f").len()));
    }

    #[test]
    fn a_here_document_is_what_its_command_makes_of_it() {
        assert_eq!(told("cat <<EOF >x\nlava-sync a\nEOF\nlava-sync b"), ["lava-sync a Document", "lava-sync b"]);
        assert_eq!(told("sudo bash -e <<-'EOF'\n\tlava-sync a\n\tEOF\nlava-sync b"), ["lava-sync a", "lava-sync b"]);
        assert_eq!(told("wc <<A; lava-sync c\n$(lava-wait b)\nA\n"), ["lava-wait b", "lava-sync c"]);
        assert_eq!(told("cat <<A <<B\nx\nA\nlava-sync a\nB\nlava-sync b"), ["lava-sync a Document", "lava-sync b"]);
        assert_eq!(told("cat <<< word; lava-sync a <in 0<&3"), ["lava-sync a"]);
    }

    #[test]
    fn broken_scripts_end() {
        for script in [
            "if",
            "for",
            "for x",
            "for x in",
            "$(",
            "\"",
            "'",
            "`",
            "f() {",
            "case",
            "((((",
            "${",
            "while do",
            ")",
            "done",
            "\\",
            "<<",
            "<<\n",
            "cat <<A",
            "sh <<A\nsh <<B\n",
            "<",
            "f() {}; f",
            "f() { f; }\nf",
        ] {
            told(script);
        }
        told(&"$(".repeat(10_000));
        told(&"(".repeat(10_000));
        told(&">".repeat(100_000));
        told(&"sh <<A\n".repeat(1000));
        told(&format!("f() {{ {} }}\n{}", "ls; ".repeat(50_000), "f; ".repeat(50_000)));
        told(&"for a in 1 2 3 4 5 6 7 8; do ".repeat(5));
    }
}
