//! The HEAD record: where a topic's chain stands, told beside the stream.
//!
//! It tells a torn tail, which was never acknowledged, from a damaged one, which was. Two slots are
//! written in turn, each within one sector, so that one of them is always whole:
//!
//! ```text
//! offset  bytes
//! 0       8      magic "EFXHEAD\x01"
//! 8       8      counter: the slot with the greater one is newer
//! 16      8      sequence of the last particle
//! 24      32     its fingerprint
//! 56      8      first sequence of its segment
//! 64      8      byte at which it ends in that segment
//! 72      8      first sequence of the segment that is synced last
//! 80      8      byte in that segment up to which everything is synced
//! 88      16     boot of the machine in which it was written, zeros when unknown
//! 104     4      1 when the topic was closed in good order
//! 108     4      CRC-32C of the bytes above
//! ```

use std::io;

use efflux_particle::{Fingerprint, HASH_BYTES, Head, Sequence};

use crate::disk::{DiskFile, read_up_to};

const MAGIC: [u8; 8] = *b"EFXHEAD\x01";
const RECORD_BYTES: usize = 112;
const CHECKED_BYTES: usize = 108;
/// Bytes from one slot to the next: a sector each.
const SLOT_BYTES: u64 = 512;
/// One record a nanosecond for 36 years; what says more was not written by this program.
const COUNTER_MAX: u64 = 1 << 60;
/// Bytes of the whole file.
pub(super) const HEAD_FILE_BYTES: u64 = 2 * SLOT_BYTES;

/// A place in the files of a topic: a segment and a byte in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: Sequence,
    pub(super) byte: u64,
}

/// Where a topic's chain stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeadRecord {
    pub(super) counter: u64,
    pub(super) head: Head,
    /// Where the last particle ends.
    pub(super) end: Place,
    /// Up to where everything was synced.
    pub(super) synced: Place,
    pub(super) boot: [u8; 16],
    pub(super) is_clean: bool,
}

/// What the two slots hold.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// The newest whole record.
    pub(super) newest: Option<HeadRecord>,
    /// Byte offsets of slots that are neither whole nor empty.
    pub(super) damaged: Vec<u64>,
}

impl HeadRecord {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(RECORD_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.counter.to_le_bytes());
        bytes.extend_from_slice(&self.head.sequence.get().to_le_bytes());
        bytes.extend_from_slice(self.head.fingerprint.as_bytes());
        for place in [self.end, self.synced] {
            bytes.extend_from_slice(&place.segment.get().to_le_bytes());
            bytes.extend_from_slice(&place.byte.to_le_bytes());
        }
        bytes.extend_from_slice(&self.boot);
        bytes.extend_from_slice(&u32::from(self.is_clean).to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let small = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let place = |at: usize| {
            Some(Place {
                segment: Sequence::new(number(at)?),
                byte: number(at + 8)?,
            })
        };
        let checked = bytes.get(..CHECKED_BYTES)?;
        if !checked.starts_with(&MAGIC) || crc32c::crc32c(checked) != small(CHECKED_BYTES)? {
            return None;
        }
        let fingerprint: [u8; HASH_BYTES] = bytes.get(24..56)?.try_into().ok()?;
        Some(Self {
            counter: number(8).filter(|counter| *counter <= COUNTER_MAX)?,
            head: Head {
                sequence: Sequence::new(number(16)?),
                fingerprint: Fingerprint::from_bytes(fingerprint),
            },
            end: place(56)?,
            synced: place(72)?,
            boot: bytes.get(88..104)?.try_into().ok()?,
            is_clean: small(104)? == 1,
        })
    }

    /// Writes the record into the slot that holds the older one. It is not synced.
    pub(super) fn write(&self, file: &dyn DiskFile) -> io::Result<()> {
        file.write_at(&self.encode(), self.counter % 2 * SLOT_BYTES)
    }

    /// The bytes of a new HEAD file.
    pub(super) fn new_file(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(HEAD_FILE_BYTES).unwrap_or(0)];
        let start = usize::try_from(self.counter % 2 * SLOT_BYTES).unwrap_or(0);
        for (place, byte) in bytes.iter_mut().skip(start).zip(self.encode()) {
            *place = byte;
        }
        bytes
    }
}

impl Slots {
    pub(super) fn read(file: &dyn DiskFile) -> io::Result<Self> {
        let mut slots = Self::default();
        for at in [0, SLOT_BYTES] {
            let mut bytes = [0; RECORD_BYTES];
            read_up_to(file, &mut bytes, at)?;
            match HeadRecord::decode(&bytes) {
                Some(record) => {
                    if slots
                        .newest
                        .as_ref()
                        .is_none_or(|newest| newest.counter < record.counter)
                    {
                        slots.newest = Some(record);
                    }
                }
                None if bytes.iter().all(|byte| *byte == 0) => {}
                None => slots.damaged.push(at),
            }
        }
        Ok(slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_no_flipped_bit_does() {
        let record = HeadRecord {
            counter: 7,
            head: Head {
                sequence: Sequence::new(41),
                fingerprint: Fingerprint::of(b"x"),
            },
            end: Place {
                segment: Sequence::new(3),
                byte: 999,
            },
            synced: Place {
                segment: Sequence::new(2),
                byte: 77,
            },
            boot: [9; 16],
            is_clean: true,
        };
        let bytes = record.encode();
        assert_eq!(bytes.len(), RECORD_BYTES);
        assert_eq!(HeadRecord::decode(&bytes), Some(record));
        for at in 0..RECORD_BYTES * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert_eq!(HeadRecord::decode(&flipped), None, "bit {at}");
        }
    }
}
