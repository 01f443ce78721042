//! The formats of files, and how a file's format is told.

use std::fmt;
use std::io::{self, BufRead};
use std::path::Path;
use std::str::FromStr;

use efflux_flow::particle::HEADER_ID;
use thiserror::Error;

use super::limits::SNIFF_BYTES;

/// How records stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON value a line.
    Ndjson,
    /// One JSON document: an array of records, or an object that holds one.
    Json,
    /// Comma-separated values with a line of column names.
    Csv,
    /// One record a line, whatever it holds.
    Lines,
    /// Frames of particles, as `efflux export` writes them.
    Frames,
}

/// A name that is no format.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("format {0:?} is unknown: use ndjson, json, csv, lines or frames")]
pub struct FormatError(String);

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [
        Self::Ndjson,
        Self::Json,
        Self::Csv,
        Self::Lines,
        Self::Frames,
    ];

    /// The name as the command line has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Lines => "lines",
            Self::Frames => "frames",
        }
    }

    /// The format of a file, told by its beginning and its name; none when it cannot be told.
    ///
    /// # Errors
    /// The file's own error.
    pub fn detect(path: Option<&Path>, reader: &mut dyn BufRead) -> io::Result<Option<Self>> {
        let beginning = reader.fill_buf()?;
        let beginning = beginning.get(..SNIFF_BYTES).unwrap_or(beginning);
        let beginning = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
        if beginning.starts_with(&HEADER_ID) {
            return Ok(Some(Self::Frames));
        }
        let extension = path.and_then(extension);
        Ok(match extension.as_deref() {
            Some("ndjson" | "jsonl" | "ldjson") => Some(Self::Ndjson),
            Some("csv" | "tsv") => Some(Self::Csv),
            Some("txt" | "log") => Some(Self::Lines),
            Some("frames" | "efflux" | "seg") => Some(Self::Frames),
            Some("json" | "geojson") => Some(json_or_ndjson(beginning)),
            _ if beginning.is_empty() => Some(Self::Lines),
            _ => by_beginning(beginning),
        })
    }
}

/// The last extension in lower case, `.gz` passed over.
fn extension(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.')
        .map(|(_, extension)| extension.to_owned())
}

/// Two lines that each hold one whole value are NDJSON, whatever the file is called.
fn json_or_ndjson(beginning: &[u8]) -> Format {
    let mut lines = beginning
        .split(|byte| *byte == b'\n')
        .filter(|line| !is_blank(line));
    match (lines.next(), lines.next()) {
        (Some(first), Some(second)) if is_object(first) && starts_with(second, b"{") => {
            Format::Ndjson
        }
        _ => Format::Json,
    }
}

fn by_beginning(beginning: &[u8]) -> Option<Format> {
    let first = beginning
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    if starts_with(beginning, b"{") {
        let is_line = is_object(first);
        return Some(if is_line {
            Format::Ndjson
        } else {
            json_or_ndjson(beginning)
        });
    }
    let inside = beginning
        .trim_ascii_start()
        .strip_prefix(b"[")?
        .trim_ascii_start();
    starts_with(inside, b"{").then_some(Format::Json)
}

fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(prefix)
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

fn is_object(line: &[u8]) -> bool {
    starts_with(line, b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let named = Self::ALL.into_iter().find(|format| format.as_str() == text);
        match text {
            "jsonl" => Ok(Self::Ndjson),
            "geojson" => Ok(Self::Json),
            _ => named.ok_or_else(|| FormatError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, beginning: &[u8], expect: Option<Format>) {
        let path = (name != "-").then(|| Path::new(name));
        let found = Format::detect(path, &mut &beginning[..]).unwrap();
        assert_eq!(
            found,
            expect,
            "{name}: {}",
            String::from_utf8_lossy(beginning)
        );
    }

    #[test]
    fn names_tell_the_format() {
        check("a.ndjson", b"", Some(Format::Ndjson));
        check("a.JSONL.gz", b"x", Some(Format::Ndjson));
        check("a.csv", b"[", Some(Format::Csv));
        check("a.log", b"{", Some(Format::Lines));
        check("a.json", b"[1]", Some(Format::Json));
        check("a.json", b"{\"a\":1}\n{\"a\":2}\n", Some(Format::Ndjson));
        check("a.json", b"{\n \"a\":1}\n", Some(Format::Json));
    }

    #[test]
    fn the_beginning_tells_it_where_the_name_does_not() {
        check("-", b"\x05\x01\x14\x29\x83\x0arest", Some(Format::Frames));
        check(
            "a.csv",
            b"\x05\x01\x14\x29\x83\x0arest",
            Some(Format::Frames),
        );
        check("-", b"{\"a\":1}\n", Some(Format::Ndjson));
        check("-", b"{\"a\":1}", Some(Format::Ndjson));
        check("-", b"{\n  \"a\":1\n}", Some(Format::Json));
        check("-", b" [\n {\"a\":1}", Some(Format::Json));
        check("-", b"[2026-01-01] started", None);
        check("-", b"hello", None);
    }
}
