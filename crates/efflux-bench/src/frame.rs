//! The frames of docs/format.md, encoded and hashed by a bare loop into one buffer.
//!
//! A copy of what `Draft` and `Head` of efflux-particle write, without a type around anything: the
//! limit programs must not be held up by what they are to measure. A test compares the bytes.

use sha2::{Digest, Sha256};

use crate::workload::Record;

const HEADER_ID: [u8; 6] = [0x05, 0x01, 0x14, 0x29, 0x83, 0x0A];
const FOOTER_ID: [u8; 4] = [0x06, 0x11, 0x52, 0x5B];
const MESSAGE_SIZE_AT: usize = 6;
const METADATA_SIZE_AT: usize = 10;
const FINGERPRINT_AT: usize = 14;
const METADATA_AT: usize = 46;
/// Bytes of a frame that the message size leaves out.
const IDS_BYTES: usize = 10;

/// Encodes records as frames that link to each other.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    pub(crate) sequence: u64,
    pub(crate) linked: [u8; 32],
    /// The frames, one behind the other. Whoever writes them clears it.
    pub(crate) buffer: Vec<u8>,
}

impl Encoder {
    /// Adds a frame; `remaining` is how many of its batch follow, none for a single record.
    pub(crate) fn add(&mut self, record: &Record, remaining: Option<u32>) {
        let start = self.buffer.len();
        self.sequence += 1;
        self.buffer.extend_from_slice(&HEADER_ID);
        self.buffer.resize(start + METADATA_AT, 0);
        self.metadata(record, remaining);
        let metadata_bytes = self.buffer.len() - start - METADATA_AT;
        let fingerprint: [u8; 32] =
            Sha256::digest(self.buffer.get(start + METADATA_AT..).unwrap_or_default()).into();
        self.buffer.extend_from_slice(&record.payload);
        let size = self.buffer.len() - start + 8 - IDS_BYTES;
        let size = u32::try_from(size).unwrap_or(0).to_le_bytes();
        self.buffer.extend_from_slice(&size);
        self.buffer.extend_from_slice(&FOOTER_ID);
        let metadata_size = u32::try_from(metadata_bytes).unwrap_or(0).to_le_bytes();
        self.put(start + MESSAGE_SIZE_AT, &size);
        self.put(start + METADATA_SIZE_AT, &metadata_size);
        self.put(start + FINGERPRINT_AT, &fingerprint);
        self.linked = fingerprint;
    }

    fn metadata(&mut self, record: &Record, remaining: Option<u32>) {
        self.buffer
            .push(if remaining.is_some() { 0x8b } else { 0x8a });
        self.text("v");
        self.buffer.push(1);
        self.text("id");
        self.bytes(&record.id);
        self.text("sequence");
        self.number(0xcf, self.sequence, 8);
        self.text("created");
        self.number(0xcf, record.created.cast_unsigned(), 8);
        self.text("timestamp");
        self.number(0xcf, record.timestamp.cast_unsigned(), 8);
        self.text("payload_hash");
        let hash: [u8; 32] = Sha256::digest(&record.payload).into();
        self.bytes(&hash);
        self.text("linked_fingerprint");
        let linked = self.linked;
        self.bytes(&linked);
        if let Some(remaining) = remaining {
            self.text("batch_remaining");
            self.number(0xce, u64::from(remaining), 4);
        }
        self.text("data_type");
        self.text(&record.data_type);
        self.text("message_group");
        self.text(&record.group);
        self.text("properties");
        self.buffer.push(0x82);
        self.text("kind");
        self.text(&record.kind);
        self.text("order");
        self.text(&record.order);
    }

    /// Every text of the workload is shorter than 32 bytes.
    fn text(&mut self, text: &str) {
        self.buffer
            .push(0xa0 | u8::try_from(text.len()).unwrap_or(0));
        self.buffer.extend_from_slice(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.push(0xc4);
        self.buffer.push(u8::try_from(bytes.len()).unwrap_or(0));
        self.buffer.extend_from_slice(bytes);
    }

    fn number(&mut self, marker: u8, number: u64, width: usize) {
        self.buffer.push(marker);
        self.buffer
            .extend(number.to_le_bytes().iter().take(width).rev());
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.buffer.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;
    use efflux_node::particle::{Draft, Head, Id, Stamp, Timestamp};

    #[test]
    fn frames_are_those_that_efflux_writes() {
        let topic = "orders".parse().unwrap();
        let workload = Workload::new(100);
        let stamp = |record: &Record, in_batch| Stamp {
            id: Id::from_uuid(record.id),
            created: Timestamp::from_nanos(record.created),
            in_batch,
        };
        let (mut head, _) = Head::root(&topic, &stamp(&workload.record(0), false)).unwrap();
        let mut encoder = Encoder {
            linked: *head.fingerprint.as_bytes(),
            ..Encoder::default()
        };
        for (number, remaining) in [(1, None), (2, Some(1)), (3, Some(0))] {
            let record = workload.record(number);
            let stamp = stamp(&record, remaining.is_some());
            let draft = Draft::encode(&record.message(false), &stamp).unwrap();
            let (next, particle) = head.link_in_batch(draft, remaining.unwrap_or(0)).unwrap();
            head = next;
            encoder.buffer.clear();
            encoder.add(&record, remaining);
            assert_eq!(&*encoder.buffer, &**particle.frame());
        }
    }
}
