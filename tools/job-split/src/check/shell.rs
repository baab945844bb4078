//! The multinode calls of a shell script, and whether they are made.
//!
//! Steps are taken to succeed, as a step that fails ends its run: what follows `&&` is done, what follows `||` is
//! not sure. A loop over words is unrolled; another loop, a branch, a function and a background job are not sure.

use std::collections::HashMap;

/// The most words a loop is unrolled for, and the deepest nesting that is followed.
const MOST: usize = 64;

/// The most rounds of all loops of a script that are unrolled.
const ROUNDS: usize = 1024;

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
    /// In a function.
    Function,
    /// In the background.
    Background,
    /// After an `exit`.
    Exit,
}

impl Reason {
    /// The reason in words, after "this call".
    pub fn text(self) -> &'static str {
        match self {
            Reason::Branch => "is in a branch",
            Reason::Loop => "is in a loop",
            Reason::Or => "comes after '||'",
            Reason::Function => "is in a function",
            Reason::Background => "is made in the background",
            Reason::Exit => "comes after an exit",
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
    let mut walker = Walker {
        tokens: lex(&chars, 0),
        next: 0,
        variables: variables.clone(),
        calls: Vec::new(),
        depth: 0,
        rounds: ROUNDS,
    };
    walker.list(Sure::Yes, &[]);
    walker.calls
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Variable(String),
    /// A command in `$( )` or backquotes, with its place.
    Command(Vec<char>, usize),
    /// What is not followed: `$((1))`, `${a%b}`, a pattern for file names.
    Other,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(Vec<Piece>, usize),
    Operator(&'static str),
}

/// Words and operators; `base` is the place of the first character in the whole script.
fn lex(chars: &[char], base: usize) -> Vec<Token> {
    let mut lexer = Lexer { chars, at: 0, base };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token() {
        tokens.push(token);
    }
    tokens
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
    base: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn token(&mut self) -> Option<Token> {
        loop {
            match (self.peek(0)?, self.peek(1)) {
                (' ' | '\t', _) => self.at += 1,
                ('\\', Some('\n')) => self.at += 2,
                ('#', _) => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
        const OPERATORS: [&str; 12] = ["&&", "||", ";;", ">>", "<<", "\n", ";", "&", "|", "(", ")", ">"];
        let rest = [self.peek(0), self.peek(1)];
        for operator in OPERATORS {
            if operator.chars().zip(rest).all(|(c, found)| found == Some(c)) {
                self.at += operator.len();
                // What is redirected is no matter here: `>&2` is one word.
                if matches!(operator, ">" | ">>") {
                    while self.peek(0).is_some_and(|c| c == ' ' || c == '&') {
                        self.at += 1;
                    }
                    self.word();
                    return self.token();
                }
                return Some(Token::Operator(operator));
            }
        }
        let start = self.base + self.at;
        let word = self.word();
        // The number of a descriptor belongs to its redirection.
        let digit = |piece: &Piece| matches!(piece, Piece::Text(text) if text.chars().all(|c| c.is_ascii_digit()));
        if self.peek(0) == Some('>') && word.iter().all(digit) {
            return self.token();
        }
        Some(Token::Word(word, start))
    }

    fn word(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some(c) = self.peek(0) {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '>' => break,
                '\'' => {
                    self.at += 1;
                    let text = self.until(|c| c == '\'');
                    self.at += 1;
                    pieces.push(Piece::Text(text));
                }
                '"' => {
                    self.at += 1;
                    while self.peek(0).is_some_and(|c| c != '"') {
                        let piece = self.piece(true);
                        pieces.push(piece);
                    }
                    self.at += 1;
                    // An empty word is a word.
                    pieces.push(Piece::Text(String::new()));
                }
                _ => {
                    let piece = self.piece(false);
                    pieces.push(piece);
                }
            }
        }
        pieces
    }

    fn until(&mut self, end: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(c) = self.peek(0).filter(|c| !end(*c)) {
            text.push(c);
            self.at += 1;
        }
        text
    }

    /// One character, or an expansion.
    fn piece(&mut self, quoted: bool) -> Piece {
        let c = self.peek(0).unwrap_or_default();
        self.at += 1;
        match (c, self.peek(0)) {
            ('\\', Some(next)) => {
                self.at += 1;
                Piece::Text(if next == '\n' { String::new() } else { next.to_string() })
            }
            ('`', _) => {
                let start = self.base + self.at;
                let inside = self.until(|c| c == '`');
                self.at += 1;
                Piece::Command(inside.chars().collect(), start)
            }
            ('$', Some('(')) => self.substitution(),
            ('$', Some('{')) => {
                self.at += 1;
                let name = self.until(|c| c == '}');
                self.at += 1;
                if is_name(&name) { Piece::Variable(name) } else { Piece::Other }
            }
            ('$', Some(next)) if next.is_ascii_alphabetic() || next == '_' => {
                Piece::Variable(self.until(|c| !(c.is_ascii_alphanumeric() || c == '_')))
            }
            ('$', Some(next)) if next.is_ascii_digit() || "?#*@$!-".contains(next) => {
                self.at += 1;
                Piece::Other
            }
            ('*' | '?' | '[', _) if !quoted => Piece::Other,
            _ => Piece::Text(c.to_string()),
        }
    }

    fn substitution(&mut self) -> Piece {
        self.at += 1;
        let start = self.at;
        let mut open = 1;
        let mut quote = None;
        while let Some(c) = self.peek(0) {
            match (quote, c) {
                (Some(q), c) if q == c => quote = None,
                (None, '\'' | '"') => quote = Some(c),
                (None, '(') => open += 1,
                (None, ')') => open -= 1,
                _ => {}
            }
            if open == 0 {
                break;
            }
            self.at += 1;
        }
        let inside = self.chars[start..self.at.min(self.chars.len())].to_vec();
        self.at += 1;
        if inside.first() == Some(&'(') { Piece::Other } else { Piece::Command(inside, self.base + start) }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

struct Walker {
    tokens: Vec<Token>,
    next: usize,
    variables: HashMap<String, String>,
    calls: Vec<ShellCall>,
    depth: usize,
    /// Rounds of loops that may still be unrolled: loops in loops multiply.
    rounds: usize,
}

impl Walker {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    /// The word at hand as a plain text, as keywords are.
    fn word_text(&self) -> Option<String> {
        let Some(Token::Word(pieces, _)) = self.peek() else { return None };
        let mut text = String::new();
        for piece in pieces {
            let Piece::Text(part) = piece else { return None };
            text.push_str(part);
        }
        Some(text)
    }

    /// Commands up to one of the words in `ends`, or the end; that word is not taken.
    fn list(&mut self, sure: Sure, ends: &[&str]) {
        self.depth += 1;
        let mut sure = sure;
        let mut here = sure;
        while self.depth <= MOST && self.next < self.tokens.len() {
            match self.peek() {
                Some(Token::Operator(operator)) => {
                    let operator = *operator;
                    if ends.contains(&operator) {
                        break;
                    }
                    self.next += 1;
                    match operator {
                        "||" => here = weaker(sure, Reason::Or),
                        "&&" | "|" => {}
                        "(" => {
                            self.list(here, &[")"]);
                            self.next += 1;
                        }
                        "&" => {}
                        _ => here = sure,
                    }
                }
                _ => {
                    let word = self.word_text().unwrap_or_default();
                    if ends.contains(&word.as_str()) {
                        break;
                    }
                    if self.command(&word, here) == After::Gone {
                        sure = weaker(sure, Reason::Exit);
                        here = sure;
                    }
                }
            }
        }
        self.depth -= 1;
    }

    fn command(&mut self, word: &str, sure: Sure) -> After {
        match word {
            "if" | "elif" => {
                self.next += 1;
                self.list(if word == "if" { sure } else { weaker(sure, Reason::Branch) }, &["then"]);
            }
            "then" | "else" => {
                self.next += 1;
                self.list(weaker(sure, Reason::Branch), &["elif", "else", "fi"]);
            }
            "while" | "until" => {
                self.next += 1;
                self.list(weaker(sure, Reason::Loop), &["do"]);
                self.body(weaker(sure, Reason::Loop));
            }
            "for" => self.each(sure),
            "case" => {
                self.next += 1;
                self.list(weaker(sure, Reason::Branch), &["esac"]);
                self.next += 1;
            }
            "fi" | "do" | "done" | "esac" | "{" | "}" | "!" => self.next += 1,
            _ => return self.simple(sure),
        }
        After::Here
    }

    /// `do` to `done`.
    fn body(&mut self, sure: Sure) {
        self.next += 1;
        self.list(sure, &["done"]);
        self.next += 1;
    }

    /// A loop over words is unrolled when all of them are known.
    fn each(&mut self, sure: Sure) {
        self.next += 1;
        let name = self.word_text().unwrap_or_default();
        self.next += 1;
        let mut words = Vec::new();
        let mut known = self.word_text().as_deref() == Some("in");
        self.next += usize::from(known);
        while let Some(Token::Word(pieces, _)) = self.peek() {
            if self.word_text().as_deref() == Some("do") {
                break;
            }
            let value = self.value(&pieces.clone());
            known &= value.is_some();
            words.extend(value);
            self.next += 1;
        }
        while matches!(self.peek(), Some(Token::Operator(_))) {
            self.next += 1;
        }
        if !known || words.len() > MOST.min(self.rounds) {
            self.variables.remove(&name);
            return self.body(weaker(sure, Reason::Loop));
        }
        let start = self.next;
        for word in &words {
            self.rounds = self.rounds.saturating_sub(1);
            self.next = start;
            self.variables.insert(name.clone(), word.clone());
            self.body(sure);
        }
        if words.is_empty() {
            self.body(weaker(sure, Reason::Loop));
        }
    }

    /// A command and its arguments, to the next operator.
    fn simple(&mut self, sure: Sure) -> After {
        let mut words = Vec::new();
        while let Some(Token::Word(pieces, at)) = self.peek() {
            words.push((pieces.clone(), *at));
            self.next += 1;
        }
        if matches!(self.peek(), Some(Token::Operator("("))) && words.len() == 1 {
            return self.function();
        }
        let background = matches!(self.peek(), Some(Token::Operator("&")));
        let sure = if background { weaker(sure, Reason::Background) } else { sure };
        for (pieces, _) in &words {
            self.substituted(pieces, sure);
        }
        self.run(&words, sure)
    }

    fn function(&mut self) -> After {
        self.next += 1;
        while matches!(self.peek(), Some(Token::Operator(")" | "\n"))) {
            self.next += 1;
        }
        if self.word_text().as_deref() == Some("{") {
            self.next += 1;
            self.list(Sure::No(Reason::Function), &["}"]);
            self.next += 1;
        }
        After::Here
    }

    /// Commands in the words of a command are run before it.
    fn substituted(&mut self, pieces: &[Piece], sure: Sure) {
        for piece in pieces {
            let Piece::Command(inside, at) = piece else { continue };
            self.nested(inside, *at, sure);
        }
    }

    fn nested(&mut self, inside: &[char], at: usize, sure: Sure) {
        if self.depth > MOST {
            return;
        }
        let (tokens, next) = (std::mem::replace(&mut self.tokens, lex(inside, at)), self.next);
        self.next = 0;
        self.list(sure, &[]);
        (self.tokens, self.next) = (tokens, next);
    }

    fn run(&mut self, words: &[(Vec<Piece>, usize)], sure: Sure) -> After {
        let mut nth = 0;
        while let Some((pieces, at)) = words.get(nth) {
            let value = self.value(pieces);
            let name = value.as_deref().map(|value| value.rsplit('/').next().unwrap_or(value));
            match name {
                Some("exit" | "exec") if nth == 0 => return After::Gone,
                Some("sudo" | "time" | "command" | "env" | "nice" | "!") => nth += 1,
                Some("timeout") => nth += 2,
                Some("export" | "readonly" | "local") => nth += 1,
                Some("sh" | "bash" | "dash") => return self.inner(&words[nth + 1..], "-c", sure),
                Some("lava-test-case") => return self.inner(&words[nth + 1..], "--shell", sure),
                Some(name) if CALLS.contains(&name) => {
                    self.call(name, *at, &words[nth + 1..], sure);
                    return After::Here;
                }
                _ if self.assign(pieces, sure) => nth += 1,
                _ => return After::Here,
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
    fn value(&self, pieces: &[Piece]) -> Option<String> {
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

/// Where a script is after a command.
#[derive(PartialEq)]
enum After {
    Here,
    Gone,
}

/// The first reason counts.
fn weaker(sure: Sure, reason: Reason) -> Sure {
    if sure == Sure::Yes { Sure::No(reason) } else { sure }
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
            ["lava-sync a Function", "lava-sync b Background", "lava-sync c"]
        );
        assert_eq!(told("case x in x) lava-sync a;; esac; lava-sync b"), ["lava-sync a Branch", "lava-sync b"]);
        assert_eq!(told("exit 0\nlava-sync a"), ["lava-sync a Exit"]);
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
    fn broken_scripts_end() {
        for script in [
            "if", "for", "for x", "for x in", "$(", "\"", "'", "`", "f() {", "case", "((((", "${", "while do", ")",
            "done", "\\",
        ] {
            told(script);
        }
        told(&"$(".repeat(10_000));
        told(&"(".repeat(10_000));
        told(&"for a in 1 2 3 4 5 6 7 8; do ".repeat(5));
    }
}
