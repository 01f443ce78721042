//! Why a stage failed, told so that whoever runs the pipeline can decide what follows.

use std::error::Error;
use std::time::Duration;

use efflux_storage::ErrorKind;
use thiserror::Error;

type Source = Box<dyn Error + Send + Sync>;

/// Why a stage failed.
///
/// A stage never retries, never logs and goes on, and never drops anything: it says what went
/// wrong, and the pipeline's error policy decides (retry with backoff and an end, dead-letter,
/// skip, stop).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StageError {
    /// The same input may work later: a connection was lost, the target is busy.
    #[error("{}; it may work later", plain(source))]
    Unavailable {
        /// What went wrong.
        source: Source,
        /// How long the target asked to be left alone, if it did.
        after: Option<Duration>,
    },
    /// This input will never work: it is malformed, or the target refuses it.
    #[error("{}", plain(.0))]
    Rejected(#[source] Source),
    /// No input will work: the settings are wrong, credentials are refused.
    #[error("{}; the pipeline cannot go on", plain(.0))]
    Fatal(#[source] Source),
}

impl StageError {
    /// The same input may work later.
    #[must_use]
    pub fn unavailable(source: impl Into<Source>) -> Self {
        Self::Unavailable {
            source: source.into(),
            after: None,
        }
    }

    /// The same input may work once this time is over, as the target itself says.
    #[must_use]
    pub fn unavailable_for(source: impl Into<Source>, after: Duration) -> Self {
        Self::Unavailable {
            source: source.into(),
            after: Some(after),
        }
    }

    /// This very input failed at a target that is there: others may get through. It is tried again a
    /// number of times, and not for as long as a target may be away.
    #[must_use]
    pub fn failed_by_itself(what: impl Into<String>, after: Option<Duration>) -> Self {
        Self::Unavailable {
            source: Box::new(ByItself(what.into())),
            after,
        }
    }

    /// Whether this very input failed at a target that is there.
    #[must_use]
    pub fn is_by_itself(&self) -> bool {
        matches!(self, Self::Unavailable { source, .. } if source.is::<ByItself>())
    }

    /// This input was not tried, because of one before it, or because the target went away meanwhile:
    /// it has no part in what went wrong.
    #[must_use]
    pub fn untried(why: impl Into<String>) -> Self {
        Self::unavailable(Untried(why.into()))
    }

    /// Whether this input was not tried at all.
    #[must_use]
    pub fn is_untried(&self) -> bool {
        matches!(self, Self::Unavailable { source, .. } if source.is::<Untried>())
    }

    /// This input will never work.
    #[must_use]
    pub fn rejected(source: impl Into<Source>) -> Self {
        Self::Rejected(source.into())
    }

    /// No input will work.
    #[must_use]
    pub fn fatal(source: impl Into<Source>) -> Self {
        Self::Fatal(source.into())
    }

    /// The same, told of another input.
    pub(crate) fn again(&self) -> Self {
        let source = self.reason().into();
        match self {
            Self::Unavailable { after, .. } => Self::Unavailable {
                source,
                after: *after,
            },
            Self::Rejected(_) => Self::Rejected(source),
            Self::Fatal(_) => Self::Fatal(source),
        }
    }

    /// Whether the same input may work when it is tried again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// The kind's name, as dead letters, metrics and logs tell it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Rejected(_) => "rejected",
            Self::Fatal(_) => "fatal",
        }
    }

    /// What went wrong, without what follows from it.
    #[must_use]
    pub fn reason(&self) -> String {
        let (Self::Unavailable { source, .. } | Self::Rejected(source) | Self::Fatal(source)) =
            self;
        plain(source)
    }
}

/// What the target said to this very input.
#[derive(Debug, Error)]
#[error("{0}")]
struct ByItself(String);

/// Why an input was not tried.
#[derive(Debug, Error)]
#[error("{0}")]
struct Untried(String);

/// What is told, on one line. Part of it may come from a message: what would move a terminal's cursor
/// or begin a line of a log is told by its number.
fn plain(source: &Source) -> String {
    let text = source.to_string();
    if !text.contains(char::is_control) {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => plain.extend(character.escape_default()),
            false => plain.push(character),
        }
    }
    plain
}

/// What a topic or consumer answered, as a stage that uses it tells it on.
impl From<efflux_storage::Error> for StageError {
    fn from(error: efflux_storage::Error) -> Self {
        match error.kind() {
            ErrorKind::Invalid | ErrorKind::Conflict => Self::rejected(error),
            ErrorKind::NotFound | ErrorKind::Corrupt => Self::fatal(error),
            _ => Self::unavailable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_topics_error_says_what_follows() {
        let kind = |error: efflux_storage::Error| StageError::from(error).kind();
        assert_eq!(kind(efflux_storage::Error::invalid("a")), "rejected");
        assert_eq!(kind(efflux_storage::Error::not_found("a")), "fatal");
        assert_eq!(kind(efflux_storage::Error::closed("a")), "unavailable");
    }

    #[test]
    fn what_a_message_says_begins_no_line_of_its_own() {
        let error = StageError::rejected("no time: \x1b[31mred\r\nINFO all is well");
        assert_eq!(
            error.reason(),
            "no time: \\u{1b}[31mred\\r\\nINFO all is well"
        );
        assert_eq!(error.to_string(), error.reason());
    }

    #[test]
    fn the_reason_is_told_without_what_follows() {
        let error = StageError::unavailable_for("busy", Duration::from_secs(1));
        assert_eq!(error.reason(), "busy");
        assert_eq!(error.to_string(), "busy; it may work later");
        assert!(error.is_retryable());
        let own = StageError::failed_by_itself("500", None);
        assert!(own.is_by_itself() && own.is_retryable() && !error.is_by_itself());
        let untried = StageError::untried("busy");
        assert!(untried.is_untried() && untried.is_retryable() && !error.is_untried());
        assert_eq!(untried.reason(), "busy");
    }
}
