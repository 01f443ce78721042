//! Files of records, read one record at a time, and the messages they become.
//!
//! ```text
//! Source ─ bytes ─▶ Records ─ Record ─▶ Mapping ─ Message ─▶ a topic
//! (file, stdin,     (NDJSON, JSON,      (fields to
//!  gzip)             CSV, lines,         metadata)
//!                    frames)
//! ```
//!
//! Nothing is ever held as a whole: a reader keeps one record in memory, whatever the file's size.

mod limits;

mod place;

mod source;

mod format;

mod field;

mod lines;

mod scanner;

mod json;

mod csv;

mod frames;

mod record;

mod time;

mod identity;

mod mapping;

pub use self::csv::CsvReader;
pub use field::{FieldError, FieldPath};
pub use format::{Format, FormatError};
pub use frames::FrameReader;
pub use identity::derived_id;
pub use json::JsonReader;
pub use limits::RECORD_BYTES_MAX;
pub use lines::{Line, LineReader};
pub use mapping::{Mapping, PropertyRule};
pub use place::{Fault, Malformed, Place};
pub use record::{Body, Record, RecordOptions, Records};
pub use source::{BytesRead, Source};
pub use time::{TimeFormat, TimeFormatError};
