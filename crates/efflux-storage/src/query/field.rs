//! Reads the field of a comparison.

use std::fmt;

use efflux_particle::limits::PROPERTY_NAME_BYTES_MAX;

use super::error::{Fault, shortened};
use super::expr::{Term, TimeField};
use super::lexer::{Kind, Symbol};
use super::notation::{is_bare, write_path};
use super::parser::Parser;
use super::suggest;

/// The left side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Term(Term),
    Time(TimeField),
    Sequence,
    Data(Vec<String>),
}

impl Field {
    /// The field that a word names; none for properties and data, which have names of their own.
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "id" => Self::Term(Term::Id),
            "sequence" => Self::Sequence,
            "timestamp" => Self::Time(TimeField::Timestamp),
            "created" => Self::Time(TimeField::Created),
            "data_type" | "type" => Self::Term(Term::DataType),
            "content_type" => Self::Term(Term::ContentType),
            "content_encoding" => Self::Term(Term::ContentEncoding),
            "message_group" | "group" => Self::Term(Term::MessageGroup),
            _ => return None,
        })
    }

    /// Whether the comparison that the symbol stands for makes sense for this field.
    pub(super) const fn takes(&self, symbol: Symbol) -> bool {
        match symbol {
            Symbol::Is | Symbol::IsNot => true,
            Symbol::StartsWith => match self {
                Self::Term(term) => !matches!(term, Term::Id | Term::ContentEncoding),
                Self::Data(_) => true,
                Self::Time(_) | Self::Sequence => false,
            },
            Symbol::Less | Symbol::LessOrEqual | Symbol::Greater | Symbol::GreaterOrEqual => {
                !matches!(self, Self::Term(_))
            }
        }
    }

    /// The operators that make sense for this field.
    pub(super) const fn operators(&self) -> &'static str {
        match (self.takes(Symbol::Less), self.takes(Symbol::StartsWith)) {
            (true, true) => "=, !=, <, <=, >, >=, ^=, in or exists",
            (true, false) => "=, !=, <, <=, >, >=, in or exists",
            (false, true) => "=, !=, ^=, in or exists",
            (false, false) => "=, !=, in or exists",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(term) => fmt::Display::fmt(term, f),
            Self::Time(time) => fmt::Display::fmt(time, f),
            Self::Sequence => f.write_str("sequence"),
            Self::Data(path) => write_path(f, path),
        }
    }
}

impl Parser<'_> {
    pub(super) fn field(&mut self) -> Result<Field, Fault> {
        let Kind::Word(word) = self.token.kind else {
            return Err(match self.token.kind {
                Kind::Text(_) => self.expected("a field without quotes, as in type = \"a\","),
                _ => self.expected("a comparison, as in type = \"a\","),
            });
        };
        if let Some(field) = Field::named(word) {
            self.advance()?;
            return Ok(field);
        }
        match word.split_once('.') {
            Some(("properties", name)) => self.property(name),
            Some(("data", path)) => self.data(path),
            _ => Err(self.fault(suggest::unknown_field(word))),
        }
    }

    /// Reads `properties.NAME`; the token is its first word, `name` what follows the dot in it.
    fn property(&mut self, name: &str) -> Result<Field, Fault> {
        let at = self.token.at;
        let end = self.advance()?.end;
        let name = match &self.token.kind {
            Kind::Text(quoted) if name.is_empty() && self.token.at == end => {
                let quoted = quoted.clone();
                self.advance()?;
                quoted
            }
            _ if !name.is_empty() && name.split('.').all(is_bare) => name.to_owned(),
            _ => return Err(needs_quotes(at, "properties", name)),
        };
        if name.is_empty() || name.len() > PROPERTY_NAME_BYTES_MAX {
            return Err(Fault::new(
                at,
                format!("a property's name has 1 to {PROPERTY_NAME_BYTES_MAX} bytes: check it"),
            ));
        }
        Ok(Field::Term(Term::Property(name)))
    }

    /// Reads `data.PATH`; the token is its first word, `steps` what follows the first dot in it.
    fn data(&mut self, steps: &str) -> Result<Field, Fault> {
        let mut path = Vec::new();
        let mut steps = steps;
        loop {
            let at = self.token.at;
            let mut end = self.advance()?.end;
            let quoted_follows = matches!(self.token.kind, Kind::Text(_)) && self.token.at == end;
            let bare = match steps.strip_suffix('.') {
                Some(steps) if quoted_follows => Some(steps),
                None if quoted_follows && steps.is_empty() => None,
                _ => Some(steps),
            };
            for step in bare.into_iter().flat_map(|bare| bare.split('.')) {
                if !is_bare(step) {
                    return Err(needs_quotes(at, "data", step));
                }
                path.push(step.to_owned());
            }
            let ends_open = steps.is_empty() || steps.ends_with('.');
            if quoted_follows && ends_open {
                let token = self.advance()?;
                end = token.end;
                if let Kind::Text(step) = token.kind {
                    path.push(step);
                }
            }
            match self.token.kind {
                Kind::Word(more) if self.token.at == end => match more.strip_prefix('.') {
                    Some(more) => steps = more,
                    None => return Ok(Field::Data(path)),
                },
                _ => return Ok(Field::Data(path)),
            }
        }
    }
}

fn needs_quotes(at: usize, parent: &str, name: &str) -> Fault {
    let name = shortened(name);
    Fault::new(
        at,
        match (parent, name.as_str()) {
            ("properties", "") => {
                "the property's name is missing: write properties.NAME or properties.\"any name\""
                    .to_owned()
            }
            (_, "") => {
                "a part of the path is missing: write data.PATH or data.\"any name\"".to_owned()
            }
            _ => format!("`{name}` is no plain name: put it in quotes, {parent}.{name:?}"),
        },
    )
}
