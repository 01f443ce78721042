//! How a message becomes a row.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::{Cell, ColumnSource};
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::template::Field;

/// The values of one row: the column's place in the table, ascending, and the value. Columns that
/// are not named keep what they have.
pub(in crate::port) type Row = Vec<(usize, Cell)>;

/// Which columns get which values.
#[derive(Clone, Debug)]
pub(in crate::port) enum Mapping {
    /// These alone.
    Named(Vec<(usize, ColumnSource)>),
    /// The keys of the JSON object that are columns.
    Keys(HashMap<String, usize>),
}

impl Mapping {
    /// What the settings say, of a table with these columns.
    ///
    /// # Errors
    /// The name of the first column that the table does not have.
    pub(in crate::port) fn new(
        settings: &BTreeMap<String, ColumnSource>,
        columns: &[&str],
    ) -> Result<Self, String> {
        if settings.is_empty() {
            let places = columns.iter().enumerate();
            let places = places.map(|(at, name)| ((*name).to_owned(), at));
            return Ok(Self::Keys(places.collect()));
        }
        let mut named = Vec::new();
        for (name, source) in settings {
            let at = columns.iter().position(|column| column == name);
            named.push((at.ok_or_else(|| name.clone())?, source.clone()));
        }
        named.sort_by_key(|(at, _)| *at);
        Ok(Self::Named(named))
    }

    /// The row that a message becomes.
    ///
    /// # Errors
    /// `Rejected` when its payload is not what the columns ask for, or it has no value for any.
    pub(in crate::port) fn row(&self, parcel: &Parcel) -> Result<Row, StageError> {
        let row = match self {
            Self::Named(named) => named_row(named, parcel)?,
            Self::Keys(places) => {
                let mut row = Fields(places).read(&parcel.content()?).map_err(|error| {
                    StageError::rejected(format!("the payload is no JSON object: {error}"))
                })?;
                row.sort_by_key(|(at, _)| *at);
                row
            }
        };
        match row.is_empty() {
            true => Err(StageError::rejected(
                "the message has no value for any column of the table",
            )),
            false => Ok(row),
        }
    }
}

/// Reads a JSON object into a row. What is no column is passed over without being kept.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a HashMap<String, usize>);

impl Fields<'_> {
    fn read(self, json: &[u8]) -> serde_json::Result<Row> {
        let mut from = serde_json::Deserializer::from_slice(json);
        let row = from.deserialize_map(self)?;
        from.end()?;
        Ok(row)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Row, A::Error> {
        let mut row = Row::new();
        while let Some(place) = fields.next_key_seed(Name(self.0))? {
            let Some(at) = place else {
                fields.next_value::<IgnoredAny>()?;
                continue;
            };
            // Of a key that stands twice, the last one counts.
            row.retain(|(other, _)| *other != at);
            row.push((at, Cell::from(fields.next_value::<Value>()?)));
        }
        Ok(row)
    }
}

/// Reads a key: the column's place, if it is one.
struct Name<'a>(&'a HashMap<String, usize>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.get(name).copied())
    }
}

fn named_row(named: &[(usize, ColumnSource)], parcel: &Parcel) -> Result<Row, StageError> {
    let reads_data = named
        .iter()
        .any(|(_, source)| matches!(source, ColumnSource::Field(Field::Data(_))));
    let data = match reads_data {
        true => Some(parcel.json()?),
        false => None,
    };
    let mut row = Row::new();
    for (at, source) in named {
        let cell = match source {
            ColumnSource::Field(Field::Payload) => Some(Cell::Bytes(parcel.content()?)),
            ColumnSource::Field(Field::Data(path)) => {
                data.as_ref().and_then(|data| value_at(data, path))
            }
            ColumnSource::Field(field) => field.of(parcel, None)?.map(Cell::Text),
            ColumnSource::Text(template) => Some(Cell::Text(template.render(parcel)?)),
        };
        row.extend(cell.map(|cell| (*at, cell)));
    }
    Ok(row)
}

fn value_at(data: &Value, path: &[String]) -> Option<Cell> {
    let found = path.iter().try_fold(data, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(elements) => elements.get(name.parse::<usize>().ok()?),
        _ => None,
    });
    found.cloned().map(Cell::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::Message;

    fn row(
        settings: &[(&str, &str)],
        columns: &[&str],
        message: Message,
    ) -> Result<Row, StageError> {
        let settings = settings
            .iter()
            .map(|(name, source)| ((*name).to_owned(), source.parse().unwrap()));
        let mapping = Mapping::new(&settings.collect(), columns).unwrap();
        mapping.row(&Parcel::of_message(message))
    }

    #[test]
    fn keys_that_are_columns_become_values_and_others_are_left_out() {
        let message = Message::new("{\"b\":null,\"a\":\"x\",\"other\":[1]}");
        let row = row(&[], &["a", "b", "c"], message).unwrap();
        assert_eq!(row, [(0, Cell::Text("x".into())), (1, Cell::Null)]);
    }

    #[test]
    fn of_a_key_that_stands_twice_the_last_one_counts() {
        let row = row(&[], &["a"], Message::new("{\"a\":1,\"\\u0061\":\"x\"}")).unwrap();
        assert_eq!(row, [(0, Cell::Text("x".into()))]);
    }

    #[test]
    fn columns_are_filled_from_metadata_paths_and_texts() {
        let message = Message::new("{\"a\":{\"b\":[true]}}").with_property("region", "eu");
        let settings = [
            ("flag", "data.a.b.0"),
            ("region", "properties.region"),
            ("text", "{properties.region}!"),
            ("none", "data.zzz"),
        ];
        let row = row(&settings, &["text", "region", "none", "flag"], message).unwrap();
        let expect = [
            (0, Cell::Text("eu!".into())),
            (1, Cell::Text("eu".into())),
            (3, Cell::Bool(true)),
        ];
        assert_eq!(row, expect);
    }

    #[test]
    fn what_is_no_object_or_has_no_column_is_rejected() {
        for payload in ["[1]", "7", "nonsense", "{}", "{\"zzz\":1}", "{\"a\":1} x"] {
            let error = row(&[], &["a"], Message::new(payload)).unwrap_err();
            assert_eq!(error.kind(), "rejected", "{payload}");
        }
    }
}
