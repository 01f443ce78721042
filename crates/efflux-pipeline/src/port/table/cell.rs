//! One value of a row, as the message has it.

use bytes::Bytes;
use serde_json::{Number, Value};

/// One value of a row, as the message has it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::port) enum Cell {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    /// A payload, which may be text or not.
    Bytes(Bytes),
    /// An array or object.
    Tree(Value),
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(value) => Self::Number(value),
            Value::String(value) => Self::Text(value),
            tree @ (Value::Array(_) | Value::Object(_)) => Self::Tree(tree),
        }
    }
}

impl Cell {
    /// What it is, for who is told that it does not fit. Long texts are told by their beginning.
    pub(in crate::port) fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => format!("the number {value}"),
            Self::Text(text) => match text.char_indices().nth(40) {
                Some((end, _)) => format!("the text {:?}…", text.get(..end).unwrap_or_default()),
                None => format!("the text {text:?}"),
            },
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Self::Tree(Value::Array(_)) => "an array".to_owned(),
            Self::Tree(_) => "an object".to_owned(),
        }
    }

    /// Its text; a tree as JSON.
    ///
    /// # Errors
    /// Says why it is no text.
    pub(in crate::port) fn text(&self) -> Result<String, String> {
        Ok(match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => utf8(bytes)?.to_owned(),
            Self::Tree(value) => value.to_string(),
        })
    }

    /// Its text, without copying one.
    ///
    /// # Errors
    /// Says why it is no text.
    #[cfg(feature = "postgres")]
    pub(in crate::port) fn into_text(self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text),
            other => other.text(),
        }
    }

    /// It as JSON: texts as JSON strings, a payload as the JSON that it is.
    ///
    /// # Errors
    /// Says why the payload is no JSON.
    pub(in crate::port) fn json(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(Value::from(text.as_str()).to_string()),
            Self::Bytes(bytes) => {
                let text = utf8(bytes)?;
                let checked = serde_json::from_str::<serde::de::IgnoredAny>(text);
                checked.map_err(|error| format!("the payload is no JSON: {error}"))?;
                Ok(text.to_owned())
            }
            other => other.text(),
        }
    }

    /// A whole number of 64 bits.
    ///
    /// # Errors
    /// Says that it is none.
    pub(in crate::port) fn integer(&self) -> Result<i64, String> {
        let found = match self {
            Self::Number(number) => number.as_i64().or_else(|| whole(number)),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Bytes(bytes) => utf8(bytes)?.trim().parse().ok(),
            _ => None,
        };
        found.ok_or_else(|| format!("{} is no whole number of 64 bits", self.shown()))
    }

    /// A number with a fraction.
    ///
    /// # Errors
    /// Says that it is none.
    pub(in crate::port) fn float(&self) -> Result<f64, String> {
        let found = match self {
            Self::Number(number) => number.as_f64(),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Bytes(bytes) => utf8(bytes)?.trim().parse().ok(),
            _ => None,
        };
        found.ok_or_else(|| format!("{} is no number", self.shown()))
    }

    /// Yes or no.
    ///
    /// # Errors
    /// Says that it is neither.
    pub(in crate::port) fn boolean(&self) -> Result<bool, String> {
        let text = match self {
            Self::Bool(value) => return Ok(*value),
            Self::Number(_) | Self::Text(_) | Self::Bytes(_) => self.text()?,
            _ => String::new(),
        };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
            _ => Err(format!("{} is neither true nor false", self.shown())),
        }
    }
}

/// A number such as `3.0`, which JSON does not tell from `3`, below the bound where a float no
/// longer holds every whole number.
fn whole(number: &Number) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let number = number.as_f64()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole and within 53 bits"
    )]
    (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then_some(number as i64)
}

fn utf8(bytes: &Bytes) -> Result<&str, String> {
    std::str::from_utf8(bytes)
        .map_err(|error| format!("the payload is no UTF-8 text: byte {}", error.valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_whole_or_refused() {
        let integer = |value: Value| Cell::from(value).integer();
        assert_eq!(integer(json!(7)), Ok(7));
        assert_eq!(integer(json!(7.0)), Ok(7));
        assert_eq!(integer(json!(" 7 ")), Ok(7));
        for value in [
            json!(7.5),
            json!("seven"),
            json!(u64::MAX),
            json!([7]),
            json!(1e300),
        ] {
            assert!(integer(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn what_is_shown_is_short() {
        assert!(Cell::Text("x".repeat(9999)).shown().len() < 70);
    }

    #[test]
    fn texts_become_json_strings_and_payloads_stay_json() {
        assert_eq!(Cell::Text("a\"b".into()).json().unwrap(), "\"a\\\"b\"");
        assert_eq!(
            Cell::Bytes("{\"a\": 1}".into()).json().unwrap(),
            "{\"a\": 1}"
        );
        assert!(Cell::Bytes("nonsense".into()).json().is_err());
    }
}
