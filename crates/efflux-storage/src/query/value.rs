//! Reads the value of a comparison as the kind of thing its field holds.

use efflux_particle::{ContentEncoding, Id, Timestamp};
use serde_json::Value;

use super::data::{DataValue, Finite, whole};
use super::error::Fault;
use super::expr::Term;
use super::field::Field;
use super::lexer::Kind;
use super::parser::Parser;

/// Each reads the value at the token and leaves the token in place.
impl Parser<'_> {
    pub(super) fn text_for(&self, term: &Term) -> Result<String, Fault> {
        let text = self.bare_or_quoted()?;
        match term {
            Term::Id => match text.parse::<Id>() {
                Ok(id) => Ok(id.to_string()),
                Err(error) => Err(self.fault(format!("`id` is compared with an id: {error}"))),
            },
            Term::ContentEncoding => match text.parse::<ContentEncoding>() {
                Ok(encoding) => Ok(encoding.as_str().to_owned()),
                Err(error) => Err(self.fault(error.to_string())),
            },
            _ => Ok(text.to_owned()),
        }
    }

    fn bare_or_quoted(&self) -> Result<&str, Fault> {
        let word = match &self.token.kind {
            Kind::Text(text) => return Ok(text),
            Kind::Word(word) => *word,
            _ => return Err(self.expected("a value")),
        };
        if word.eq_ignore_ascii_case("null") {
            return Err(self.fault(
                "`null` is no text: write `not exists` after the field for a missing one, \
                 or put the word in quotes",
            ));
        }
        let is_field = Field::named(word).is_some()
            || word.starts_with("properties.")
            || word.starts_with("data.");
        if is_field {
            return Err(self.fault(format!(
                "`{}` is a field, and fields are compared with values alone: \
                 put it in quotes if it is a text",
                self.written()
            )));
        }
        Ok(word)
    }

    pub(super) fn nanos_for(&self, field: &Field) -> Result<i64, Fault> {
        let text = match &self.token.kind {
            Kind::Text(text) => text,
            Kind::Word(word) => *word,
            _ => return Err(self.expected("a time")),
        };
        text.parse().map(Timestamp::nanos).map_err(|_| {
            self.fault(format!(
                "`{field}` is compared with a time of the years 1677 to 2262, as in \
                 2026-01-01T00:00:00Z or 2026-01-01, not with `{}`",
                self.written()
            ))
        })
    }

    pub(super) fn sequence_number(&self) -> Result<u64, Fault> {
        let digits = match self.token.kind {
            Kind::Word(word) if word.bytes().all(|digit| digit.is_ascii_digit()) => word,
            _ => {
                return Err(self.fault(format!(
                    "`sequence` is compared with a whole number from 0 upwards, as in 42, \
                     not with `{}`",
                    self.written()
                )));
            }
        };
        digits.parse().map_err(|_| {
            self.fault(format!(
                "`{}` is larger than any sequence: the largest is {}",
                self.written(),
                u64::MAX
            ))
        })
    }

    pub(super) fn data_value(&self, field: &str) -> Result<DataValue, Fault> {
        let word = match &self.token.kind {
            Kind::Text(text) => return Ok(DataValue::Text(text.clone())),
            Kind::Word(word) => *word,
            _ => return Err(self.expected("a value")),
        };
        let value = match word.to_ascii_lowercase().as_str() {
            "null" => Some(DataValue::Null),
            "true" => Some(DataValue::Bool(true)),
            "false" => Some(DataValue::Bool(false)),
            _ => number(word),
        };
        value.ok_or_else(|| {
            self.fault(format!(
                "`{field}` is compared with a number, true, false, null or a text in quotes: \
                 put `{}` in quotes",
                self.written()
            ))
        })
    }

    pub(super) fn ordered_data_value(&self, field: &str) -> Result<DataValue, Fault> {
        match self.data_value(field)? {
            DataValue::Null | DataValue::Bool(_) => Err(self.fault(format!(
                "`{}` has no order: compare `{field}` with a number or a text in quotes, \
                 or use = or !=",
                self.written()
            ))),
            ordered => Ok(ordered),
        }
    }

    pub(super) fn data_prefix(&self, field: &str) -> Result<String, Fault> {
        match &self.token.kind {
            Kind::Text(text) => Ok(text.clone()),
            _ => Err(self.fault(format!(
                "`{field}` begins with a text: put `{}` in quotes",
                self.written()
            ))),
        }
    }
}

/// A number as JSON writes it.
fn number(word: &str) -> Option<DataValue> {
    let Ok(Value::Number(number)) = serde_json::from_str(word) else {
        return None;
    };
    match whole(&number) {
        Some(whole) => Some(DataValue::Integer(whole)),
        // serde_json may miss the nearest float by one step; the standard library never does.
        None => Finite::new(word.parse().ok()?).map(DataValue::Float),
    }
}
