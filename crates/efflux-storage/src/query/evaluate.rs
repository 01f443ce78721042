//! Holds one particle against a query, without allocating.

use efflux_particle::{ContentEncoding, Id, Metadata};
use serde_json::Value;

use super::data;
use super::expr::{Expr, Leaf, Term, TimeField};

impl Expr {
    pub(super) fn matches(&self, metadata: &Metadata, data: Option<&Value>) -> bool {
        match self {
            Self::All => true,
            Self::Never => false,
            Self::And(parts) => parts.iter().all(|part| part.matches(metadata, data)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(metadata, data)),
            Self::Leaf(leaf) => leaf.matches(metadata, data),
        }
    }
}

impl Leaf {
    fn matches(&self, metadata: &Metadata, data: Option<&Value>) -> bool {
        match self {
            Self::Is {
                field,
                value,
                negated,
            } => field.is(metadata, value) != *negated,
            Self::StartsWith {
                field,
                prefix,
                negated,
            } => {
                let found = field.of(metadata);
                found.is_some_and(|found| found.starts_with(prefix.as_str())) != *negated
            }
            Self::Exists { field, negated } => field.of(metadata).is_some() != *negated,
            Self::Time { field, from, until } => {
                let nanos = field.of(metadata);
                from.is_none_or(|from| from <= nanos) && until.is_none_or(|until| nanos <= until)
            }
            Self::Sequence { from, until } => {
                let sequence = metadata.sequence().get();
                *from <= sequence && sequence <= *until
            }
            Self::Data {
                path,
                test,
                negated,
            } => test.passes(data.and_then(|data| data::find(data, path))) != *negated,
        }
    }
}

impl Term {
    fn is(&self, metadata: &Metadata, value: &str) -> bool {
        match self {
            Self::Id => is_id(&metadata.id(), value),
            _ => self.of(metadata) == Some(value),
        }
    }

    /// The field's text; none when it is not there, and for the id, which may be no text.
    fn of<'a>(&self, metadata: &'a Metadata) -> Option<&'a str> {
        match self {
            Self::Id => None,
            Self::DataType => metadata.data_type(),
            Self::ContentType => metadata.content_type(),
            Self::ContentEncoding => metadata.content_encoding().map(ContentEncoding::as_str),
            Self::MessageGroup => metadata.message_group(),
            Self::Property(name) => metadata.property(name),
        }
    }
}

impl TimeField {
    fn of(self, metadata: &Metadata) -> i64 {
        match self {
            Self::Timestamp => metadata.timestamp().nanos(),
            Self::Created => metadata.created().nanos(),
        }
    }
}

/// Whether `text` is the text form of `id`. Two ids are the same or not as [`Id`] has it: a text
/// id that merely looks like a UUID, which only a foreign writer makes, is no UUID.
fn is_id(id: &Id, text: &str) -> bool {
    match (id.uuid(), id.text()) {
        (Some(uuid), _) => is_uuid(uuid, text),
        (_, Some(id)) => id == text && text.parse().is_ok_and(|id: Id| id.uuid().is_none()),
        _ => false,
    }
}

/// Whether `text` is this UUID in lower case, with hyphens.
fn is_uuid(uuid: &[u8; 16], text: &str) -> bool {
    let mut digits = text.bytes().filter(|byte| *byte != b'-');
    text.len() == 36
        && uuid.iter().all(|byte| {
            digits.next() == Some(hex_digit(byte >> 4))
                && digits.next() == Some(hex_digit(byte & 0x0f))
        })
}

const fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}
