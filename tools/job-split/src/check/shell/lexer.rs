//! The words and operators of a shell script, as far as its calls need them.

/// A part of a word.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// What is there as it stands.
    Text(String),
    /// `$NAME`, or `$1`.
    Variable(String),
    /// A command in `$( )` or backquotes, with its place.
    Command(Vec<char>, usize),
    /// What is not followed: `$((1))`, `${a%b}`, a pattern for file names.
    Other,
}

/// Part of a script.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A word, and the character of the script at which it begins.
    Word(Vec<Piece>, usize),
    /// What stands between words.
    Operator(&'static str),
    /// The text of a here-document: it is what the command reads.
    Document(Document),
}

/// A here-document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its text as it stands.
    pub text: Vec<char>,
    /// The character of the script at which the text begins.
    pub at: usize,
    /// What the shell expands in it.
    pub pieces: Vec<Piece>,
}

/// Words and operators; `base` is the place of the first character in the whole script.
pub fn lex(chars: &[char], base: usize) -> Vec<Token> {
    let mut lexer = Lexer { chars, at: 0, base, awaited: Vec::new() };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token() {
        let ends_line = token == Token::Operator("\n");
        if token == Token::Operator("<<") {
            lexer.delimiter(tokens.len());
        }
        tokens.push(token);
        if ends_line {
            lexer.documents(&mut tokens);
        }
    }
    tokens
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
    base: usize,
    awaited: Vec<Awaited>,
}

/// A here-document whose text comes after the line.
struct Awaited {
    /// The token in whose place it stands.
    token: usize,
    /// The line that ends it.
    end: String,
    /// Whether that line may be indented by tabs.
    indented: bool,
    /// Whether nothing is expanded in it.
    literal: bool,
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
                ('#', _) => drop(self.until(|c| c == '\n')),
                ('<', Some('<')) if self.peek(2) != Some('<') => {
                    self.at += 2;
                    return Some(Token::Operator("<<"));
                }
                ('<' | '>', _) => self.redirection(),
                _ => match self.operator() {
                    Some(operator) => return Some(Token::Operator(operator)),
                    None => {
                        let start = self.base + self.at;
                        let word = self.word();
                        if !self.is_descriptor(&word) {
                            return Some(Token::Word(word, start));
                        }
                    }
                },
            }
        }
    }

    /// Where input comes from and output goes to is no matter here.
    fn redirection(&mut self) {
        while self.peek(0).is_some_and(|c| " \t<>&".contains(c)) {
            self.at += 1;
        }
        self.word();
    }

    fn operator(&mut self) -> Option<&'static str> {
        const OPERATORS: [&str; 9] = ["&&", "||", ";;", "\n", ";", "&", "|", "(", ")"];
        let rest = [self.peek(0), self.peek(1)];
        let here = |operator: &&str| operator.chars().zip(rest).all(|(c, found)| found == Some(c));
        let found = OPERATORS.into_iter().find(here)?;
        self.at += found.len();
        Some(found)
    }

    /// Whether a word is the number of the descriptor that is redirected next.
    fn is_descriptor(&self, word: &[Piece]) -> bool {
        let digits = |piece: &Piece| matches!(piece, Piece::Text(text) if text.chars().all(|c| c.is_ascii_digit()));
        matches!(self.peek(0), Some('<' | '>')) && word.iter().all(digits)
    }

    fn word(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some(c) = self.peek(0) {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
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

    /// What ends a here-document, behind `<<`; what has none stays an operator.
    fn delimiter(&mut self, token: usize) {
        let indented = self.peek(0) == Some('-');
        self.at += usize::from(indented);
        while self.peek(0).is_some_and(|c| c == ' ' || c == '\t') {
            self.at += 1;
        }
        let start = self.at;
        let mut end = String::new();
        for piece in self.word() {
            let Piece::Text(text) = piece else { return };
            end.push_str(&text);
        }
        let literal = self.chars[start..self.at].iter().any(|c| "'\"\\".contains(*c));
        if !end.is_empty() {
            self.awaited.push(Awaited { token, end, indented, literal });
        }
    }

    /// The texts that were awaited at the end of a line.
    fn documents(&mut self, tokens: &mut [Token]) {
        for Awaited { token, end, indented, literal } in std::mem::take(&mut self.awaited) {
            let start = self.at;
            let mut stop = start;
            while stop < self.chars.len() {
                let line = self.until(|c| c == '\n');
                self.at += 1;
                if end == if indented { line.trim_start_matches('\t') } else { &line } {
                    break;
                }
                stop = self.at.min(self.chars.len());
            }
            let text = self.chars[start..stop].to_vec();
            let mut inside = Lexer { chars: &text, at: 0, base: self.base + start, awaited: Vec::new() };
            let mut pieces = Vec::new();
            while !literal && inside.peek(0).is_some() {
                let piece = inside.piece(true);
                pieces.extend(Some(piece).filter(|piece| matches!(piece, Piece::Command(..))));
            }
            tokens[token] = Token::Document(Document { at: self.base + start, text, pieces });
        }
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
                if is_name(&name) || name.chars().all(|c| c.is_ascii_digit()) {
                    Piece::Variable(name)
                } else {
                    Piece::Other
                }
            }
            ('$', Some(next)) if next.is_ascii_alphabetic() || next == '_' => {
                Piece::Variable(self.until(|c| !(c.is_ascii_alphanumeric() || c == '_')))
            }
            ('$', Some(next)) if next.is_ascii_digit() => {
                self.at += 1;
                Piece::Variable(next.to_string())
            }
            ('$', Some(next)) if "?#*@$!-".contains(next) => {
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

/// Whether a text can name a variable.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
