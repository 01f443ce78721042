//! Where the fields of metadata stand: reading them, and the rules they are read under.

use crate::content::ContentEncoding;
use crate::hash::{Fingerprint, HASH_BYTES, PayloadHash};
use crate::id::{self, Id};
use crate::limits::{
    BATCH_PARTICLES_MAX, METADATA_BYTES_MAX, PROPERTIES_MAX, PROPERTY_NAME_BYTES_MAX,
    PROPERTY_VALUE_BYTES_MAX, TERM_BYTES_MAX,
};
use crate::metadata::{FORMAT_VERSION, MetadataError};
use crate::msgpack::{Reader, Span};
use crate::sequence::Sequence;
use crate::term;
use crate::timestamp::Timestamp;

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

impl Fields {
    /// The id.
    pub(crate) fn id(&self, bytes: &[u8]) -> Id {
        match <[u8; 16]>::try_from(self.id.of(bytes)) {
            Ok(uuid) if self.id_is_uuid => Id::from_uuid(uuid),
            _ => Id::from_stored(self.id.text(bytes)),
        }
    }

    /// The payload's hash.
    pub(crate) fn payload_hash(&self, bytes: &[u8]) -> PayloadHash {
        PayloadHash::from_bytes(hash_at(bytes, self.payload_hash))
    }

    /// The predecessor's fingerprint.
    pub(crate) fn linked_fingerprint(&self, bytes: &[u8]) -> Option<Fingerprint> {
        let span = self.linked_fingerprint?;
        Some(Fingerprint::from_bytes(hash_at(bytes, span)))
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, MetadataError> {
        if bytes.len() > METADATA_BYTES_MAX {
            return malformed(
                METADATA_BYTES_MAX,
                "the end: metadata has at most 65536 bytes",
            );
        }
        let mut reader = Reader::new(bytes);
        let mut fields = Self::default();
        let mut seen = 0_u16;
        let mut last_rank = None;
        let mut last_unknown = "";
        for _ in 0..reader.map()? {
            let start = reader.position();
            let (key, _) = reader.text()?;
            let misplaced = || malformed(start, "the next key in order");
            if let Some(rank) = key::rank(key) {
                if last_rank.is_some_and(|last| rank <= last) {
                    return misplaced();
                }
                last_rank = Some(rank);
                seen |= 1 << rank;
                fields.read(rank, &mut reader)?;
            } else {
                if fields.unknown_count > 0 && key <= last_unknown {
                    return misplaced();
                }
                last_rank = Some(key::LAST_RANK);
                last_unknown = key;
                reader.skip()?;
                fields.add_unknown(start, reader.position());
            }
        }
        if !reader.is_at_end() {
            return malformed(reader.position(), "the end");
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
            2 => self.sequence = read_sequence(reader)?,
            3 => self.created = Timestamp::from_nanos(reader.signed()?),
            4 => self.timestamp = Some(Timestamp::from_nanos(reader.signed()?)),
            5 => self.payload_hash = read_hash(reader)?,
            6 => self.linked_fingerprint = Some(read_hash(reader)?),
            7 => self.batch_remaining = read_batch_remaining(reader)?,
            8 => self.data_type = Some(read_term(reader)?),
            9 => self.content_type = Some(read_term(reader)?),
            10 => self.content_encoding = Some(read_encoding(reader)?),
            11 => self.message_group = Some(read_term(reader)?),
            _ => self.read_properties(reader)?,
        }
        Ok(())
    }

    fn read_id(&mut self, reader: &mut Reader<'_>) -> Result<(), MetadataError> {
        let at = reader.position();
        if reader.is_at_bin() {
            let (bytes, span) = reader.bin()?;
            self.id = span;
            self.id_is_uuid = true;
            return match bytes.len() {
                16 => Ok(()),
                _ => malformed(at, "a UUID of 16 bytes or text"),
            };
        }
        let (text, span) = reader.text()?;
        self.id = span;
        match id::check(text) {
            Ok(None) => Ok(()),
            // Two spellings of one id would be two messages to whoever compares bytes.
            Ok(Some(_)) => malformed(at, "the 16 bytes of this UUID in place of its text"),
            Err(_) => malformed(
                at,
                "an id of 1 to 255 bytes of text without control characters",
            ),
        }
    }

    fn read_properties(&mut self, reader: &mut Reader<'_>) -> Result<(), MetadataError> {
        let at = reader.position();
        let count = reader.map()?;
        if count > u64::try_from(PROPERTIES_MAX).unwrap_or(u64::MAX) {
            return malformed(at, "at most 64 properties");
        }
        let start = reader.position();
        let mut last = None;
        for _ in 0..count {
            let at = reader.position();
            let (name, _) = reader.text()?;
            if last.is_some_and(|last| name <= last) {
                return malformed(at, "properties in ascending order");
            }
            last = Some(name);
            if term::fault(name, PROPERTY_NAME_BYTES_MAX).is_some() {
                return malformed(
                    at,
                    "a property name of 1 to 128 bytes without control characters",
                );
            }
            let at = reader.position();
            if reader.text()?.0.len() > PROPERTY_VALUE_BYTES_MAX {
                return malformed(at, "a property value of at most 4096 bytes");
            }
        }
        self.properties = Span {
            start: place(start),
            end: place(reader.position()),
        };
        self.properties_count = count;
        Ok(())
    }
}

const fn malformed<T>(at: usize, expected: &'static str) -> Result<T, MetadataError> {
    Err(MetadataError::Malformed { at, expected })
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn hash_at(bytes: &[u8], span: Span) -> [u8; HASH_BYTES] {
    span.of(bytes).try_into().unwrap_or([0; HASH_BYTES])
}

fn read_sequence(reader: &mut Reader<'_>) -> Result<Sequence, MetadataError> {
    let at = reader.position();
    match Sequence::new(reader.unsigned()?) {
        // A chain that stands there could never grow, and the place after it would be itself.
        Sequence::MAX => malformed(at, "a sequence below 2^64 - 1"),
        sequence => Ok(sequence),
    }
}

fn read_batch_remaining(reader: &mut Reader<'_>) -> Result<u32, MetadataError> {
    let at = reader.position();
    match u32::try_from(reader.unsigned()?) {
        Ok(remaining) if (remaining as usize) < BATCH_PARTICLES_MAX => Ok(remaining),
        _ => malformed(at, "fewer than 65536 particles to follow in the batch"),
    }
}

fn read_term(reader: &mut Reader<'_>) -> Result<Span, MetadataError> {
    let at = reader.position();
    let (text, span) = reader.text()?;
    match term::fault(text, TERM_BYTES_MAX) {
        None => Ok(span),
        Some(_) => malformed(at, "1 to 255 bytes of text without control characters"),
    }
}

fn read_encoding(reader: &mut Reader<'_>) -> Result<ContentEncoding, MetadataError> {
    let at = reader.position();
    let (name, _) = reader.text()?;
    name.parse()
        .or_else(|_| malformed(at, "content encoding gzip or zstd"))
}

fn read_hash(reader: &mut Reader<'_>) -> Result<Span, MetadataError> {
    let at = reader.position();
    let (bytes, span) = reader.bin()?;
    if bytes.len() == HASH_BYTES {
        Ok(span)
    } else {
        malformed(at, "a hash of 32 bytes")
    }
}
