//! The metadata of a particle: what it says, and how it is written.
//!
//! Metadata is a MessagePack map with text keys in this order, absent fields left out:
//!
//! ```text
//! v  id  sequence  created  timestamp  payload_hash  linked_fingerprint  batch_remaining
//! data_type  content_type  content_encoding  message_group  properties  (unknown keys, ascending)
//! ```

use bytes::Bytes;
use thiserror::Error;

use crate::content::ContentEncoding;
use crate::hash::{Fingerprint, PayloadHash};
use crate::id::Id;
use crate::message::Unknown;
use crate::msgpack::{Mismatch, Reader};
use crate::sequence::Sequence;
use crate::timestamp::Timestamp;

mod fields;
pub(crate) mod key;

pub(crate) use fields::Fields;

/// The version of the format that this crate writes and reads.
pub const FORMAT_VERSION: u8 = 1;

/// The metadata of a particle, read in place: no field is copied until it is asked for.
///
/// ```
/// use efflux_particle::{Draft, Head, Id, Message, Stamp, Timestamp};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stamp = Stamp {
/// #     id: Id::from_uuid([1; 16]),
/// #     created: Timestamp::from_nanos(1_767_225_600_000_000_000),
/// #     in_batch: false,
/// # };
/// let (_, root) = Head::root(&"orders".parse()?, &stamp)?;
/// let metadata = root.metadata();
/// assert_eq!(metadata.sequence().get(), 0);
/// assert_eq!(metadata.linked_fingerprint(), None);
/// assert_eq!(metadata.timestamp(), stamp.created);
/// assert_eq!(metadata.property("efflux.topic"), Some("orders"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Metadata {
    bytes: Bytes,
    fields: Fields,
}

/// Why bytes are no metadata of this format.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetadataError {
    /// The bytes are no MessagePack of the expected shape.
    #[error("at metadata byte {at}, {expected} was expected")]
    Malformed {
        /// The byte in the metadata.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A field that every particle has is missing.
    #[error("the metadata has no {0}")]
    Missing(&'static str),
    /// The particle was written by a newer program.
    #[error(
        "the particle has format version {0}, this program reads version 1: use a newer Efflux"
    )]
    Version(u64),
}

impl From<Mismatch> for MetadataError {
    fn from(mismatch: Mismatch) -> Self {
        Self::Malformed {
            at: mismatch.at,
            expected: mismatch.expected,
        }
    }
}

impl Metadata {
    /// Reads metadata bytes.
    ///
    /// # Errors
    /// [`MetadataError`] when the bytes are no metadata of this format version.
    pub fn decode(bytes: Bytes) -> Result<Self, MetadataError> {
        let mut metadata = Self::with_fields(bytes, Fields::default());
        metadata.read_fields()?;
        Ok(metadata)
    }

    pub(crate) fn read_fields(&mut self) -> Result<(), MetadataError> {
        self.fields.read_all(&self.bytes)
    }

    pub(crate) const fn with_fields(bytes: Bytes, fields: Fields) -> Self {
        Self { bytes, fields }
    }

    /// The bytes as stored, which the fingerprint is over.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same metadata in memory of its own, so that the frame it came with may be let go.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            bytes: Bytes::copy_from_slice(&self.bytes),
            fields: self.fields.clone(),
        }
    }

    /// The message's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.fields.id(&self.bytes)
    }

    /// The particle's place in its topic.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.fields.sequence
    }

    /// When the message entered Efflux.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.fields.created
    }

    /// When its data came to be; the time it entered where the producer said nothing.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.fields.timestamp.unwrap_or(self.fields.created)
    }

    /// The SHA-256 of the payload as stored.
    #[must_use]
    pub fn payload_hash(&self) -> PayloadHash {
        self.fields.payload_hash(&self.bytes)
    }

    /// The predecessor's fingerprint; none for a root.
    #[must_use]
    pub fn linked_fingerprint(&self) -> Option<Fingerprint> {
        self.fields.linked_fingerprint(&self.bytes)
    }

    /// How many particles of the same batch follow this one; 0 for the last and for singles.
    #[must_use]
    pub const fn batch_remaining(&self) -> u32 {
        self.fields.batch_remaining
    }

    /// What kind of thing the payload tells.
    #[must_use]
    pub fn data_type(&self) -> Option<&str> {
        self.fields.data_type.map(|span| span.text(&self.bytes))
    }

    /// The payload's media type.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.fields.content_type.map(|span| span.text(&self.bytes))
    }

    /// How the payload is compressed.
    #[must_use]
    pub const fn content_encoding(&self) -> Option<ContentEncoding> {
        self.fields.content_encoding
    }

    /// The message group.
    #[must_use]
    pub fn message_group(&self) -> Option<&str> {
        self.fields.message_group.map(|span| span.text(&self.bytes))
    }

    /// The properties in ascending order of their names.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut reader = Reader::new(self.fields.properties.of(&self.bytes));
        (0..self.fields.properties_count).map_while(move |_| {
            let (name, _) = reader.text().ok()?;
            let (value, _) = reader.text().ok()?;
            Some((name.as_str(), value.as_str()))
        })
    }

    /// The value of the property with this name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// The keys that this version does not know, ascending; a copy of the particle keeps them.
    pub fn unknown_keys(&self) -> impl Iterator<Item = &str> {
        let mut reader = Reader::new(self.fields.unknown.of(&self.bytes));
        (0..self.fields.unknown_count).map_while(move |_| {
            let (key, _) = reader.text().ok()?;
            reader.skip().ok()?;
            Some(key.as_str())
        })
    }

    pub(crate) fn unknown(&self) -> Unknown {
        // A copy, so that a message does not keep the particle's whole buffer alive for a few bytes.
        Unknown {
            count: self.fields.unknown_count,
            bytes: Bytes::copy_from_slice(self.fields.unknown.of(&self.bytes)),
        }
    }
}

#[cfg(test)]
mod tests;
