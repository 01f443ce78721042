//! Tables in CSV, as RFC 4180 has them, with names in their first row.

#[cfg(feature = "split")]
mod single;

use std::collections::HashSet;

use csv::{ByteRecord, ReaderBuilder, WriterBuilder};

use crate::byte_order_mark::without_byte_order_mark;
use crate::stage_error::StageError;
use crate::transform::limits::COLUMNS_MAX;

/// How a table is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableForm {
    separator: u8,
}

/// A table that is read row by row.
///
/// - It is UTF-8, with or without a byte order mark.
/// - Its first row has names, each once; every other row has as many fields.
pub(super) struct Table<'a> {
    reader: csv::Reader<&'a [u8]>,
    names: ByteRecord,
    /// The names as they stand in a JSON object, colon included.
    keys: Vec<String>,
    row: ByteRecord,
}

/// A row of a table.
pub(super) struct Row<'a, 'b> {
    table: &'a Table<'b>,
}

impl TableForm {
    /// Tables with this character between fields; a comma for none.
    pub(super) fn new(separator: Option<&str>) -> Result<Self, StageError> {
        let separator = match separator.unwrap_or(",").as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => *byte,
            _ => {
                return Err(StageError::fatal(
                    "the separator is no single ASCII character, or is a quote or a line's end",
                ));
            }
        };
        Ok(Self { separator })
    }

    /// A writer of tables of this form.
    pub(super) fn writer(self) -> csv::Writer<Vec<u8>> {
        WriterBuilder::new()
            .delimiter(self.separator)
            .from_writer(Vec::new())
    }
}

impl<'a> Table<'a> {
    /// Reads the first row.
    pub(super) fn read(content: &'a [u8], form: TableForm) -> Result<Self, StageError> {
        let content = without_byte_order_mark(content);
        if let Err(error) = std::str::from_utf8(content) {
            return Err(StageError::rejected(format!(
                "the table is no UTF-8 text: byte {} does not fit; a table in another encoding, \
                 such as Latin-1, has to be converted first",
                error.valid_up_to()
            )));
        }
        let mut reader = ReaderBuilder::new()
            .delimiter(form.separator)
            .from_reader(content);
        let names = reader.byte_headers().map_err(malformed)?.clone();
        if names.len() > COLUMNS_MAX {
            return Err(StageError::rejected(format!(
                "the table has {} columns, more than {COLUMNS_MAX}",
                names.len()
            )));
        }
        let mut once = HashSet::new();
        for name in &names {
            if !once.insert(name) {
                return Err(StageError::rejected(format!(
                    "the table has two columns with the name {:?}",
                    String::from_utf8_lossy(name)
                )));
            }
        }
        let keys = names
            .iter()
            .map(|name| format!("{}:", json_text(name)))
            .collect();
        Ok(Self {
            reader,
            names,
            keys,
            row: ByteRecord::new(),
        })
    }

    /// The next row.
    pub(super) fn row(&mut self) -> Result<Option<Row<'_, 'a>>, StageError> {
        let there_is = self
            .reader
            .read_byte_record(&mut self.row)
            .map_err(|error| ragged(error, self.names.len()))?;
        Ok(there_is.then_some(Row { table: self }))
    }
}

impl Row<'_, '_> {
    /// A JSON object with all fields as texts, in the table's order.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(self.table.row.as_slice().len() * 2);
        json.push(b'{');
        for (place, (key, field)) in self.table.keys.iter().zip(&self.table.row).enumerate() {
            if place > 0 {
                json.push(b',');
            }
            json.extend_from_slice(key.as_bytes());
            json.extend_from_slice(json_text(field).as_bytes());
        }
        json.push(b'}');
        json
    }
}

/// A text as JSON; the bytes are known to be UTF-8.
fn json_text(text: &[u8]) -> String {
    serde_json::Value::from(String::from_utf8_lossy(text)).to_string()
}

/// What is wrong with a table whose first row has `columns` fields.
fn ragged(error: csv::Error, columns: usize) -> StageError {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, len, .. } => StageError::rejected(format!(
            "line {} of the table has {len} fields, and the first row has {columns}",
            pos.as_ref().map_or(0, csv::Position::line)
        )),
        _ => malformed(error),
    }
}

/// What is wrong with a table.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands in place of the error"
)]
pub(super) fn malformed(error: csv::Error) -> StageError {
    StageError::rejected(format!("the table cannot be read: {error}"))
}
