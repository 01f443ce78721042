//! The bytes of one simulated file: those that programs see, and those that a power cut leaves.

use super::random::Random;

/// Bytes that a disk writes all or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

/// The bytes of a file.
///
/// - `live` is what a read shows: the page cache
/// - `durable` is what the platter holds
/// - `unsynced` are the changes since the last sync; after a failed sync they are forgotten, and
///   `live` goes on showing what `durable` lacks
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl Contents {
    pub(super) fn live(&self) -> &[u8] {
        &self.live
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.live, offset, bytes);
        let bytes = bytes.to_vec();
        self.unsynced.push(Change::Write { offset, bytes });
    }

    pub(super) fn set_len(&mut self, bytes: usize) {
        self.live.resize(bytes, 0);
        self.unsynced.push(Change::SetLen(bytes));
    }

    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync that fails: some changes reach the platter, and no later sync will try the others.
    pub(super) fn fail_to_sync(&mut self, random: &mut Random) {
        for change in std::mem::take(&mut self.unsynced) {
            if random.chance(30) {
                change.apply(&mut self.durable);
            }
        }
    }

    /// Turns one bit of what is read and of what is stored.
    pub(super) fn flip(&mut self, offset: usize, bit: u32) {
        for bytes in [&mut self.live, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= 1_u8.wrapping_shl(bit);
            }
        }
    }

    /// The file after a power cut: what was durable, and any part of what was not.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> Self {
        let mut bytes = self.durable.clone();
        // All, nothing, or a mix: a mix alone would hardly ever take or leave everything.
        let kept = *random.pick(&[0, 0, 100, 50, 80]).unwrap_or(&50);
        for change in &self.unsynced {
            if random.chance(kept) {
                change.apply(&mut bytes);
            } else if kept > 0 {
                change.tear(&mut bytes, random);
            }
        }
        Self {
            live: bytes.clone(),
            durable: bytes,
            unsynced: Vec::new(),
        }
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => put(to, *offset, bytes),
            Self::SetLen(bytes) => to.resize(*bytes, 0),
        }
    }

    /// Applies a part of a write: nothing, its first sectors, or any of its sectors.
    fn tear(&self, to: &mut Vec<u8>, random: &mut Random) {
        let Self::Write { offset, bytes } = self else {
            return;
        };
        let mut sectors = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let end = start + SECTOR_BYTES - (offset + start) % SECTOR_BYTES;
            sectors.push(start..end.min(bytes.len()));
            start = end;
        }
        let first = random.at_most(sectors.len());
        let any = random.chance(50);
        for (at, sector) in sectors.into_iter().enumerate() {
            let is_kept = if any { random.chance(50) } else { at < first };
            if is_kept {
                put(
                    to,
                    offset + sector.start,
                    bytes.get(sector).unwrap_or_default(),
                );
            }
        }
    }
}

/// Writes bytes at a place; what lies between the old end and there becomes zeros.
fn put(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    if let Some(place) = to.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}
