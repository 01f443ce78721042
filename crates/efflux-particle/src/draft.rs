//! A message encoded as a frame, but for its place in a chain.

use thiserror::Error;

use crate::frame::{FINGERPRINT_AT, FOOTER_ID, HEADER_ID, IDS_BYTES, METADATA_AT};
use crate::hash::{Fingerprint, HASH_BYTES, PayloadHash};
use crate::id::Id;
use crate::limits::{BATCH_PARTICLES_MAX, FRAME_OVERHEAD_BYTES, METADATA_BYTES_MAX};
use crate::message::{Message, MessageError};
use crate::metadata::{FORMAT_VERSION, Fields, key};
use crate::msgpack::{Span, Writer};
use crate::sequence::Sequence;
use crate::timestamp::Timestamp;

/// What the sealing side adds to a message: this crate has neither a clock nor randomness.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The id, used when the message has none.
    pub id: Id,
    /// When the message entered Efflux.
    pub created: Timestamp,
    /// Whether the message will stand in a batch of several.
    pub in_batch: bool,
}

/// A message encoded as a frame, but for its place in a chain.
///
/// Making one hashes the payload and may run on many threads. [`Head::link`](crate::Head::link)
/// then only fills in the sequence, the link and the fingerprint.
///
/// ```
/// use efflux_particle::{Draft, Id, Message, PayloadHash, Stamp, Timestamp};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stamp = Stamp {
/// #     id: Id::from_uuid([1; 16]),
/// #     created: Timestamp::from_nanos(1_767_225_600_000_000_000),
/// #     in_batch: false,
/// # };
/// let draft = Draft::encode(&Message::new("hello"), &stamp)?;
/// assert_eq!(draft.id(), stamp.id);
/// assert_eq!(draft.payload_hash(), PayloadHash::of(b"hello"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    frame: Vec<u8>,
    fields: Fields,
    metadata_bytes: usize,
    sequence_at: usize,
    linked_at: Option<usize>,
    batch_at: Option<usize>,
}

/// A draft cannot stand where it was linked: it was made for a single message, or the batch would
/// have more than [`BATCH_PARTICLES_MAX`] particles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the draft was made for a single message, or its batch has more than {BATCH_PARTICLES_MAX} particles"
)]
pub struct NotInBatch;

impl Draft {
    /// Encodes a message and hashes its payload.
    ///
    /// # Errors
    /// [`MessageError`] when a part of the message is over its bound.
    pub fn encode(message: &Message, stamp: &Stamp) -> Result<Self, MessageError> {
        Self::encode_with_link(message, stamp, true)
    }

    /// Encodes a message that will stand at the beginning of a chain.
    pub(crate) fn encode_root(message: &Message, stamp: &Stamp) -> Result<Self, MessageError> {
        Self::encode_with_link(message, stamp, false)
    }

    fn encode_with_link(
        message: &Message,
        stamp: &Stamp,
        linked: bool,
    ) -> Result<Self, MessageError> {
        message.check()?;
        let mut frame = Vec::with_capacity(frame_bytes_estimate(message, stamp));
        frame.extend_from_slice(&HEADER_ID);
        frame.resize(METADATA_AT, 0);
        let mut draft = Self {
            frame,
            fields: Fields::default(),
            metadata_bytes: 0,
            sequence_at: 0,
            linked_at: None,
            batch_at: None,
        };
        draft.write_metadata(message, stamp, linked);
        draft.metadata_bytes = draft.frame.len() - METADATA_AT;
        if draft.metadata_bytes > METADATA_BYTES_MAX {
            return Err(MessageError::MetadataTooLarge {
                bytes: draft.metadata_bytes,
            });
        }
        draft.frame.extend_from_slice(&message.payload);
        let frame_bytes = FRAME_OVERHEAD_BYTES + draft.metadata_bytes + message.payload.len();
        let message_size = size_bytes(frame_bytes - IDS_BYTES);
        draft.frame.extend_from_slice(&message_size);
        draft.frame.extend_from_slice(&FOOTER_ID);
        draft.put(crate::frame::MESSAGE_SIZE_AT, &message_size);
        draft.put(
            crate::frame::METADATA_SIZE_AT,
            &size_bytes(draft.metadata_bytes),
        );
        Ok(draft)
    }

    fn write_metadata(&mut self, message: &Message, stamp: &Stamp, linked: bool) {
        let optional = [
            linked,
            stamp.in_batch,
            message.timestamp.is_some(),
            message.data_type.is_some(),
            message.content_type.is_some(),
            message.content_encoding.is_some(),
            message.message_group.is_some(),
            !message.properties.is_empty(),
        ];
        let entries = 5 + optional.iter().filter(|is_there| **is_there).count();
        let mut at = Places {
            writer: Writer {
                buffer: &mut self.frame,
            },
        };
        at.writer.map(entries + message.unknown.count);
        at.writer.text(key::VERSION);
        at.writer.small(FORMAT_VERSION);
        let fields = &mut self.fields;
        let id = message.id.as_ref().unwrap_or(&stamp.id);
        fields.id_is_uuid = id.uuid().is_some();
        at.writer.text(key::ID);
        fields.id = match (id.uuid(), id.text()) {
            (Some(uuid), _) => at.bin(uuid),
            (None, text) => at.text(text.unwrap_or_default()),
        };
        at.writer.text(key::SEQUENCE);
        self.sequence_at = at.last(|w| w.full_u64(0), 8);
        at.writer.text(key::CREATED);
        at.writer.nanos(stamp.created.nanos());
        fields.created = stamp.created;
        if let Some(timestamp) = message.timestamp {
            at.writer.text(key::TIMESTAMP);
            at.writer.nanos(timestamp.nanos());
            fields.timestamp = Some(timestamp);
        }
        at.writer.text(key::PAYLOAD_HASH);
        fields.payload_hash = at.bin(PayloadHash::of(&message.payload).as_bytes());
        if linked {
            at.writer.text(key::LINKED_FINGERPRINT);
            fields.linked_fingerprint = Some(at.bin(&[0; HASH_BYTES]));
            self.linked_at = Some(at.writer.buffer.len() - HASH_BYTES);
        }
        if stamp.in_batch {
            at.writer.text(key::BATCH_REMAINING);
            self.batch_at = Some(at.last(|w| w.full_u32(0), 4));
        }
        write_descriptive(fields, &mut at, message);
    }

    /// The id that the particle will have.
    #[must_use]
    pub fn id(&self) -> Id {
        self.fields.id(self.metadata())
    }

    /// The payload's hash.
    #[must_use]
    pub fn payload_hash(&self) -> PayloadHash {
        self.fields.payload_hash(self.metadata())
    }

    /// The message group, if there is one.
    #[must_use]
    pub fn message_group(&self) -> Option<&str> {
        let span = self.fields.message_group?;
        Some(span.text(self.metadata()))
    }

    /// Bytes of the frame that the draft becomes.
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    pub(crate) const fn metadata_bytes(&self) -> usize {
        self.metadata_bytes
    }

    fn metadata(&self) -> &[u8] {
        let metadata = METADATA_AT..METADATA_AT + self.metadata_bytes;
        self.frame.get(metadata).unwrap_or_default()
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.frame.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// Fills in the place in the chain; the frame, its metadata fields and its fingerprint.
    pub(crate) fn seal(
        mut self,
        sequence: Sequence,
        linked: Option<Fingerprint>,
        batch_remaining: u32,
    ) -> Result<(Vec<u8>, Fields, Fingerprint), NotInBatch> {
        #[expect(
            clippy::big_endian_bytes,
            reason = "MessagePack integers are big-endian"
        )]
        let (sequence_bytes, batch_bytes) =
            (sequence.get().to_be_bytes(), batch_remaining.to_be_bytes());
        self.put(self.sequence_at, &sequence_bytes);
        self.fields.sequence = sequence;
        if let (Some(at), Some(linked)) = (self.linked_at, linked) {
            self.put(at, linked.as_bytes());
        }
        match self.batch_at {
            _ if batch_remaining as usize >= BATCH_PARTICLES_MAX => return Err(NotInBatch),
            Some(at) => self.put(at, &batch_bytes),
            None if batch_remaining > 0 => return Err(NotInBatch),
            None => {}
        }
        self.fields.batch_remaining = batch_remaining;
        let fingerprint = Fingerprint::of(self.metadata());
        self.put(FINGERPRINT_AT, fingerprint.as_bytes());
        Ok((self.frame, self.fields, fingerprint))
    }
}

/// Writes what describes the message: the part of the metadata that the index reads.
fn write_descriptive(fields: &mut Fields, at: &mut Places<'_>, message: &Message) {
    if let Some(text) = &message.data_type {
        at.writer.text(key::DATA_TYPE);
        fields.data_type = Some(at.text(text));
    }
    if let Some(text) = &message.content_type {
        at.writer.text(key::CONTENT_TYPE);
        fields.content_type = Some(at.text(text));
    }
    if let Some(encoding) = message.content_encoding {
        at.writer.text(key::CONTENT_ENCODING);
        at.writer.text(encoding.as_str());
        fields.content_encoding = Some(encoding);
    }
    if let Some(text) = &message.message_group {
        at.writer.text(key::MESSAGE_GROUP);
        fields.message_group = Some(at.text(text));
    }
    if !message.properties.is_empty() {
        at.writer.text(key::PROPERTIES);
        at.writer.map(message.properties.len());
        let start = at.place();
        for (name, value) in &message.properties {
            at.writer.text(name);
            at.writer.text(value);
        }
        fields.properties = Span {
            start,
            end: at.place(),
        };
        fields.properties_count = message.properties.len() as u64;
    }
    let start = at.place();
    at.writer.buffer.extend_from_slice(&message.unknown.bytes);
    fields.unknown = Span {
        start,
        end: at.place(),
    };
    fields.unknown_count = message.unknown.count;
}

/// A writer that tells where in the metadata each value came to stand.
struct Places<'a> {
    writer: Writer<'a>,
}

impl Places<'_> {
    fn place(&self) -> u32 {
        u32::try_from(self.writer.buffer.len() - METADATA_AT).unwrap_or(u32::MAX)
    }

    fn text(&mut self, text: &str) -> Span {
        self.writer.text(text);
        let end = self.place();
        Span {
            start: end.saturating_sub(u32::try_from(text.len()).unwrap_or(u32::MAX)),
            end,
        }
    }

    fn bin(&mut self, bytes: &[u8]) -> Span {
        self.writer.short_bin(bytes);
        let end = self.place();
        Span {
            start: end.saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
            end,
        }
    }

    /// Writes a number and tells where in the frame its last `width` bytes begin.
    fn last(&mut self, write: impl FnOnce(&mut Writer<'_>), width: usize) -> usize {
        write(&mut self.writer);
        self.writer.buffer.len() - width
    }
}

/// Bytes that a message's frame has at most, and not many more than it has.
///
/// A frame that outgrew its buffer would be copied into one of twice the size, payload and all.
fn frame_bytes_estimate(message: &Message, stamp: &Stamp) -> usize {
    /// More than the known keys, the values of fixed width and the markers of the others take.
    const FIXED_BYTES: usize = 296;
    /// The markers of a property's name and value.
    const MARKERS_BYTES: usize = 5;
    let id = message.id.as_ref().unwrap_or(&stamp.id);
    let terms = [
        id.text(),
        message.data_type(),
        message.content_type(),
        message.message_group(),
    ];
    let properties = message.properties.iter();
    FRAME_OVERHEAD_BYTES
        + FIXED_BYTES
        + terms.into_iter().flatten().map(str::len).sum::<usize>()
        + properties
            .map(|(name, value)| MARKERS_BYTES + name.len() + value.len())
            .sum::<usize>()
        + message.unknown.bytes.len()
        + message.payload.len()
}

fn size_bytes(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::ContentEncoding;
    use crate::message::Unknown;

    #[test]
    fn a_frame_never_outgrows_its_buffer() {
        let everything = Message::new(vec![0; 100_000])
            .with_timestamp(Timestamp::MIN)
            .with_data_type("d".repeat(255))
            .with_content_type("c".repeat(255))
            .with_content_encoding(ContentEncoding::Gzip)
            .with_message_group("g".repeat(255));
        let mut everything = (0..64).fold(everything, |message, number| {
            message.with_property(format!("{number:0128}"), "v".repeat(800))
        });
        everything.unknown = Unknown {
            count: 70,
            bytes: vec![0xc0; 100].into(),
        };
        let uuid = Id::from_uuid([0xff; 16]);
        let long = "i".repeat(255).parse::<Id>().unwrap();
        for (message, id) in [
            (Message::new(""), &uuid),
            (everything.clone(), &uuid),
            (everything.clone(), &long),
            (everything.with_id(long.clone()), &uuid),
        ] {
            let stamp = Stamp {
                id: id.clone(),
                created: Timestamp::MAX,
                in_batch: true,
            };
            let draft = Draft::encode(&message, &stamp).unwrap();
            let capacity = frame_bytes_estimate(&message, &stamp);
            assert_eq!(draft.frame.capacity(), capacity);
            assert!(capacity - draft.frame_bytes() < 300, "{capacity}");
        }
    }
}
