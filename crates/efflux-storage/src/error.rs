//! What went wrong, and what the caller can do about it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use efflux_particle::{MessageError, NameError, Sequence, TopicName};

/// The result of a storage operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself is wrong: change it. Nothing was changed.
    Invalid,
    /// What was asked for is not there.
    NotFound,
    /// The expectation does not hold, the id is taken by another payload, the name exists, or
    /// another process writes. Nothing was changed.
    Conflict,
    /// It may work later: the system is busy, or input and output failed.
    Unavailable,
    /// No space is left. Free some and reopen.
    Full,
    /// Stored bytes are damaged; the error names the place. See [`Error::damage`].
    Corrupt,
    /// The topic or store is closed: after a failed write or sync, until it is opened again.
    Closed,
}

/// What went wrong: its kind, what happened and where, and what to do.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    may_have_applied: bool,
    damage: Option<Box<Damage>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Where stored bytes are damaged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The topic.
    pub topic: TopicName,
    /// The damaged file's name within the topic, as in `00000000000000000000.seg`.
    pub file: String,
    /// Byte offset in that file.
    pub offset: u64,
    /// The sequence of the particle that is damaged or missing there, where it is known.
    pub sequence: Option<Sequence>,
    /// What was expected and what was found.
    pub problem: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "topic={} segment={} offset={}",
            self.topic, self.file, self.offset
        )?;
        if let Some(sequence) = self.sequence {
            write!(f, " sequence={sequence}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl Error {
    /// An error of this kind; the message says what happened, where, and what to do.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            may_have_applied: false,
            damage: None,
            source: None,
        }
    }

    /// The request itself is wrong.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// What was asked for is not there.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// An expectation does not hold.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// The topic or store is closed.
    #[must_use]
    pub fn closed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Closed, message)
    }

    /// Stored bytes are damaged.
    #[must_use]
    pub fn corrupt(damage: Damage) -> Self {
        let message = damage.to_string();
        Self {
            damage: Some(Box::new(damage)),
            ..Self::new(ErrorKind::Corrupt, message)
        }
    }

    /// Input or output failed while doing `what`.
    #[must_use]
    pub fn io(what: impl Into<String>, source: io::Error) -> Self {
        let what = what.into();
        let (kind, advice) = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
                ErrorKind::Full,
                ": free some space, then open the store again",
            ),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => (
                ErrorKind::Invalid,
                ": check the permissions of the store's folder",
            ),
            _ => (ErrorKind::Unavailable, ""),
        };
        Self::new(kind, format!("{what}: {source}{advice}")).with_source(source)
    }

    /// Writing failed while doing `what`: the change may or may not have reached the disk.
    #[must_use]
    pub fn write(what: impl Into<String>, source: io::Error) -> Self {
        let mut error = Self::io(what, source);
        if error.kind != ErrorKind::Full {
            error.kind = ErrorKind::Unavailable;
        }
        error.with_may_have_applied()
    }

    /// Adds the error beneath this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says that the change may have been applied although this error came back.
    #[must_use]
    pub const fn with_may_have_applied(mut self) -> Self {
        self.may_have_applied = true;
        self
    }

    /// What the caller can do.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The damaged place, for [`ErrorKind::Corrupt`].
    #[must_use]
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_deref()
    }

    /// Whether the same call may succeed when it is made again, unchanged.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable)
    }

    /// Whether the change may have been applied although this error came back. Appending the same
    /// messages again with their ids is then safe: what is there already is not added twice.
    #[must_use]
    pub const fn may_have_applied(&self) -> bool {
        self.may_have_applied
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<MessageError> for Error {
    fn from(error: MessageError) -> Self {
        Self::invalid(error.to_string()).with_source(error)
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::invalid(error.to_string()).with_source(error)
    }
}
