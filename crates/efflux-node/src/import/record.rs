//! One record of a file, and the readers of all formats behind one iterator.

use std::io::BufRead;
use std::sync::Arc;

use efflux_flow::particle::Particle;

use super::csv::CsvReader;
use super::field::FieldPath;
use super::format::Format;
use super::frames::FrameReader;
use super::json::JsonReader;
use super::limits::RECORD_BYTES_MAX;
use super::lines::{Line, LineReader};
use super::place::{Fault, Malformed, Place};

/// One record of a file.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it begins.
    pub place: Place,
    /// What it holds.
    pub body: Body,
}

/// What a record holds.
#[derive(Clone, Debug)]
pub enum Body {
    /// A JSON text. It is checked when its fields are looked up.
    Json(String),
    /// A row of a table.
    Row {
        /// The names of the columns.
        columns: Arc<[String]>,
        /// The row's values, one a column.
        values: Vec<String>,
    },
    /// The bytes of a line.
    Line(Vec<u8>),
    /// A particle, every byte of which was checked.
    Frame(Box<Particle>),
}

/// What a reader must know beside the format.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RecordOptions {
    /// Where in a JSON document the array of records is.
    pub records: Option<FieldPath>,
    /// What stands between the values of a row; a comma when nothing is said.
    pub delimiter: Option<u8>,
}

impl RecordOptions {
    /// Sets where in a JSON document the array of records is.
    #[must_use]
    pub fn with_records(mut self, path: FieldPath) -> Self {
        self.records = Some(path);
        self
    }

    /// Sets what stands between the values of a row.
    #[must_use]
    pub const fn with_delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }
}

/// The records of a file, one after the other.
///
/// After a [`Malformed`] that `can_go_on` the next record follows; after any other fault, nothing.
pub struct Records {
    reader: Reader,
    is_ended: bool,
}

type Bytes = Box<dyn BufRead + Send>;

enum Reader {
    Ndjson {
        lines: LineReader<Bytes>,
        count: u64,
    },
    Lines {
        lines: LineReader<Bytes>,
        count: u64,
    },
    Json(Box<JsonReader<Bytes>>),
    Csv(Box<CsvReader<Bytes>>),
    Frames(FrameReader<Bytes>),
}

impl Records {
    /// Begins to read a file of this format.
    ///
    /// # Errors
    /// [`Fault`] when the file's beginning cannot be read, as the column names of CSV.
    pub fn new(
        format: Format,
        bytes: Box<dyn BufRead + Send>,
        options: &RecordOptions,
    ) -> Result<Self, Fault> {
        let reader = match format {
            Format::Ndjson => Reader::Ndjson {
                lines: LineReader::new(bytes),
                count: 0,
            },
            Format::Lines => Reader::Lines {
                lines: LineReader::new(bytes),
                count: 0,
            },
            Format::Json => {
                Reader::Json(Box::new(JsonReader::new(bytes, options.records.clone())?))
            }
            Format::Csv => {
                let delimiter = options.delimiter.unwrap_or(b',');
                Reader::Csv(Box::new(CsvReader::new(bytes, delimiter)?))
            }
            Format::Frames => Reader::Frames(FrameReader::new(bytes)),
        };
        Ok(Self {
            reader,
            is_ended: false,
        })
    }

    /// The names of the columns, for a table.
    #[must_use]
    pub fn columns(&self) -> Option<&[String]> {
        match &self.reader {
            Reader::Csv(reader) => Some(reader.columns()),
            _ => None,
        }
    }
}

impl Reader {
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        match self {
            Self::Ndjson { lines, count } => {
                let Some((place, line)) = next_filled_line(lines, count)? else {
                    return Ok(None);
                };
                let text = String::from_utf8(line.bytes).map_err(|error| {
                    not_utf8(place, error.utf8_error().valid_up_to(), error.as_bytes())
                })?;
                Ok(Some(Record {
                    place,
                    body: Body::Json(text),
                }))
            }
            Self::Lines { lines, count } => {
                let Some((place, line)) = next_filled_line(lines, count)? else {
                    return Ok(None);
                };
                Ok(Some(Record {
                    place,
                    body: Body::Line(line.bytes),
                }))
            }
            Self::Json(reader) => reader.next_record(),
            Self::Csv(reader) => reader.next_record(),
            Self::Frames(reader) => reader.next_record(),
        }
    }
}

impl Iterator for Records {
    type Item = Result<Record, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_ended {
            return None;
        }
        let next = self.reader.next().transpose();
        self.is_ended = match &next {
            None | Some(Err(Fault::Io(_))) => true,
            Some(Err(Fault::Malformed(malformed))) => !malformed.can_go_on,
            Some(Ok(_)) => false,
        };
        next
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records")
            .field("is_ended", &self.is_ended)
            .finish_non_exhaustive()
    }
}

/// The next line that is not blank, and its place.
fn next_filled_line<R: BufRead>(
    lines: &mut LineReader<R>,
    count: &mut u64,
) -> Result<Option<(Place, Line)>, Fault> {
    while let Some(line) = lines.next_line()? {
        if line.bytes.trim_ascii().is_empty() {
            continue;
        }
        *count += 1;
        let place = Place {
            record: *count,
            line: Some(line.number),
            ..Place::default()
        };
        if line.is_cut {
            let problem = format!("the line is longer than {RECORD_BYTES_MAX} bytes");
            return Err(Malformed::new(place, problem, &line.bytes).into());
        }
        return Ok(Some((place, line)));
    }
    Ok(None)
}

/// The fault of a record that is no UTF-8 from `at` on.
pub(super) fn not_utf8(mut place: Place, at: usize, text: &[u8]) -> Malformed {
    let byte = text.get(at).copied().unwrap_or_default();
    place.column = Some(place.column.unwrap_or(1) + at as u64);
    Malformed::new(
        place,
        format!("the text is no UTF-8: byte {byte:02x} stands here"),
        text,
    )
}
