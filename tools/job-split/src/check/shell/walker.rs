//! The commands of a script in the order in which they are run.

use super::lexer::{Document, Piece, Token, lex};
use super::{Reason, ShellCall, Sure};
use std::collections::HashMap;

/// The most words a loop is unrolled for, and the deepest nesting that is followed.
const MOST: usize = 64;

/// The most rounds of all loops of a script that are unrolled, and calls of its functions that are followed.
const ROUNDS: usize = 1024;

pub(super) const SHELLS: [&str; 4] = ["sh", "bash", "dash", "ash"];

/// A walk over a script.
pub struct Walker {
    tokens: Vec<Token>,
    next: usize,
    pub(super) variables: HashMap<String, String>,
    functions: HashMap<String, Function>,
    pub(super) calls: Vec<ShellCall>,
    depth: usize,
    /// Rounds of loops that may still be unrolled: loops in loops multiply.
    rounds: usize,
}

#[derive(Clone)]
struct Function {
    /// What stands between the braces.
    body: Vec<Token>,
    /// Whether a command was its name.
    called: bool,
}

impl Walker {
    /// Stands before the first command; `variables` are those that are known.
    pub fn new(script: &[char], variables: HashMap<String, String>) -> Self {
        let functions = HashMap::new();
        Self { tokens: lex(script, 0), next: 0, variables, functions, calls: Vec::new(), depth: 0, rounds: ROUNDS }
    }

    /// Walks to the end, and gives the calls.
    pub fn walk(mut self) -> Vec<ShellCall> {
        self.list(Sure::Yes, &[]);
        let functions = std::mem::take(&mut self.functions).into_values();
        let mut idle: Vec<Vec<Token>> = functions.filter(|f| !f.called).map(|f| f.body).collect();
        idle.sort_by_key(|body| body.iter().find_map(place));
        for body in idle {
            self.within(body, Sure::No(Reason::Function));
        }
        self.calls
    }

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
    fn list(&mut self, sure: Sure, ends: &[&str]) -> After {
        self.depth += 1;
        let mut after = After::Here;
        let mut sure = sure;
        let mut here = sure;
        while self.depth <= MOST && self.next < self.tokens.len() {
            match self.peek() {
                // It belongs to no command that is known.
                Some(Token::Document(_)) => self.next += 1,
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
                    // An exit after '||' is for what fails, and steps do not.
                    let next = self.command(&word, here);
                    if next != After::Here && here == sure {
                        after = if after == After::Here { next } else { after };
                        sure = weaker(sure, Reason::Exit);
                        here = sure;
                    }
                }
            }
        }
        self.depth -= 1;
        after
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
            self.next = start;
            self.variables.insert(name.clone(), word.clone());
            self.body(sure);
            self.rounds = self.rounds.saturating_sub(price(self.next - start));
        }
        if words.is_empty() {
            self.body(weaker(sure, Reason::Loop));
        }
    }

    /// A command and its arguments, to the next operator.
    fn simple(&mut self, sure: Sure) -> After {
        let (mut words, mut documents) = (Vec::new(), Vec::new());
        loop {
            match self.peek() {
                Some(Token::Word(pieces, at)) => words.push((pieces.clone(), *at)),
                Some(Token::Document(document)) => documents.push(document.clone()),
                _ => break,
            }
            self.next += 1;
        }
        if let [(name, _)] = words.as_slice()
            && matches!(self.peek(), Some(Token::Operator("(")))
        {
            let name = self.value(name).unwrap_or_default();
            return self.function(name);
        }
        let background = matches!(self.peek(), Some(Token::Operator("&")));
        let sure = if background { weaker(sure, Reason::Background) } else { sure };
        for (pieces, _) in &words {
            self.substituted(pieces, sure);
        }
        for document in &documents {
            self.document(document, &words, sure);
        }
        self.run(&words, sure)
    }

    /// A shell runs what it reads; what becomes of another command's input is not known.
    fn document(&mut self, document: &Document, words: &[(Vec<Piece>, usize)], sure: Sure) {
        let before = self.calls.len();
        self.substituted(&document.pieces, sure);
        let made: Vec<usize> = self.calls[before..].iter().map(|call| call.at).collect();
        let last = words.iter().rev().map(|(pieces, _)| self.value(pieces).unwrap_or_default());
        let shell = last.take_while(|word| word.starts_with('-') || SHELLS.contains(&word.as_str()));
        let sure = if shell.count() > 0 { sure } else { weaker(sure, Reason::Document) };
        let before = self.calls.len();
        self.nested(&document.text, document.at, sure);
        // The shell that expands the text has made these already.
        let mut nth = 0;
        self.calls.retain(|call| {
            nth += 1;
            nth <= before || !made.contains(&call.at)
        });
    }

    /// Keeps the body for when the name is called.
    fn function(&mut self, name: String) -> After {
        self.next += 1;
        while matches!(self.peek(), Some(Token::Operator(")" | "\n"))) {
            self.next += 1;
        }
        if self.word_text().as_deref() == Some("{") {
            self.next += 1;
            let (start, calls) = (self.next, self.calls.len());
            let (variables, functions) = (self.variables.clone(), self.functions.clone());
            // A walk finds the closing brace; what it finds besides is not said yet.
            self.list(Sure::No(Reason::Function), &["}"]);
            self.calls.truncate(calls);
            (self.variables, self.functions) = (variables, functions);
            let body = self.tokens[start..self.next.min(self.tokens.len())].to_vec();
            self.functions.insert(name, Function { body, called: false });
            self.next += 1;
        }
        After::Here
    }

    /// Runs a function with its arguments as `$1` and so on, if the name is one's.
    pub(super) fn enter(&mut self, name: &str, words: &[(Vec<Piece>, usize)], sure: Sure) -> Option<After> {
        let function = self.functions.get_mut(name)?;
        let price = price(function.body.len());
        if price > self.rounds {
            return Some(After::Here);
        }
        self.rounds -= price;
        function.called = true;
        let body = function.body.clone();
        let number = |nth: usize| (nth + 1).to_string();
        let values: Vec<_> = words.iter().map(|(pieces, _)| self.value(pieces)).collect();
        let before: Vec<_> = (0..9).map(|nth| self.variables.remove(&number(nth))).collect();
        for (nth, value) in values.into_iter().enumerate().take(9) {
            self.variables.extend(value.map(|value| (number(nth), value)));
        }
        let after = self.within(body, sure);
        for (nth, value) in before.into_iter().enumerate() {
            self.variables.remove(&number(nth));
            self.variables.extend(value.map(|value| (number(nth), value)));
        }
        Some(if after == After::Gone { after } else { After::Here })
    }

    /// Commands in the words of a command are run before it.
    fn substituted(&mut self, pieces: &[Piece], sure: Sure) {
        for piece in pieces {
            let Piece::Command(inside, at) = piece else { continue };
            self.nested(inside, *at, sure);
        }
    }

    pub(super) fn nested(&mut self, inside: &[char], at: usize, sure: Sure) {
        if self.depth > MOST {
            return;
        }
        self.within(lex(inside, at), sure);
    }

    /// Walks over other tokens, and comes back.
    fn within(&mut self, tokens: Vec<Token>, sure: Sure) -> After {
        let (tokens, next) = (std::mem::replace(&mut self.tokens, tokens), std::mem::take(&mut self.next));
        let after = self.list(sure, &[]);
        (self.tokens, self.next) = (tokens, next);
        after
    }
}

/// Where a script is after a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum After {
    Here,
    /// At the end of the function.
    Returned,
    /// At its end.
    Gone,
}

/// What a round over so many tokens costs: long ones cost more, so that no script takes long.
fn price(tokens: usize) -> usize {
    1 + tokens / 256
}

fn place(token: &Token) -> Option<usize> {
    match token {
        Token::Word(_, at) => Some(*at),
        _ => None,
    }
}

/// The first reason counts.
fn weaker(sure: Sure, reason: Reason) -> Sure {
    if sure == Sure::Yes { Sure::No(reason) } else { sure }
}
