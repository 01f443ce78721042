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
use crate::hash::{Fingerprint, HASH_BYTES, PayloadHash};
use crate::id::Id;
use crate::limits::{ID_BYTES_MAX, PROPERTIES_MAX};
use crate::message::Unknown;
use crate::msgpack::{Mismatch, Reader, Span};
use crate::sequence::Sequence;
use crate::timestamp::Timestamp;

/// The version of the format that this crate writes and reads.
pub const FORMAT_VERSION: u8 = 1;

/// The known keys, in the order in which they are written.
pub(crate) mod key {
    pub(crate) const VERSION: &str = "v";
    pub(crate) const ID: &str = "id";
    pub(crate) const SEQUENCE: &str = "sequence";
    pub(crate) const CREATED: &str = "created";
    pub(crate) const TIMESTAMP: &str = "timestamp";
    pub(crate) const PAYLOAD_HASH: &str = "payload_hash";
    pub(crate) const LINKED_FINGERPRINT: &str = "linked_fingerprint";
    pub(crate) const BATCH_REMAINING: &str = "batch_remaining";
    pub(crate) const DATA_TYPE: &str = "data_type";
    pub(crate) const CONTENT_TYPE: &str = "content_type";
    pub(crate) const CONTENT_ENCODING: &str = "content_encoding";
    pub(crate) const MESSAGE_GROUP: &str = "message_group";
    pub(crate) const PROPERTIES: &str = "properties";

    /// A known key's place in the order, none for an unknown key.
    pub(super) fn rank(key: &str) -> Option<u8> {
        Some(match key {
            VERSION => 0,
            ID => 1,
            SEQUENCE => 2,
            CREATED => 3,
            TIMESTAMP => 4,
            PAYLOAD_HASH => 5,
            LINKED_FINGERPRINT => 6,
            BATCH_REMAINING => 7,
            DATA_TYPE => 8,
            CONTENT_TYPE => 9,
            CONTENT_ENCODING => 10,
            MESSAGE_GROUP => 11,
            PROPERTIES => 12,
            _ => return None,
        })
    }

    /// The rank that unknown keys come after.
    pub(super) const LAST_RANK: u8 = 12;
}

/// The metadata of a particle, read in place: no field is copied until it is asked for.
#[derive(Clone, Debug)]
pub struct Metadata {
    bytes: Bytes,
    fields: Fields,
}

/// Where each field stands in the metadata bytes, and the values of the short ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) id: Span,
    pub(crate) id_is_uuid: bool,
    pub(crate) sequence: Sequence,
    pub(crate) created: Timestamp,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) payload_hash: Span,
    pub(crate) linked_fingerprint: Option<Span>,
    pub(crate) batch_remaining: u32,
    pub(crate) data_type: Option<Span>,
    pub(crate) content_type: Option<Span>,
    pub(crate) content_encoding: Option<ContentEncoding>,
    pub(crate) message_group: Option<Span>,
    pub(crate) properties: Span,
    pub(crate) properties_count: u64,
    pub(crate) unknown: Span,
    pub(crate) unknown_count: usize,
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
        let fields = Fields::decode(&bytes)?;
        Ok(Self { bytes, fields })
    }

    pub(crate) const fn with_fields(bytes: Bytes, fields: Fields) -> Self {
        Self { bytes, fields }
    }

    /// The bytes as stored, which the fingerprint is over.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The message's id.
    #[must_use]
    pub fn id(&self) -> Id {
        let bytes = self.fields.id.of(&self.bytes);
        match <[u8; 16]>::try_from(bytes) {
            Ok(uuid) if self.fields.id_is_uuid => Id::from_uuid(uuid),
            _ => Id::from_stored(self.fields.id.text(&self.bytes)),
        }
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
        PayloadHash::from_bytes(hash_at(&self.bytes, self.fields.payload_hash))
    }

    /// The predecessor's fingerprint; none for a root.
    #[must_use]
    pub fn linked_fingerprint(&self) -> Option<Fingerprint> {
        let span = self.fields.linked_fingerprint?;
        Some(Fingerprint::from_bytes(hash_at(&self.bytes, span)))
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
            Some((name, value))
        })
    }

    /// The value of the property with this name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn unknown(&self) -> Unknown {
        let bytes = self.bytes.slice_ref(self.fields.unknown.of(&self.bytes));
        Unknown {
            count: self.fields.unknown_count,
            bytes: Bytes::copy_from_slice(&bytes),
        }
    }
}

fn hash_at(bytes: &[u8], span: Span) -> [u8; HASH_BYTES] {
    span.of(bytes).try_into().unwrap_or([0; HASH_BYTES])
}

impl Fields {
    fn decode(bytes: &[u8]) -> Result<Self, MetadataError> {
        let mut reader = Reader::new(bytes);
        let mut fields = Self::default();
        let mut seen = 0_u16;
        let mut last_rank = None;
        let mut last_unknown = "";
        for _ in 0..reader.map()? {
            let start = reader.position();
            let (key, _) = reader.text()?;
            let misplaced = MetadataError::Malformed {
                at: start,
                expected: "the next key in order",
            };
            if let Some(rank) = key::rank(key) {
                if last_rank.is_some_and(|last| rank <= last) {
                    return Err(misplaced);
                }
                last_rank = Some(rank);
                seen |= 1 << rank;
                fields.read(rank, &mut reader)?;
            } else {
                if fields.unknown_count > 0 && key <= last_unknown {
                    return Err(misplaced);
                }
                last_rank = Some(key::LAST_RANK);
                last_unknown = key;
                reader.skip()?;
                fields.add_unknown(start, reader.position());
            }
        }
        if !reader.is_at_end() {
            return Err(MetadataError::Malformed {
                at: reader.position(),
                expected: "the end",
            });
        }
        for needed in [
            key::VERSION,
            key::ID,
            key::SEQUENCE,
            key::CREATED,
            key::PAYLOAD_HASH,
        ] {
            if key::rank(needed).is_none_or(|rank| seen & (1 << rank) == 0) {
                return Err(MetadataError::Missing(needed));
            }
        }
        Ok(fields)
    }

    fn add_unknown(&mut self, start: usize, end: usize) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        if self.unknown_count == 0 {
            self.unknown.start = place(start);
        }
        self.unknown.end = place(end);
        self.unknown_count += 1;
    }

    fn read(&mut self, rank: u8, reader: &mut Reader<'_>) -> Result<(), MetadataError> {
        match rank {
            0 => match reader.unsigned()? {
                version if version == u64::from(FORMAT_VERSION) => {}
                version => return Err(MetadataError::Version(version)),
            },
            1 => self.read_id(reader)?,
            2 => self.sequence = Sequence::new(reader.unsigned()?),
            3 => self.created = Timestamp::from_nanos(reader.signed()?),
            4 => self.timestamp = Some(Timestamp::from_nanos(reader.signed()?)),
            5 => self.payload_hash = read_hash(reader)?,
            6 => self.linked_fingerprint = Some(read_hash(reader)?),
            7 => {
                let at = reader.position();
                self.batch_remaining =
                    u32::try_from(reader.unsigned()?).map_err(|_| MetadataError::Malformed {
                        at,
                        expected: "a batch of less than 2^32",
                    })?;
            }
            8 => self.data_type = Some(reader.text()?.1),
            9 => self.content_type = Some(reader.text()?.1),
            10 => {
                let at = reader.position();
                let (name, _) = reader.text()?;
                let known = name.parse().map_err(|_| MetadataError::Malformed {
                    at,
                    expected: "content encoding gzip or zstd",
                })?;
                self.content_encoding = Some(known);
            }
            11 => self.message_group = Some(reader.text()?.1),
            _ => self.read_properties(reader)?,
        }
        Ok(())
    }

    fn read_id(&mut self, reader: &mut Reader<'_>) -> Result<(), MetadataError> {
        let at = reader.position();
        let malformed = MetadataError::Malformed {
            at,
            expected: "an id of 16 bytes or of 1 to 255 bytes of text",
        };
        if let Ok((bytes, span)) = reader.bin() {
            self.id = span;
            self.id_is_uuid = true;
            return if bytes.len() == 16 {
                Ok(())
            } else {
                Err(malformed)
            };
        }
        let (text, span) = reader.text()?;
        self.id = span;
        if text.is_empty() || text.len() > ID_BYTES_MAX {
            Err(malformed)
        } else {
            Ok(())
        }
    }

    fn read_properties(&mut self, reader: &mut Reader<'_>) -> Result<(), MetadataError> {
        let at = reader.position();
        let malformed = |expected| Err(MetadataError::Malformed { at, expected });
        let count = reader.map()?;
        if count > u64::try_from(PROPERTIES_MAX).unwrap_or(u64::MAX) {
            return malformed("at most 64 properties");
        }
        let start = reader.position();
        let mut last = None;
        for _ in 0..count {
            let (name, _) = reader.text()?;
            if last.is_some_and(|last| name <= last) {
                return malformed("properties in ascending order");
            }
            last = Some(name);
            reader.text()?;
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.properties = Span {
            start: place(start),
            end: place(reader.position()),
        };
        self.properties_count = count;
        Ok(())
    }
}

fn read_hash(reader: &mut Reader<'_>) -> Result<Span, MetadataError> {
    let at = reader.position();
    let (bytes, span) = reader.bin()?;
    if bytes.len() == HASH_BYTES {
        Ok(span)
    } else {
        Err(MetadataError::Malformed {
            at,
            expected: "a hash of 32 bytes",
        })
    }
}
