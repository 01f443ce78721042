//! Splits the text of a query into tokens.

use super::error::{Fault, shortened};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    /// The byte where it begins.
    pub(super) at: usize,
    /// The byte after it.
    pub(super) end: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A name, a number, a time or a bare value.
    Word(&'a str),
    /// What stood in quotes, with escapes resolved.
    Text(String),
    Symbol(Symbol),
    Open,
    Close,
    Comma,
    And,
    Or,
    Not,
    In,
    Exists,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    Is,
    IsNot,
    StartsWith,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The text of a token as it was written.
    pub(super) fn written(&self, token: &Token<'_>) -> &'a str {
        self.text.get(token.at..token.end).unwrap_or_default()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Moves over the next character.
    fn bump(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn token(&mut self) -> Result<Token<'a>, Fault> {
        self.at = self.text.len() - self.rest().trim_start().len();
        let at = self.at;
        let kind = self.kind()?;
        Ok(Token {
            kind,
            at,
            end: self.at,
        })
    }

    fn kind(&mut self) -> Result<Kind<'a>, Fault> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(Kind::End);
        };
        if let Some((symbol, bytes)) = symbol(rest) {
            self.at += bytes;
            return Ok(symbol);
        }
        if first == '"' || first == '\'' {
            return self.quoted().map(Kind::Text);
        }
        let bytes = rest.find(|c| !is_word_char(c)).unwrap_or(rest.len());
        match rest.get(..bytes) {
            Some(word) if !word.is_empty() => {
                self.at += bytes;
                Ok(keyword(word).unwrap_or(Kind::Word(word)))
            }
            _ => Err(Fault::new(self.at, stray(first))),
        }
    }

    /// Reads a text in quotes; the position stands at the first quote.
    fn quoted(&mut self) -> Result<String, Fault> {
        let start = self.at;
        let quote = self.bump();
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.bump() {
                None => {
                    let message = "this quote is not closed: end the text with the same quote";
                    return Err(Fault::new(start, message));
                }
                Some('\\') => text.push(self.escape(at)?),
                next if next == quote => return Ok(text),
                Some(other) => text.push(other),
            }
        }
    }

    /// Reads what follows a backslash, which stands at byte `at`.
    fn escape(&mut self, at: usize) -> Result<char, Fault> {
        match self.bump() {
            Some(same @ ('"' | '\'' | '\\')) => Ok(same),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('u') => self.escaped_code(at),
            _ => Err(Fault::new(
                at,
                r#"unknown escape: use \", \', \\, \n, \r, \t or \u{1F600}, and \\ for a backslash"#,
            )),
        }
    }

    /// Reads the `{1F600}` of an escape whose backslash stands at byte `at`.
    fn escaped_code(&mut self, at: usize) -> Result<char, Fault> {
        let digits = self
            .rest()
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .map(|(digits, _)| digits)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match (digits, code.and_then(char::from_u32)) {
            (Some(digits), Some(char)) => {
                self.at += digits.len() + "{}".len();
                Ok(char)
            }
            _ => Err(Fault::new(
                at,
                r"this escape names no character: write it as \u{1F600}",
            )),
        }
    }
}

fn symbol(rest: &str) -> Option<(Kind<'static>, usize)> {
    let two = match rest.get(..2) {
        Some("==") => Some(Kind::Symbol(Symbol::Is)),
        Some("!=") => Some(Kind::Symbol(Symbol::IsNot)),
        Some("^=") => Some(Kind::Symbol(Symbol::StartsWith)),
        Some("<=") => Some(Kind::Symbol(Symbol::LessOrEqual)),
        Some(">=") => Some(Kind::Symbol(Symbol::GreaterOrEqual)),
        Some("&&") => Some(Kind::And),
        Some("||") => Some(Kind::Or),
        _ => None,
    };
    if let Some(kind) = two {
        return Some((kind, 2));
    }
    let one = match rest.chars().next()? {
        '=' => Kind::Symbol(Symbol::Is),
        '<' => Kind::Symbol(Symbol::Less),
        '>' => Kind::Symbol(Symbol::Greater),
        '!' => Kind::Not,
        '(' => Kind::Open,
        ')' => Kind::Close,
        ',' => Kind::Comma,
        _ => return None,
    };
    Some((one, 1))
}

fn keyword(word: &str) -> Option<Kind<'static>> {
    [
        ("and", Kind::And),
        ("or", Kind::Or),
        ("not", Kind::Not),
        ("in", Kind::In),
        ("exists", Kind::Exists),
    ]
    .into_iter()
    .find(|(keyword, _)| word.eq_ignore_ascii_case(keyword))
    .map(|(_, kind)| kind)
}

/// The characters of names, numbers, times, media types and other values without quotes.
fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || "_-.:/+@#$%~".contains(c)
}

fn stray(c: char) -> String {
    match c {
        '&' => "a single `&` has no meaning: write `and` or `&&`".to_owned(),
        '|' => "a single `|` has no meaning: write `or` or `||`".to_owned(),
        '^' => "a single `^` has no meaning: write ^= for \"begins with\"".to_owned(),
        '*' => "there are no wildcards: write ^= \"order.\" for \"begins with\"".to_owned(),
        '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' | '`' => {
            "this is no quote of the language: put texts in \" or '".to_owned()
        }
        other => format!(
            "`{}` has no meaning here: put texts with such characters in quotes",
            shortened(&other.to_string())
        ),
    }
}
