//! A message encoded as a frame, but for its place in a chain: where its parts stand.

use thiserror::Error;

use crate::frame::{
    FINGERPRINT_AT, FOOTER_ID, HEADER_ID, IDS_BYTES, MESSAGE_SIZE_AT, METADATA_AT, METADATA_SIZE_AT,
};
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

/// A draft cannot stand where it was linked: it was made for a single message, or the batch would
/// have more than [`BATCH_PARTICLES_MAX`] particles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the draft was made for a single message, or its batch has more than {BATCH_PARTICLES_MAX} particles"
)]
pub struct NotInBatch;

/// Where the parts of an encoded message stand, counted from the beginning of its frame.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) frame_bytes: usize,
    pub(crate) metadata_bytes: usize,
    pub(crate) fields: Fields,
    sequence_at: usize,
    linked_at: Option<usize>,
    batch_at: Option<usize>,
}

impl Layout {
    /// Encodes a message behind what `buffer` holds and hashes its payload. Without a link it will
    /// stand at the beginning of a chain. After an error the buffer is as it was.
    pub(crate) fn encode(
        buffer: &mut Vec<u8>,
        message: &Message,
        stamp: &Stamp,
        has_link: bool,
    ) -> Result<Self, MessageError> {
        message.check()?;
        let start = buffer.len();
        buffer.reserve(frame_bytes_estimate(message, stamp));
        buffer.extend_from_slice(&HEADER_ID);
        buffer.resize(start + METADATA_AT, 0);
        let mut at = Encoder {
            metadata_at: start + METADATA_AT,
            writer: Writer { buffer },
        };
        let mut layout = at.metadata(message, stamp, has_link);
        if layout.metadata_bytes > METADATA_BYTES_MAX {
            buffer.truncate(start);
            return Err(MessageError::MetadataTooLarge {
                bytes: layout.metadata_bytes,
            });
        }
        layout.frame_bytes = FRAME_OVERHEAD_BYTES + layout.metadata_bytes + message.payload.len();
        let message_size = size_bytes(layout.frame_bytes - IDS_BYTES);
        buffer.extend_from_slice(&message.payload);
        buffer.extend_from_slice(&message_size);
        buffer.extend_from_slice(&FOOTER_ID);
        let frame = buffer.get_mut(start..).unwrap_or_default();
        put(frame, MESSAGE_SIZE_AT, &message_size);
        put(frame, METADATA_SIZE_AT, &size_bytes(layout.metadata_bytes));
        Ok(layout)
    }

    /// The metadata bytes of a frame of this layout.
    pub(crate) fn metadata<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let metadata = METADATA_AT..METADATA_AT + self.metadata_bytes;
        frame.get(metadata).unwrap_or_default()
    }

    /// Fills in the frame's place in the chain; its fingerprint.
    pub(crate) fn seal(
        &mut self,
        frame: &mut [u8],
        sequence: Sequence,
        linked: Option<Fingerprint>,
        batch_remaining: u32,
    ) -> Result<Fingerprint, NotInBatch> {
        #[expect(
            clippy::big_endian_bytes,
            reason = "MessagePack integers are big-endian"
        )]
        let (sequence_bytes, batch_bytes) =
            (sequence.get().to_be_bytes(), batch_remaining.to_be_bytes());
        match self.batch_at {
            _ if batch_remaining as usize >= BATCH_PARTICLES_MAX => return Err(NotInBatch),
            Some(at) => put(frame, at, &batch_bytes),
            None if batch_remaining > 0 => return Err(NotInBatch),
            None => {}
        }
        put(frame, self.sequence_at, &sequence_bytes);
        if let (Some(at), Some(linked)) = (self.linked_at, linked) {
            put(frame, at, linked.as_bytes());
        }
        self.fields.sequence = sequence;
        self.fields.batch_remaining = batch_remaining;
        let fingerprint = Fingerprint::of(self.metadata(frame));
        put(frame, FINGERPRINT_AT, fingerprint.as_bytes());
        Ok(fingerprint)
    }
}

/// The frames that stand one after the other, each with its layout.
pub(crate) fn split<'a>(
    mut frames: &'a [u8],
    layouts: &'a [Layout],
) -> impl Iterator<Item = (&'a [u8], &'a Layout)> {
    layouts.iter().map(move |layout| {
        let (frame, later) = frames
            .split_at_checked(layout.frame_bytes)
            .unwrap_or_default();
        frames = later;
        (frame, layout)
    })
}

fn put(frame: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = frame.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// Writes metadata and tells where in it each value came to stand.
struct Encoder<'a> {
    writer: Writer<'a>,
    /// Where in the buffer the metadata begins.
    metadata_at: usize,
}

impl Encoder<'_> {
    fn metadata(&mut self, message: &Message, stamp: &Stamp, has_link: bool) -> Layout {
        let optional = [
            has_link,
            stamp.in_batch,
            message.timestamp.is_some(),
            message.data_type().is_some(),
            message.content_type().is_some(),
            message.content_encoding.is_some(),
            message.message_group().is_some(),
            message.properties().len() > 0,
        ];
        let entries = 5 + optional.iter().filter(|is_there| **is_there).count();
        let mut fields = Fields::default();
        self.writer.map(entries + message.unknown.count);
        self.writer.text(key::VERSION);
        self.writer.small(FORMAT_VERSION);
        let id = message.id.as_ref().unwrap_or(&stamp.id);
        fields.id_is_uuid = id.uuid().is_some();
        self.writer.text(key::ID);
        fields.id = match (id.uuid(), id.text()) {
            (Some(uuid), _) => self.bin(uuid),
            (None, text) => self.text(text.unwrap_or_default()),
        };
        self.writer.text(key::SEQUENCE);
        let sequence_at = self.last(|w| w.full_u64(0), 8);
        self.writer.text(key::CREATED);
        self.writer.nanos(stamp.created.nanos());
        fields.created = stamp.created;
        if let Some(timestamp) = message.timestamp {
            self.writer.text(key::TIMESTAMP);
            self.writer.nanos(timestamp.nanos());
            fields.timestamp = Some(timestamp);
        }
        self.writer.text(key::PAYLOAD_HASH);
        let hash = message.payload_hash.as_deref().copied();
        let hash = hash.unwrap_or_else(|| PayloadHash::of(&message.payload));
        fields.payload_hash = self.bin(hash.as_bytes());
        let linked_at = has_link.then(|| {
            self.writer.text(key::LINKED_FINGERPRINT);
            let span = self.bin(&[0; HASH_BYTES]);
            fields.linked_fingerprint = Some(span);
            METADATA_AT + span.start as usize
        });
        let batch_at = stamp.in_batch.then(|| {
            self.writer.text(key::BATCH_REMAINING);
            self.last(|w| w.full_u32(0), 4)
        });
        self.describe(&mut fields, message);
        Layout {
            frame_bytes: 0,
            metadata_bytes: self.place() as usize,
            fields,
            sequence_at,
            linked_at,
            batch_at,
        }
    }

    /// Writes what describes the message: the part of the metadata that the index reads.
    fn describe(&mut self, fields: &mut Fields, message: &Message) {
        if let Some(text) = message.data_type() {
            self.writer.text(key::DATA_TYPE);
            fields.data_type = Some(self.text(text));
        }
        if let Some(text) = message.content_type() {
            self.writer.text(key::CONTENT_TYPE);
            fields.content_type = Some(self.text(text));
        }
        if let Some(encoding) = message.content_encoding {
            self.writer.text(key::CONTENT_ENCODING);
            self.writer.text(encoding.as_str());
            fields.content_encoding = Some(encoding);
        }
        if let Some(text) = message.message_group() {
            self.writer.text(key::MESSAGE_GROUP);
            fields.message_group = Some(self.text(text));
        }
        let properties = message.properties();
        if properties.len() > 0 {
            self.writer.text(key::PROPERTIES);
            self.writer.map(properties.len());
            fields.properties_count = properties.len() as u64;
            let start = self.place();
            for (name, value) in properties {
                self.writer.text(name);
                self.writer.text(value);
            }
            fields.properties = self.since(start);
        }
        let start = self.place();
        self.writer.buffer.extend_from_slice(&message.unknown.bytes);
        fields.unknown = self.since(start);
        fields.unknown_count = message.unknown.count;
    }

    fn place(&self) -> u32 {
        u32::try_from(self.writer.buffer.len() - self.metadata_at).unwrap_or(u32::MAX)
    }

    fn since(&self, start: u32) -> Span {
        let end = self.place();
        Span { start, end }
    }

    fn text(&mut self, text: &str) -> Span {
        self.writer.text(text);
        self.ending(text.len())
    }

    fn bin(&mut self, bytes: &[u8]) -> Span {
        self.writer.short_bin(bytes);
        self.ending(bytes.len())
    }

    /// The span of the last `width` bytes.
    fn ending(&self, width: usize) -> Span {
        let end = self.place();
        Span {
            start: end.saturating_sub(u32::try_from(width).unwrap_or(u32::MAX)),
            end,
        }
    }

    /// Writes a number and tells where in the frame its last `width` bytes begin.
    fn last(&mut self, write: impl FnOnce(&mut Writer<'_>), width: usize) -> usize {
        write(&mut self.writer);
        METADATA_AT + self.ending(width).start as usize
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
    let properties = message.properties();
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
            let capacity = frame_bytes_estimate(&message, &stamp);
            let mut buffer = Vec::with_capacity(capacity);
            let layout = Layout::encode(&mut buffer, &message, &stamp, true).unwrap();
            assert_eq!(buffer.capacity(), capacity);
            assert!(capacity - layout.frame_bytes < 300, "{capacity}");
        }
    }
}
