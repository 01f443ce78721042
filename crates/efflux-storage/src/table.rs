//! A sorted table of keys and values, which the index is kept in: on disk, or in memory.

mod fjall;
mod memory;
mod preflight;

use std::fmt;
use std::ops::{ControlFlow, Deref};
use std::sync::Arc;

pub(crate) use self::fjall::DiskTable;
pub(crate) use self::memory::MemoryTable;
use crate::error::Result;

/// Bytes of every key in [`Space::Groups`]: short enough that the table keeps it without a pointer.
pub(crate) const POINT_KEY_BYTES: usize = 20;

/// The parts of a table; a key stands in one of them.
///
/// They are kept apart for what their keys do to merging: those of [`Space::Runs`] come in
/// ascending order, so that what was written once is hardly ever written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// Short keys that are written over and over.
    Groups,
    /// Fewer keys with longer values, most of them written once, in ascending order.
    Runs,
}

/// A key with its new value; none removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Entry {
    pub(crate) const fn put(key: Vec<u8>, value: Vec<u8>) -> Self {
        Self {
            key,
            value: Some(value),
        }
    }

    pub(crate) const fn remove(key: Vec<u8>) -> Self {
        Self { key, value: None }
    }
}

/// What is written together. Each list ascends by its keys, none of them twice.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Whether there is much of it: it is then written as finished tables, one for each space.
    pub(crate) bulk: bool,
    /// Entries of [`Space::Groups`].
    pub(crate) groups: Vec<Entry>,
    /// Entries of [`Space::Runs`].
    pub(crate) runs: Vec<Entry>,
}

/// A stored value, shared with the table.
pub(crate) struct Value(Held);

enum Held {
    Memory(Arc<[u8]>),
    Disk(self::fjall::Bytes),
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::Memory(bytes) => bytes,
            Held::Disk(bytes) => bytes,
        }
    }
}

/// Told each key and value in turn; tells whether to go on.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// A sorted table.
///
/// 1. What one `write` brings to a space is there as a whole after a crash, or not at all.
/// 2. A crash of the process leaves a prefix of all writes, but that the last one may have reached
///    only the first of the spaces.
/// 3. A power cut, or rot, takes a suffix of the writes of each space, from some more than from
///    others: whoever needs them to agree writes marks into them and compares these.
/// 4. Bulk writes are durable, with everything that was written to the same space before.
/// 5. What was written is seen by every later `get` and `scan`.
/// 6. After an error nothing is known any more: the table is to be deleted.
pub(crate) trait Table: Send + Sync + fmt::Debug {
    /// The value of a key.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>>;

    /// All keys from `from` on and before `until`, ascending.
    fn scan(&self, space: Space, from: &[u8], until: &[u8], visit: Visit<'_>) -> Result<()>;

    /// Writes changes.
    fn write(&self, changes: Changes) -> Result<()>;

    /// Removes keys, which ascend.
    fn remove(&self, space: Space, keys: Vec<Vec<u8>>) -> Result<()>;

    /// Makes all that was written durable.
    fn persist(&self) -> Result<()>;
}

/// A number as it is stored: little-endian, without the zeros at its end.
pub(crate) fn point_value(value: u64) -> ([u8; 8], usize) {
    let bytes = value.to_le_bytes();
    (bytes, 8 - value.leading_zeros() as usize / 8)
}

/// Reads what [`point_value`] made.
pub(crate) fn read_point_value(stored: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..stored.len())?.copy_from_slice(stored);
    Some(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_value_reads_back_in_few_bytes() {
        for (value, bytes) in [
            (0, 0),
            (1, 1),
            (255, 1),
            (256, 2),
            (10_000_000, 3),
            (u64::MAX, 8),
        ] {
            let (stored, count) = point_value(value);
            assert_eq!(count, bytes, "{value}");
            assert_eq!(read_point_value(&stored[..count]), Some(value));
        }
        assert_eq!(read_point_value(&[0; 9]), None);
    }
}
