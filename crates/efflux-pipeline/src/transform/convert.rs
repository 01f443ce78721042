//! One form of a payload into another: CSV and JSON, compressed and not.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use efflux_storage::particle::ContentEncoding;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::transform::Transform;
use crate::transform::limits::COLUMNS_MAX;
use crate::transform::part::part;
use crate::transform::table::{Table, TableForm, malformed};

/// What a payload is converted to.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConvertSettings {
    /// A table in CSV to a JSON array of objects: the names of the first row, and the fields as texts.
    CsvToJson(CsvSettings),
    /// A JSON array of objects, or one object, to a table in CSV.
    JsonToCsv(JsonToCsvSettings),
    /// The payload compressed, and marked as such in the metadata.
    Compress(Compression),
    /// A compressed payload as it was before.
    Decompress(Decompress),
}

/// How a table is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct CsvSettings {
    /// The character between two fields; a comma without it.
    pub separator: Option<String>,
}

/// How a table is made of JSON.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct JsonToCsvSettings {
    /// The character between two fields; a comma without it.
    pub separator: Option<String>,
    /// The columns, in their order; what else an object has is left out. Without it all names that
    /// any object has, in alphabetical order.
    pub columns: Option<Vec<String>>,
}

/// A way to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878; for builds with the feature `zstd` of efflux-particle.
    Zstd,
}

/// How a compressed payload is made plain. There is nothing to set: the metadata say how it is
/// compressed, and a payload that is not stays as it is.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Decompress {}

/// Makes one message of one, with another form of the same content.
#[derive(Clone, Debug)]
pub struct Convert {
    settings: ConvertSettings,
}

impl Convert {
    /// A step with these settings.
    ///
    /// # Errors
    /// `Fatal` when a setting makes no sense.
    pub fn new(settings: ConvertSettings) -> Result<Self, StageError> {
        match &settings {
            ConvertSettings::CsvToJson(csv) => {
                TableForm::new(csv.separator.as_deref())?;
            }
            ConvertSettings::JsonToCsv(csv) => {
                TableForm::new(csv.separator.as_deref())?;
                if csv.columns.as_ref().is_some_and(Vec::is_empty) {
                    return Err(StageError::fatal(
                        "a table without columns cannot be written",
                    ));
                }
            }
            ConvertSettings::Compress(_) | ConvertSettings::Decompress(_) => {}
        }
        Ok(Self { settings })
    }
}

impl Transform for Convert {
    fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        match &self.settings {
            ConvertSettings::CsvToJson(settings) => {
                let json = to_json(settings, &input, out.bytes_left())?;
                out.push(part(&input.message, json, "application/json"))
            }
            ConvertSettings::JsonToCsv(settings) => out.push(part(
                &input.message,
                to_csv(settings, &input, out.bytes_left())?,
                "text/csv",
            )),
            ConvertSettings::Compress(compression) => {
                let encoding = compression.encoding();
                let compressed = encoding
                    .encode(&input.content()?)
                    .map_err(StageError::fatal)?;
                let message = input.message.with_content_encoding(encoding);
                out.push(message.with_payload(compressed))
            }
            ConvertSettings::Decompress(_) => {
                let content = input.content()?;
                let message = input.message.without_content_encoding();
                out.push(message.with_payload(content))
            }
        }
    }
}

impl Compression {
    const fn encoding(self) -> ContentEncoding {
        match self {
            Self::Gzip => ContentEncoding::Gzip,
            Self::Zstd => ContentEncoding::Zstd,
        }
    }
}

fn to_json(
    settings: &CsvSettings,
    input: &Parcel,
    bytes_max: usize,
) -> Result<Vec<u8>, StageError> {
    let content = input.content()?;
    let mut table = Table::read(&content, TableForm::new(settings.separator.as_deref())?)?;
    let mut json = vec![b'['];
    while let Some(row) = table.row()? {
        if json.len() > 1 {
            json.extend_from_slice(b",\n");
        }
        json.extend_from_slice(&row.to_json());
        if json.len() > bytes_max {
            return Err(StageError::rejected(format!(
                "the table becomes more than {bytes_max} bytes of JSON"
            )));
        }
    }
    json.push(b']');
    Ok(json)
}

fn to_csv(
    settings: &JsonToCsvSettings,
    input: &Parcel,
    bytes_max: usize,
) -> Result<Vec<u8>, StageError> {
    let content = input.content()?;
    let rows = objects(&content)?;
    let columns: Vec<&str> = match &settings.columns {
        Some(columns) => columns.iter().map(String::as_str).collect(),
        None => {
            let names: BTreeSet<&str> = rows
                .iter()
                .flat_map(BTreeMap::keys)
                .map(String::as_str)
                .collect();
            names.into_iter().collect()
        }
    };
    if columns.is_empty() || columns.len() > COLUMNS_MAX {
        return Err(StageError::rejected(format!(
            "the objects have {} names, and a table has 1 to {COLUMNS_MAX} columns",
            columns.len()
        )));
    }
    let mut writer = TableForm::new(settings.separator.as_deref())?.writer();
    writer.write_record(&columns).map_err(malformed)?;
    for row in &rows {
        let fields = columns
            .iter()
            .map(|column| field(row.get(*column).copied()));
        let fields: Vec<Cow<'_, str>> = fields.collect();
        writer
            .write_record(fields.iter().map(|field| field.as_bytes()))
            .map_err(malformed)?;
        // A row of many columns is long though its object is small.
        if writer.get_ref().len() > bytes_max {
            return Err(StageError::rejected(format!(
                "the objects become more than {bytes_max} bytes of CSV"
            )));
        }
    }
    writer
        .into_inner()
        .map_err(|error| StageError::rejected(error.to_string()))
}

/// A JSON object, whose values stay as they stand: no number loses a digit.
type Row<'a> = BTreeMap<String, &'a RawValue>;

fn objects(content: &[u8]) -> Result<Vec<Row<'_>>, StageError> {
    let no_json = |error| StageError::rejected(format!("the payload is no JSON: {error}"));
    let whole: &RawValue = serde_json::from_slice(content).map_err(no_json)?;
    let elements = match whole.get().starts_with('[') {
        true => serde_json::from_str(whole.get()).map_err(no_json)?,
        false => vec![whole],
    };
    let mut rows = Vec::with_capacity(elements.len());
    for (place, element) in elements.into_iter().enumerate() {
        let row = serde_json::from_str(element.get()).map_err(|_| {
            StageError::rejected(format!(
                "element {place} is no JSON object, so it is no row of a table"
            ))
        });
        rows.push(row?);
    }
    Ok(rows)
}

/// A value as a field: texts as they are, nothing for null, everything else as JSON.
fn field(value: Option<&RawValue>) -> Cow<'_, str> {
    match value.map(RawValue::get) {
        None | Some("null") => Cow::Borrowed(""),
        Some(text) if text.starts_with('"') => match serde_json::from_str(text) {
            Ok(text) => Cow::Owned(text),
            Err(_) => Cow::Borrowed(text),
        },
        Some(other) => Cow::Borrowed(other),
    }
}

#[cfg(test)]
mod tests;
