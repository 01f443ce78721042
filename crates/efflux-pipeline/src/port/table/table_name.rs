//! What a table is called.

use std::fmt;
use std::str::FromStr;

/// What a table is called: `orders`, or `sales.orders` with its schema, each as the database has it,
/// capitals included. A name with a dot in it is written in double quotes, as in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::port) struct TableName {
    pub(in crate::port) schema: Option<String>,
    pub(in crate::port) name: String,
}

impl FromStr for TableName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, rest) = part(text)?;
        let Some(rest) = rest else {
            return Ok(Self {
                schema: None,
                name: first,
            });
        };
        match part(rest)? {
            (name, None) => Ok(Self {
                schema: Some(first),
                name,
            }),
            _ => Err(format!("{text:?} has more parts than a schema and a table")),
        }
    }
}

/// The first name, and what follows its dot.
fn part(text: &str) -> Result<(String, Option<&str>), String> {
    let fault = || format!("{text:?} is no name of a table: write TABLE or SCHEMA.TABLE");
    let (name, rest) = match text.strip_prefix('"') {
        None => match text.split_once('.') {
            Some((name, rest)) => (name.to_owned(), Some(rest)),
            None => (text.to_owned(), None),
        },
        Some(inner) => {
            let mut letters = inner.char_indices().peekable();
            let mut name = String::new();
            let end = loop {
                match letters.next() {
                    Some((_, '"')) if letters.next_if(|(_, next)| *next == '"').is_some() => {
                        name.push('"');
                    }
                    Some((at, '"')) => break at + 1,
                    Some((_, letter)) => name.push(letter),
                    None => return Err(fault()),
                }
            };
            match inner.get(end..).unwrap_or_default() {
                "" => (name, None),
                after => (name, Some(after.strip_prefix('.').ok_or_else(fault)?)),
            }
        }
    };
    match name.is_empty() || name.contains('\0') {
        true => Err(fault()),
        false => Ok((name, rest)),
    }
}

/// An identifier as it stands in SQL.
pub(in crate::port) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl TableName {
    /// Another table in the same schema.
    pub(in crate::port) fn beside(&self, name: &str) -> Self {
        Self {
            schema: self.schema.clone(),
            name: name.to_owned(),
        }
    }

    /// The name as it stands in SQL.
    pub(in crate::port) fn sql(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(&self.name)),
            None => quoted(&self.name),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_whatever_they_hold() {
        let sql = |text: &str| text.parse::<TableName>().map(|name| name.sql());
        assert_eq!(sql("orders").unwrap(), "\"orders\"");
        assert_eq!(sql("Sales.orders").unwrap(), "\"Sales\".\"orders\"");
        assert_eq!(sql("\"a.b\".\"c\"\"d\"").unwrap(), "\"a.b\".\"c\"\"d\"");
        assert_eq!(
            sql("x\"; DROP TABLE y; --").unwrap(),
            "\"x\"\"; DROP TABLE y; --\""
        );
        for text in ["", ".", "a.", "a.b.c", "\"a", "\"a\"b", "a\0"] {
            assert!(sql(text).is_err(), "{text:?}");
        }
    }
}
