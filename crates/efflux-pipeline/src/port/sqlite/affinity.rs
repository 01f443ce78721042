//! What a column of SQLite takes, by the type that it was declared with.

use rusqlite::types::Value;

use crate::port::table::Cell;

/// What a column takes, by the type that it was declared with. SQLite itself would keep a text in a
/// column of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affinity {
    Boolean,
    Integer,
    Real,
    /// Whole or not.
    Number,
    Text,
    Json,
    Blob,
    /// Whatever the message has: times, and types that SQLite does not know.
    Any,
}

impl Affinity {
    /// By the rules of SQLite, and for the types that people write in its place.
    pub(super) fn of(declared: &str) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
        match () {
            () if has(&["BOOL"]) => Self::Boolean,
            () if has(&["INT"]) => Self::Integer,
            () if has(&["CHAR", "CLOB", "TEXT"]) => Self::Text,
            () if has(&["BLOB"]) => Self::Blob,
            () if has(&["REAL", "FLOA", "DOUB"]) => Self::Real,
            () if has(&["NUM", "DEC"]) => Self::Number,
            () if has(&["JSON"]) => Self::Json,
            () => Self::Any,
        }
    }

    /// The value as SQLite keeps it.
    pub(super) fn fit(self, cell: &Cell) -> Result<Value, String> {
        if *cell == Cell::Null {
            return Ok(Value::Null);
        }
        Ok(match self {
            Self::Boolean => Value::Integer(cell.boolean()?.into()),
            Self::Integer => match cell {
                Cell::Bool(value) => Value::Integer((*value).into()),
                _ => Value::Integer(cell.integer()?),
            },
            Self::Real => Value::Real(cell.float()?),
            Self::Number => match cell.integer() {
                Ok(whole) => Value::Integer(whole),
                Err(_) => Value::Real(cell.float()?),
            },
            Self::Text => Value::Text(cell.text()?),
            Self::Json => Value::Text(cell.json()?),
            Self::Blob => match cell {
                Cell::Bytes(bytes) => Value::Blob(bytes.to_vec()),
                _ => Value::Blob(cell.text()?.into_bytes()),
            },
            Self::Any => any(cell)?,
        })
    }
}

fn any(cell: &Cell) -> Result<Value, String> {
    Ok(match cell {
        Cell::Bool(value) => Value::Integer((*value).into()),
        Cell::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Real(cell.float()?),
        },
        Cell::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(bytes.to_vec()),
        },
        _ => Value::Text(cell.text()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_declared_type_says_what_a_column_takes() {
        for (declared, expect) in [
            ("INTEGER", Affinity::Integer),
            ("bigint", Affinity::Integer),
            ("VARCHAR(20)", Affinity::Text),
            ("DOUBLE PRECISION", Affinity::Real),
            ("DECIMAL(10,2)", Affinity::Number),
            ("BOOLEAN", Affinity::Boolean),
            ("TIMESTAMP", Affinity::Any),
            ("", Affinity::Any),
            ("JSONB", Affinity::Json),
        ] {
            assert_eq!(Affinity::of(declared), expect, "{declared}");
        }
    }

    #[test]
    fn values_that_do_not_fit_are_told() {
        let fit = |declared: &str, value| Affinity::of(declared).fit(&Cell::from(value));
        assert_eq!(fit("INT", json!("12")), Ok(Value::Integer(12)));
        assert_eq!(fit("NUMERIC", json!("1.5")), Ok(Value::Real(1.5)));
        assert_eq!(fit("JSON", json!("a")), Ok(Value::Text("\"a\"".into())));
        assert_eq!(
            fit("TEXT", json!({"a":1})),
            Ok(Value::Text("{\"a\":1}".into()))
        );
        assert_eq!(fit("INT", json!(null)), Ok(Value::Null));
        for (declared, value) in [
            ("INT", json!("twelve")),
            ("INT", json!(1.5)),
            ("INT", json!(u64::MAX)),
            ("REAL", json!("x")),
            ("BOOLEAN", json!("maybe")),
            ("NUMERIC", json!([1])),
        ] {
            assert!(fit(declared, value.clone()).is_err(), "{declared} {value}");
        }
    }
}
