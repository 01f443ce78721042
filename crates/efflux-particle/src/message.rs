//! What a producer hands in.

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

use crate::content::{ContentEncoding, ContentError};
use crate::hash::PayloadHash;
use crate::id::Id;
use crate::limits::{
    METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX, PROPERTIES_MAX, PROPERTY_NAME_BYTES_MAX,
    PROPERTY_VALUE_BYTES_MAX, TERM_BYTES_MAX,
};
use crate::particle::Particle;
use crate::term::{self, TermFault};
use crate::timestamp::Timestamp;

/// What a producer hands in: a payload and the metadata it can be found by.
///
/// Nothing is checked until the message is encoded; [`Message::check`] tells beforehand.
///
/// ```
/// use efflux_particle::Message;
///
/// let message = Message::new("{\"total\":12}")
///     .with_data_type("order.placed")
///     .with_message_group("customer-42")
///     .with_property("region", "eu");
/// assert!(message.check().is_ok());
/// ```
#[derive(Clone, Default)]
pub struct Message {
    pub(crate) id: Option<Id>,
    pub(crate) timestamp: Option<Timestamp>,
    data_type: Option<Text>,
    content_type: Option<Text>,
    pub(crate) content_encoding: Option<ContentEncoding>,
    message_group: Option<Text>,
    /// Names and values, ascending by name.
    properties: Vec<(Text, Text)>,
    /// All texts, so that a message costs few allocations.
    texts: String,
    pub(crate) unknown: Unknown,
    pub(crate) payload: Bytes,
    /// The payload's hash, where it was computed already; few messages have one.
    pub(crate) payload_hash: Option<Box<PayloadHash>>,
}

/// Where a text stands among the texts of its message.
#[derive(Clone, Copy)]
struct Text {
    start: usize,
    end: usize,
}

/// Metadata entries whose keys this version does not know, kept as they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unknown {
    pub(crate) count: usize,
    pub(crate) bytes: Bytes,
}

/// Why a message cannot be accepted. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// The payload is too large.
    #[error("the payload has {bytes} bytes, at most {PAYLOAD_BYTES_MAX} are allowed")]
    PayloadTooLarge {
        /// The payload's length.
        bytes: usize,
    },
    /// The metadata as a whole is too large.
    #[error("the metadata has {bytes} bytes, at most {METADATA_BYTES_MAX} are allowed")]
    MetadataTooLarge {
        /// The encoded metadata's length.
        bytes: usize,
    },
    /// A field is empty or too long.
    #[error("{field} {}", length_fault(*bytes, *bytes_max))]
    FieldLength {
        /// The field, with its name for a property.
        field: String,
        /// The field's length.
        bytes: usize,
        /// The longest that is allowed.
        bytes_max: usize,
    },
    /// A field holds a control character.
    #[error("{field} has a control character at byte {at}")]
    Control {
        /// The field.
        field: String,
        /// Where the character stands.
        at: usize,
    },
    /// There are too many properties.
    #[error("the message has {count} properties, at most {PROPERTIES_MAX} are allowed")]
    TooManyProperties {
        /// How many there are.
        count: usize,
    },
}

impl Message {
    /// A message with this payload and no metadata.
    #[must_use]
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            ..Self::default()
        }
    }

    /// Sets the id. Without one, the store makes a UUID of version 7.
    #[must_use]
    pub fn with_id(mut self, id: Id) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets when the data came to be. Without one, it is the time of the append.
    #[must_use]
    pub const fn with_timestamp(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Sets what kind of thing the payload tells, as in `order.placed`.
    #[must_use]
    pub fn with_data_type(mut self, data_type: impl AsRef<str>) -> Self {
        self.data_type = Some(self.keep(data_type.as_ref()));
        self
    }

    /// Sets the payload's media type, as in `application/json`.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl AsRef<str>) -> Self {
        self.content_type = Some(self.keep(content_type.as_ref()));
        self
    }

    /// Sets the message group: particles of one group are consumed strictly one after the other.
    #[must_use]
    pub fn with_message_group(mut self, message_group: impl AsRef<str>) -> Self {
        self.message_group = Some(self.keep(message_group.as_ref()));
        self
    }

    /// Sets a property; a second value for the same name replaces the first.
    #[must_use]
    pub fn with_property(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let found = self
            .properties
            .binary_search_by(|(found, _)| self.text(*found).cmp(name.as_ref()));
        let value = self.keep(value.as_ref());
        match found {
            // Too many already: such a message is refused, whatever their order.
            _ if self.properties.len() > PROPERTIES_MAX => {
                let name = self.keep(name.as_ref());
                self.properties.push((name, value));
            }
            Ok(at) => {
                if let Some((_, before)) = self.properties.get_mut(at) {
                    *before = value;
                }
            }
            Err(at) => {
                let name = self.keep(name.as_ref());
                self.properties.insert(at, (name, value));
            }
        }
        self
    }

    /// Puts another payload in place of the one it has; the metadata stay as they are.
    #[must_use]
    pub fn with_payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self.payload_hash = None;
        self
    }

    /// Takes the data type away.
    #[must_use]
    pub const fn without_data_type(mut self) -> Self {
        self.data_type = None;
        self
    }

    /// Takes the payload's media type away.
    #[must_use]
    pub const fn without_content_type(mut self) -> Self {
        self.content_type = None;
        self
    }

    /// Says that the payload is not compressed.
    #[must_use]
    pub const fn without_content_encoding(mut self) -> Self {
        self.content_encoding = None;
        self
    }

    /// Takes the message group away.
    #[must_use]
    pub const fn without_message_group(mut self) -> Self {
        self.message_group = None;
        self
    }

    /// Takes the property with this name away, if it is there.
    #[must_use]
    pub fn without_property(mut self, name: &str) -> Self {
        let texts = &self.texts;
        self.properties
            .retain(|(found, _)| texts.get(found.start..found.end) != Some(name));
        self
    }

    fn keep(&mut self, text: &str) -> Text {
        let start = self.texts.len();
        self.texts.push_str(text);
        let end = self.texts.len();
        Text { start, end }
    }

    fn text(&self, text: Text) -> &str {
        self.texts.get(text.start..text.end).unwrap_or_default()
    }

    /// Says that the payload is already compressed this way.
    #[must_use]
    pub const fn with_content_encoding(mut self, encoding: ContentEncoding) -> Self {
        self.content_encoding = Some(encoding);
        self
    }

    /// Compresses the payload and says so in the metadata.
    ///
    /// # Errors
    /// [`ContentError::NotBuilt`] when this build leaves the encoding out.
    pub fn compressed(mut self, encoding: ContentEncoding) -> Result<Self, ContentError> {
        self.payload = encoding.encode(&self.payload)?;
        self.payload_hash = None;
        self.content_encoding = Some(encoding);
        Ok(self)
    }

    /// The id, if one was set.
    #[must_use]
    pub const fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// When the data came to be, if it was set.
    #[must_use]
    pub const fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// The data type, if one was set.
    #[must_use]
    pub fn data_type(&self) -> Option<&str> {
        self.data_type.map(|text| self.text(text))
    }

    /// The payload's media type, if one was set.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.map(|text| self.text(text))
    }

    /// How the payload is compressed, if it is.
    #[must_use]
    pub const fn content_encoding(&self) -> Option<ContentEncoding> {
        self.content_encoding
    }

    /// The message group, if one was set.
    #[must_use]
    pub fn message_group(&self) -> Option<&str> {
        self.message_group.map(|text| self.text(text))
    }

    /// The properties in ascending order of their names.
    pub fn properties(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let properties = self.properties.iter();
        properties.map(|(name, value)| (self.text(*name), self.text(*value)))
    }

    /// The value of the property with this name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// The payload as it will be stored.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Tells whether every part of the message is within its bound.
    ///
    /// # Errors
    /// The first part that is not. The metadata as a whole is only measured when it is encoded.
    pub fn check(&self) -> Result<(), MessageError> {
        if self.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(MessageError::PayloadTooLarge {
                bytes: self.payload.len(),
            });
        }
        for (field, text) in [
            ("data_type", self.data_type()),
            ("content_type", self.content_type()),
            ("message_group", self.message_group()),
        ] {
            if let Some(text) = text {
                check_term(|| field.to_owned(), text, TERM_BYTES_MAX)?;
            }
        }
        if self.properties.len() > PROPERTIES_MAX {
            return Err(MessageError::TooManyProperties {
                count: self.properties.len(),
            });
        }
        for (name, value) in self.properties() {
            check_term(
                || format!("property name {name:?}"),
                name,
                PROPERTY_NAME_BYTES_MAX,
            )?;
            if value.len() > PROPERTY_VALUE_BYTES_MAX {
                return Err(MessageError::FieldLength {
                    field: format!("property {name:?}"),
                    bytes: value.len(),
                    bytes_max: PROPERTY_VALUE_BYTES_MAX,
                });
            }
        }
        Ok(())
    }
}

fn length_fault(bytes: usize, bytes_max: usize) -> String {
    match bytes {
        0 => format!("is empty, 1 to {bytes_max} bytes are allowed"),
        _ => format!("has {bytes} bytes, at most {bytes_max} are allowed"),
    }
}

fn check_term(
    field: impl Fn() -> String,
    text: &str,
    bytes_max: usize,
) -> Result<(), MessageError> {
    match term::fault(text, bytes_max) {
        None => Ok(()),
        Some(TermFault::Length) => Err(MessageError::FieldLength {
            field: field(),
            bytes: text.len(),
            bytes_max,
        }),
        Some(TermFault::Control { at }) => Err(MessageError::Control { field: field(), at }),
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.timestamp == other.timestamp
            && self.data_type() == other.data_type()
            && self.content_type() == other.content_type()
            && self.content_encoding == other.content_encoding
            && self.message_group() == other.message_group()
            && self.properties().eq(other.properties())
            && self.unknown == other.unknown
            && self.payload == other.payload
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties: Vec<_> = self.properties().collect();
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("timestamp", &self.timestamp)
            .field("data_type", &self.data_type())
            .field("content_type", &self.content_type())
            .field("content_encoding", &self.content_encoding)
            .field("message_group", &self.message_group())
            .field("properties", &properties)
            .field("unknown", &self.unknown)
            .field("payload", &self.payload)
            .finish()
    }
}

/// A copy of a particle, ready to be appended elsewhere: same id, same data, same time of the data,
/// unknown metadata included.
impl From<&Particle> for Message {
    fn from(particle: &Particle) -> Self {
        let metadata = particle.metadata();
        let mut message = Self {
            id: Some(metadata.id()),
            timestamp: Some(metadata.timestamp()),
            content_encoding: metadata.content_encoding(),
            unknown: metadata.unknown(),
            payload: particle.payload(),
            ..Self::default()
        };
        message.data_type = metadata.data_type().map(|text| message.keep(text));
        message.content_type = metadata.content_type().map(|text| message.keep(text));
        message.message_group = metadata.message_group().map(|text| message.keep(text));
        let properties = metadata.properties();
        properties.fold(message, |message, (name, value)| {
            message.with_property(name, value)
        })
    }
}
