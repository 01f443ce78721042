//! Where in a file something stands, and what is wrong there.

use std::fmt;
use std::io;

use thiserror::Error;

use super::limits::EXCERPT_BYTES_MAX;

/// Where in a file a record begins, or a fault lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The record's number, 1 for the first.
    pub record: u64,
    /// The line, 1 for the first; none in binary files.
    pub line: Option<u64>,
    /// The column in bytes, 1 for the first.
    pub column: Option<u64>,
    /// The byte offset in a binary file.
    pub offset: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column, self.offset) {
            (Some(line), Some(column), _) => write!(f, "{line}:{column}"),
            (Some(line), None, _) => write!(f, "{line}"),
            (None, _, Some(offset)) => write!(f, "offset={offset}"),
            _ => write!(f, "record {}", self.record),
        }
    }
}

/// A record that cannot become a message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct Malformed {
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    pub problem: String,
    /// The record's text, shortened when it is long.
    pub text: String,
    /// Whether the reader can go on with the next record.
    pub can_go_on: bool,
    /// Whether sealed bytes do not check, as in a frame that was altered.
    pub is_altered: bool,
}

impl Malformed {
    /// A fault that leaves the reader able to go on.
    #[must_use]
    pub fn new(place: Place, problem: impl Into<String>, text: &[u8]) -> Self {
        Self {
            place,
            problem: problem.into(),
            text: excerpt(text),
            can_go_on: true,
            is_altered: false,
        }
    }

    /// Says that nothing after it can be read.
    #[must_use]
    pub fn at_an_end(mut self) -> Self {
        self.can_go_on = false;
        self
    }

    /// Says that sealed bytes do not check.
    #[must_use]
    pub fn altered(mut self) -> Self {
        self.is_altered = true;
        self
    }
}

/// Why no next record came.
#[derive(Debug, Error)]
pub enum Fault {
    /// The record is malformed.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Reading the file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The beginning of a record's text.
fn excerpt(text: &[u8]) -> String {
    let head = text.get(..EXCERPT_BYTES_MAX).unwrap_or(text);
    let mut excerpt = String::from_utf8_lossy(head).into_owned();
    if head.len() < text.len() {
        excerpt.push('…');
    }
    excerpt
}
