//! Holds one particle, or one message, against a query, without allocating.

use efflux_particle::{ContentEncoding, Id, Message, Metadata, Timestamp};
use serde_json::Value;

use super::data;
use super::expr::{Expr, Leaf, Term, TimeField};

/// What a query asks for.
pub(super) trait Fields {
    fn is_id(&self, value: &str) -> bool;
    fn data_type(&self) -> Option<&str>;
    fn content_type(&self) -> Option<&str>;
    fn content_encoding(&self) -> Option<ContentEncoding>;
    fn message_group(&self) -> Option<&str>;
    fn property(&self, name: &str) -> Option<&str>;
    fn nanos(&self, field: TimeField) -> Option<i64>;
    fn sequence(&self) -> Option<u64>;
}

impl Fields for Metadata {
    fn is_id(&self, value: &str) -> bool {
        is_id(&self.id(), value)
    }

    fn data_type(&self) -> Option<&str> {
        self.data_type()
    }

    fn content_type(&self) -> Option<&str> {
        self.content_type()
    }

    fn content_encoding(&self) -> Option<ContentEncoding> {
        self.content_encoding()
    }

    fn message_group(&self) -> Option<&str> {
        self.message_group()
    }

    fn property(&self, name: &str) -> Option<&str> {
        self.property(name)
    }

    fn nanos(&self, field: TimeField) -> Option<i64> {
        Some(match field {
            TimeField::Timestamp => self.timestamp().nanos(),
            TimeField::Created => self.created().nanos(),
        })
    }

    fn sequence(&self) -> Option<u64> {
        Some(self.sequence().get())
    }
}

/// A message, and the particle that it comes from, which tells what a message does not have.
pub(super) struct Underway<'a> {
    pub(super) message: &'a Message,
    pub(super) origin: Option<&'a Metadata>,
}

impl Fields for Underway<'_> {
    fn is_id(&self, value: &str) -> bool {
        self.message.id().is_some_and(|id| is_id(id, value))
    }

    fn data_type(&self) -> Option<&str> {
        self.message.data_type()
    }

    fn content_type(&self) -> Option<&str> {
        self.message.content_type()
    }

    fn content_encoding(&self) -> Option<ContentEncoding> {
        self.message.content_encoding()
    }

    fn message_group(&self) -> Option<&str> {
        self.message.message_group()
    }

    fn property(&self, name: &str) -> Option<&str> {
        self.message.property(name)
    }

    fn nanos(&self, field: TimeField) -> Option<i64> {
        match field {
            TimeField::Timestamp => self.message.timestamp().map(Timestamp::nanos),
            TimeField::Created => self.origin.map(|origin| origin.created().nanos()),
        }
    }

    fn sequence(&self) -> Option<u64> {
        self.origin.map(|origin| origin.sequence().get())
    }
}

impl Expr {
    pub(super) fn matches<F: Fields>(&self, metadata: &F, data: Option<&Value>) -> bool {
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
    fn matches<F: Fields>(&self, metadata: &F, data: Option<&Value>) -> bool {
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
            Self::Time { field, from, until } => metadata.nanos(*field).is_some_and(|nanos| {
                from.is_none_or(|from| from <= nanos) && until.is_none_or(|until| nanos <= until)
            }),
            Self::Sequence { from, until } => {
                let sequence = metadata.sequence();
                sequence.is_some_and(|sequence| *from <= sequence && sequence <= *until)
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
    fn is<F: Fields>(&self, metadata: &F, value: &str) -> bool {
        match self {
            Self::Id => metadata.is_id(value),
            _ => self.of(metadata) == Some(value),
        }
    }

    /// The field's text; none when it is not there, and for the id, which may be no text.
    fn of<'a, F: Fields>(&self, metadata: &'a F) -> Option<&'a str> {
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
