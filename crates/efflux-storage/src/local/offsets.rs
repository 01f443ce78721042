//! Where each frame of a segment begins, with a checksum for cheap checking of bulk reads.
//!
//! The table of a sealed segment lies beside it as a file that may be deleted at any time:
//!
//! ```text
//! offset      bytes
//! 0           8      magic "EFXOFFS\x01"
//! 8           8      first sequence
//! 16          4      count of frames
//! 20          4      byte at which the last frame ends
//! 24          8 n    for each frame: byte at which it begins, CRC-32C of its bytes
//! 24 + 8 n    4      CRC-32C of all above
//! ```

use std::ops::Range;

use efflux_particle::Sequence;

const MAGIC: [u8; 8] = *b"EFXOFFS\x01";
const ENTRIES_AT: usize = 24;
const ENTRY_BYTES: usize = 8;
/// A frame has more bytes than this.
const FRAME_BYTES_MIN: u32 = 54;

/// One frame: where it begins, and its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) start: u32,
    /// CRC-32C of the frame; 0 when it is not known, and then the frame's hashes are computed.
    pub(super) crc: u32,
}

/// One frame's bytes in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) crc: u32,
}

impl Extent {
    /// The place among bytes that begin at byte `start` of the segment.
    pub(super) const fn within(&self, start: u32) -> Range<usize> {
        (self.start - start) as usize..(self.end - start) as usize
    }

    /// Whether the checksum is known and is that of these bytes.
    pub(super) fn fits(&self, frame: &[u8]) -> bool {
        self.crc != 0 && crc32c::crc32c(frame) == self.crc
    }
}

/// Where the frames of a segment begin, from its first one on, without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offsets {
    first: Sequence,
    entries: Vec<Entry>,
    end: u32,
}

impl Offsets {
    pub(super) const fn starting_at(first: Sequence) -> Self {
        Self {
            first,
            entries: Vec::new(),
            end: 0,
        }
    }

    /// The sequence that comes after the last known frame.
    pub(super) fn next(&self) -> Sequence {
        self.first.plus(self.entries.len() as u64)
    }

    /// Where the last known frame ends.
    pub(super) const fn end(&self) -> u32 {
        self.end
    }

    /// Bytes of memory that so many frames take.
    pub(super) const fn bytes_of(frames: u64) -> u64 {
        frames.saturating_mul(ENTRY_BYTES as u64)
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * ENTRY_BYTES
    }

    /// Lets go of the memory that is held for frames to come.
    pub(super) fn trim(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Adds the next frame; a checksum of 0 means that it is not known.
    pub(super) fn push(&mut self, frame_bytes: u32, crc: u32) {
        self.entries.push(Entry {
            start: self.end,
            crc,
        });
        self.end = self.end.saturating_add(frame_bytes);
    }

    pub(super) fn extent(&self, sequence: Sequence) -> Option<Extent> {
        if sequence < self.first {
            return None;
        }
        let at = usize::try_from(sequence.past(self.first)).ok()?;
        let entry = self.entries.get(at)?;
        let end = self.entries.get(at + 1).map_or(self.end, |next| next.start);
        Some(Extent {
            start: entry.start,
            end,
            crc: entry.crc,
        })
    }

    /// Whether `whole` begins with the same frames.
    pub(super) fn is_within(&self, whole: &Self) -> bool {
        self.first == whole.first && whole.entries.starts_with(&self.entries)
    }

    /// The first frame whose checksum is not known.
    pub(super) fn first_unchecked(&self) -> Option<Sequence> {
        let at = self.entries.iter().position(|entry| entry.crc == 0)?;
        Some(self.first.plus(at as u64))
    }

    /// Keeps the checksum of a frame that was checked by its hashes. A checksum of 0 stays unknown,
    /// and such a frame is checked by its hashes each time; it is written as 1, which never fits.
    pub(super) fn set_crc(&mut self, sequence: Sequence, crc: u32) {
        let at = usize::try_from(sequence.past(self.first)).unwrap_or(usize::MAX);
        if let Some(entry) = self.entries.get_mut(at) {
            entry.crc = crc.max(1);
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENTRIES_AT + self.entries.len() * ENTRY_BYTES + 4);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.first.get().to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(self.entries.len()).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&self.end.to_le_bytes());
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.start.to_le_bytes());
            bytes.extend_from_slice(&entry.crc.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// Where in a table's file the entry of the frame at this place stands, with the checksum or
    /// the entry behind it.
    pub(super) fn entry_place(at: u64) -> Option<(u64, usize)> {
        let start = at.checked_mul(ENTRY_BYTES as u64)?;
        Some((start.checked_add(ENTRIES_AT as u64)?, ENTRY_BYTES + 4))
    }

    /// Reads an entry and the start of the one behind it, or the segment's end behind the last.
    pub(super) fn decode_entry(bytes: &[u8], segment_end: Option<u32>) -> Option<Extent> {
        let small = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let end = match segment_end {
            Some(end) => end,
            None => small(ENTRY_BYTES)?,
        };
        Some(Extent {
            start: small(0)?,
            end,
            crc: small(4)?,
        })
    }

    /// Reads a table; none when it is not whole or not of this segment.
    pub(super) fn decode(bytes: &[u8], first: Sequence) -> Option<Self> {
        let small = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let (above, checksum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        let is_whole = above.starts_with(&MAGIC)
            && above.get(8..16)? == first.get().to_le_bytes()
            && checksum == crc32c::crc32c(above).to_le_bytes();
        let entries = above.get(ENTRIES_AT..)?;
        if !is_whole || usize::try_from(small(16)?).ok()? * ENTRY_BYTES != entries.len() {
            return None;
        }
        let entry = |pair: &[u8]| {
            let (start, crc) = pair.split_at_checked(4)?;
            Some(Entry {
                start: u32::from_le_bytes(start.try_into().ok()?),
                crc: u32::from_le_bytes(crc.try_into().ok()?),
            })
        };
        let entries: Vec<Entry> = entries
            .chunks_exact(ENTRY_BYTES)
            .map(entry)
            .collect::<Option<_>>()?;
        let end = small(20)?;
        let starts = entries.iter().map(|entry| entry.start);
        let ends = starts.clone().skip(1).chain([end]);
        let is_frame = |(start, end): (u32, u32)| end.saturating_sub(start) > FRAME_BYTES_MIN;
        let begins = entries.first().map_or(end, |entry| entry.start) == 0;
        if !begins || !starts.zip(ends).all(is_frame) {
            return None;
        }
        Some(Self {
            first,
            entries,
            end,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_reads_back_and_no_flipped_bit_does() {
        let first = Sequence::new(10);
        let mut offsets = Offsets::starting_at(first);
        offsets.push(100, 1);
        offsets.push(55, 2);
        let bytes = offsets.encode();
        assert_eq!(Offsets::decode(&bytes, first), Some(offsets.clone()));
        assert_eq!(Offsets::decode(&bytes, Sequence::new(11)), None);
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert_eq!(Offsets::decode(&flipped, first), None, "bit {at}");
        }
        assert_eq!(
            offsets.extent(first),
            Some(Extent {
                start: 0,
                end: 100,
                crc: 1
            })
        );
        assert_eq!(
            offsets.extent(first.next()),
            Some(Extent {
                start: 100,
                end: 155,
                crc: 2
            })
        );
        assert_eq!(offsets.extent(offsets.next()), None);
    }
}
