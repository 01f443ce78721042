//! What fits into a column of PostgreSQL, and the text that the server reads it from.

use serde_json::Value;

use crate::port::table::Cell;

/// What fits into a column, as far as it is known without asking the server. All values are sent as
/// texts, which the server casts; what it refuses is found then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Boolean,
    /// Whole numbers up to this one, and down to its opposite minus one.
    Integer(i64),
    Real,
    /// Of 32 bits.
    SmallReal,
    Numeric,
    /// Texts of so many letters.
    Text(Option<usize>),
    Bytes,
    Json,
    Uuid,
    Array,
    /// Whatever its text is; the server judges.
    Other,
}

impl Fit {
    /// By the catalogue: the type's name, its category, and its modifier.
    pub(super) fn of(kind: &str, category: &str, modifier: i32) -> Self {
        match kind {
            "bool" => Self::Boolean,
            "int2" => Self::Integer(i16::MAX.into()),
            "int4" => Self::Integer(i32::MAX.into()),
            "int8" => Self::Integer(i64::MAX),
            "float4" => Self::SmallReal,
            "float8" => Self::Real,
            "numeric" => Self::Numeric,
            // The modifier counts four bytes of length.
            "varchar" | "bpchar" => Self::Text(usize::try_from(modifier - 4).ok()),
            "bytea" => Self::Bytes,
            "json" | "jsonb" => Self::Json,
            "uuid" => Self::Uuid,
            _ if category == "A" => Self::Array,
            _ if category == "S" => Self::Text(None),
            _ => Self::Other,
        }
    }

    /// The text of a value; none for NULL.
    pub(super) fn text(self, cell: Cell) -> Result<Option<String>, String> {
        if cell == Cell::Null {
            return Ok(None);
        }
        let text = match self {
            Self::Boolean => cell.boolean()?.to_string(),
            Self::Integer(max) => {
                let whole = cell.integer()?;
                if whole > max || whole < -max - 1 {
                    return Err(format!("{whole} is not within {} and {max}", -max - 1));
                }
                whole.to_string()
            }
            Self::Real => cell.float().and_then(|_| cell.text())?,
            Self::SmallReal => {
                let number = cell.float()?;
                if number.is_finite() && number.abs() > f32::MAX.into() {
                    return Err(format!("{number} is no number of 32 bits"));
                }
                cell.text()?
            }
            Self::Numeric => cell.float().and_then(|_| cell.text())?,
            Self::Text(letters_max) => short(cell.into_text()?, letters_max)?,
            Self::Bytes => match &cell {
                Cell::Bytes(bytes) => hex(bytes),
                _ => hex(cell.text()?.as_bytes()),
            },
            Self::Json => cell.json()?,
            Self::Uuid => uuid(&cell)?,
            Self::Array => match &cell {
                Cell::Tree(Value::Array(elements)) => array(elements)?,
                _ => cell.text()?,
            },
            Self::Other => cell.into_text()?,
        };
        match text.contains('\0') {
            true => Err("PostgreSQL keeps no text with a zero byte in it".to_owned()),
            false => Ok(Some(text)),
        }
    }
}

fn short(text: String, letters_max: Option<usize>) -> Result<String, String> {
    let Some(max) = letters_max else {
        return Ok(text);
    };
    // Blanks at the end do not count, as in SQL.
    let letters = text.trim_end_matches(' ').chars().count();
    match letters > max {
        true => Err(format!("it has {letters} letters, and {max} fit")),
        false => Ok(text),
    }
}

fn uuid(cell: &Cell) -> Result<String, String> {
    let text = cell.text()?;
    let digits = text.chars().filter(char::is_ascii_hexdigit).count();
    let is_plain = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, '-' | '{' | '}');
    match digits == 32 && text.chars().all(is_plain) {
        true => Ok(text),
        false => Err(format!("{} is no UUID", cell.shown())),
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// An array as PostgreSQL writes it: every element in quotes, but NULL.
fn array(elements: &[Value]) -> Result<String, String> {
    let mut text = String::from("{");
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        match element {
            Value::Null => text.push_str("NULL"),
            Value::Array(inner) => text.push_str(&array(inner)?),
            other => {
                let inner = Cell::from(other.clone()).text()?;
                text.push('"');
                for letter in inner.chars() {
                    if matches!(letter, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(letter);
                }
                text.push('"');
            }
        }
    }
    text.push('}');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(fit: Fit, value: Value) -> Result<Option<String>, String> {
        fit.text(Cell::from(value))
    }

    #[test]
    fn values_that_fit_become_the_texts_that_the_server_reads() {
        let int2 = Fit::of("int2", "N", -1);
        for (fit, value, expect) in [
            (int2, json!(-32768), "-32768"),
            (Fit::Boolean, json!("yes"), "true"),
            (Fit::Text(Some(2)), json!("ab  "), "ab  "),
            (Fit::Text(None), json!([1]), "[1]"),
            (Fit::Bytes, json!("a\\"), "\\x615c"),
            (Fit::Json, json!("a"), "\"a\""),
            (
                Fit::Array,
                json!(["a\"b\\", null, [1]]),
                "{\"a\\\"b\\\\\",NULL,{\"1\"}}",
            ),
            (Fit::Real, json!(1.5), "1.5"),
            (Fit::Numeric, json!("1.50"), "1.50"),
        ] {
            assert_eq!(text(fit, value).unwrap().unwrap(), expect);
        }
        assert_eq!(text(Fit::Json, json!(null)), Ok(None));
    }

    #[test]
    fn values_that_do_not_fit_are_told() {
        for (fit, value) in [
            (Fit::of("int2", "N", -1), json!(32768)),
            (Fit::of("int4", "N", -1), json!(-2_147_483_649_i64)),
            (Fit::of("int8", "N", -1), json!(u64::MAX)),
            (Fit::of("varchar", "S", 6), json!("abc")),
            (Fit::of("float4", "N", -1), json!(1e39)),
            (Fit::of("uuid", "U", -1), json!("not one")),
            (Fit::of("text", "S", -1), json!("a\0b")),
            (Fit::of("bool", "B", -1), json!("perhaps")),
            (Fit::of("numeric", "N", -1), json!("one")),
        ] {
            assert!(text(fit, value.clone()).is_err(), "{fit:?} {value}");
        }
    }
}
