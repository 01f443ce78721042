//! The id of a message.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

use crate::limits::ID_BYTES_MAX;
use crate::term::{self, TermFault};

/// The id of a message: a UUID, or any other text of 1 to 255 bytes.
///
/// Two messages of one topic with the same id are the same message. A text that is a UUID in its
/// hyphenated form is the UUID, so that both spellings name one message.
///
/// ```
/// use efflux_particle::Id;
///
/// let uuid: Id = "0197A4A2-1111-7ABC-8DEF-0123456789AB".parse()?;
/// assert_eq!(uuid.to_string(), "0197a4a2-1111-7abc-8def-0123456789ab");
/// let other: Id = "order 7".parse()?;
/// assert_eq!((other.uuid(), other.text()), (None, Some("order 7")));
/// # Ok::<(), efflux_particle::IdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Kind);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Uuid([u8; 16]),
    Text(Arc<str>),
}

/// Why a text cannot be an id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// The text is empty.
    #[error("an id must not be empty")]
    Empty,
    /// The text is too long.
    #[error("this id has {bytes} bytes, at most {ID_BYTES_MAX} are allowed")]
    TooLong {
        /// The text's length.
        bytes: usize,
    },
    /// The text holds a control character, which would break lines and terminals.
    #[error("this id has a control character at byte {at}")]
    Control {
        /// Where it stands.
        at: usize,
    },
}

impl Id {
    /// The id with these 16 bytes of a UUID.
    #[must_use]
    pub const fn from_uuid(bytes: [u8; 16]) -> Self {
        Self(Kind::Uuid(bytes))
    }

    /// An id as it was read from a particle, where its text was checked.
    pub(crate) fn from_stored(text: &str) -> Self {
        Self(Kind::Text(text.into()))
    }

    /// The UUID's bytes; none when the id is another text.
    #[must_use]
    pub const fn uuid(&self) -> Option<&[u8; 16]> {
        match &self.0 {
            Kind::Uuid(bytes) => Some(bytes),
            Kind::Text(_) => None,
        }
    }

    /// The text; none when the id is a UUID.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.0 {
            Kind::Uuid(_) => None,
            Kind::Text(text) => Some(text),
        }
    }
}

/// Checks the text of an id; the UUID's bytes where the text spells one.
pub(crate) fn check(text: &str) -> Result<Option<[u8; 16]>, IdError> {
    match term::fault(text, ID_BYTES_MAX) {
        None => Ok(hyphenated(text)),
        Some(TermFault::Control { at }) => Err(IdError::Control { at }),
        Some(TermFault::Length) if text.is_empty() => Err(IdError::Empty),
        Some(TermFault::Length) => Err(IdError::TooLong { bytes: text.len() }),
    }
}

/// The UUID that `text` spells in its hyphenated form, in either case of letters.
fn hyphenated(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    Uuid::try_parse(text).ok().map(Uuid::into_bytes)
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Ok(Self(match check(text)? {
            Some(bytes) => Kind::Uuid(bytes),
            None => Kind::Text(text.into()),
        }))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Uuid(bytes) => fmt::Display::fmt(Uuid::from_bytes_ref(bytes), f),
            Kind::Text(text) => f.pad(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_one_identity_in_both_cases_of_letters() {
        let lower: Id = "0197a4a2-1111-7abc-8def-0123456789ab".parse().unwrap();
        let upper: Id = "0197A4A2-1111-7ABC-8DEF-0123456789AB".parse().unwrap();
        assert_eq!(lower, upper);
        assert!(lower.uuid().is_some());
        assert_eq!(upper.to_string(), "0197a4a2-1111-7abc-8def-0123456789ab");
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "1",
            "order 7",
            "0197a4a211117abc8def0123456789ab",
            "schlüssel",
        ] {
            assert_eq!(text.parse::<Id>().unwrap().text(), Some(text));
        }
    }

    #[test]
    fn empty_long_and_control_ids_are_refused() {
        assert_eq!("".parse::<Id>(), Err(IdError::Empty));
        assert_eq!(
            "x".repeat(256).parse::<Id>(),
            Err(IdError::TooLong { bytes: 256 })
        );
        assert_eq!("a\nb".parse::<Id>(), Err(IdError::Control { at: 1 }));
    }
}
