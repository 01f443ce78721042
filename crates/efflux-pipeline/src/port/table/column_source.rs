//! Where a column's values come from.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use crate::template::{Field, Template};

/// Where a column's values come from: a field of the message, as in `properties.region` or
/// `data.total`, or a text with fields in braces, as in `{data.country}-{id}`.
///
/// A message that lacks the field leaves the column as it is: at its default, or at the value that
/// the row has already. A `null` in the data is written as NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSource {
    /// A field; a value from JSON keeps its type.
    Field(Field),
    /// A text.
    Text(Template),
}

impl FromStr for ColumnSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(['{', '}']) {
            let template = text.parse().map(Self::Text);
            return template.map_err(|error: crate::template::TemplateError| error.to_string());
        }
        text.parse().map(Self::Field)
    }
}

impl<'de> Deserialize<'de> for ColumnSource {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(feature = "file")]
impl schemars::JsonSchema for ColumnSource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ColumnSource".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A field of the message (id, timestamp, payload, properties.NAME, \
                            data.PATH, …), or a text with fields in braces."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_texts_are_told_apart() {
        let source = |text: &str| text.parse::<ColumnSource>();
        assert!(matches!(source("data.a.b"), Ok(ColumnSource::Field(_))));
        assert!(matches!(source("x-{id}"), Ok(ColumnSource::Text(_))));
        assert!(source("total").unwrap_err().contains("data.PATH"));
        assert!(source("{total}").unwrap_err().contains("no field"));
    }
}
