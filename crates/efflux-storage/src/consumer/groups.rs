//! Whose turn it is in each message group.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

use efflux_particle::Sequence;

use super::limits::PARKED_MAX;

/// A message group, by a hash of its name.
///
/// Two groups with one hash are treated as one: their particles then wait for each other, which is
/// stricter than asked for and never wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupKey(u64);

impl GroupKey {
    pub(super) fn of(name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(name.as_bytes());
        Self(hasher.finish())
    }
}

/// Takes a group's key, which is a hash already, as its hash.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// What came of asking for a group's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has the turn until it leaves.
    Taken,
    /// It waits behind others.
    Parked,
    /// Too many wait already; nothing was changed.
    Full,
}

/// Whose turn it is in each message group, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// A group is in here while one of its particles has the turn; the others wait, ascending.
    waiting: HashMap<GroupKey, VecDeque<Sequence>, BuildHasherDefault<AsItIs>>,
    parked: usize,
}

impl Groups {
    pub(super) fn ask(&mut self, group: GroupKey, sequence: Sequence) -> Turn {
        match self.waiting.get_mut(&group) {
            None => {
                self.waiting.insert(group, VecDeque::new());
                Turn::Taken
            }
            Some(_) if self.parked >= PARKED_MAX => Turn::Full,
            Some(waiting) => {
                waiting.push_back(sequence);
                self.parked += 1;
                Turn::Parked
            }
        }
    }

    /// Ends a turn; the particle that has the next one.
    pub(super) fn leave(&mut self, group: GroupKey) -> Option<Sequence> {
        let next = self.waiting.get_mut(&group)?.pop_front();
        match next {
            Some(_) => self.parked -= 1,
            None => drop(self.waiting.remove(&group)),
        }
        next
    }
}
