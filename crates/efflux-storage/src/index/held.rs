//! What was read of runs a moment ago, so that the next look-up reads nothing.
//!
//! A query asks every run for each of its terms, a look-up of an id asks every run for its filter,
//! and each time the table is asked it takes microseconds. A run never changes, so that what is held of it is true for as long as the run is there; when it
//! was merged away, nobody asks for it any more.

use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use foldhash::quality::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::TopicNumber;
use super::run::Run;
use crate::error::Result;
use crate::table::Value;

/// Bytes of terms that are held for all topics of a store together: 32 MiB, the lists of some 20
/// terms with 500,000 particles each, or of some 100,000 terms with few.
const TERM_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Bytes of filters that are held for all topics of a store together: 48 MiB, those of 37 million
/// particles.
const FILTER_BYTES_MAX: u64 = 48 * 1024 * 1024;

/// Entries that a cache makes room for at once; it grows beyond them.
const ENTRIES: usize = 4096;

/// Bytes that holding something costs besides its own.
const ENTRY_BYTES: u64 = 128;

/// What a run has of a term.
#[derive(Debug)]
pub(super) struct Found {
    /// Its list, when it has one.
    pub(super) list: Option<Bytes>,
    /// Offsets of particles that have the term as a rare one, or another of the same hash.
    pub(super) rare: Box<[u32]>,
}

/// A list: held here, or as the table gave it.
pub(super) enum Bytes {
    Held(Box<[u8]>),
    Stored(Value),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Held(bytes) => bytes,
            Self::Stored(value) => value,
        }
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl Found {
    pub(super) fn bytes(&self) -> usize {
        self.list.as_ref().map_or(0, |list| list.len()) + 4 * self.rare.len()
    }
}

/// What is held of runs, by what tells them apart: the table's epoch, the topic, the run.
///
/// Nothing is allocated before the first look-up.
#[derive(Default)]
pub(super) struct Held {
    terms: OnceLock<Weighed<Box<[u8]>, Arc<Found>>>,
    filters: OnceLock<Weighed<RunKey, Arc<Bytes>>>,
}

type Weighed<K, V> = Cache<K, V, Weigh, RandomState>;

/// The table's epoch, the number of the topic, the run's first sequence and its particles.
type RunKey = (u64, TopicNumber, u64, u32);

#[derive(Clone)]
struct Weigh;

impl Weighter<Box<[u8]>, Arc<Found>> for Weigh {
    fn weight(&self, key: &Box<[u8]>, found: &Arc<Found>) -> u64 {
        ENTRY_BYTES + (key.len() + found.bytes()) as u64
    }
}

impl Weighter<RunKey, Arc<Bytes>> for Weigh {
    fn weight(&self, _: &RunKey, filter: &Arc<Bytes>) -> u64 {
        ENTRY_BYTES + filter.len() as u64
    }
}

impl Held {
    /// What the run has of the term, read when it is not held.
    pub(super) fn term(
        &self,
        epoch: u64,
        topic: TopicNumber,
        run: &Run,
        term: &[u8],
        read: impl FnOnce() -> Result<Found>,
    ) -> Result<Arc<Found>> {
        let key = [
            &epoch.to_le_bytes()[..],
            &topic.0.to_le_bytes(),
            &run.start.to_le_bytes(),
            &run.count.to_le_bytes(),
            term,
        ]
        .concat();
        let terms = self.terms.get_or_init(|| cache(TERM_BYTES_MAX));
        if let Some(found) = terms.get(key.as_slice()) {
            return Ok(found);
        }
        let found = Arc::new(read()?);
        terms.insert(key.into(), Arc::clone(&found));
        Ok(found)
    }

    /// The filter of the run's ids, read when it is not held.
    pub(super) fn filter(
        &self,
        epoch: u64,
        topic: TopicNumber,
        run: &Run,
        read: impl FnOnce() -> Result<Value>,
    ) -> Result<Arc<Bytes>> {
        let key = (epoch, topic, run.start, run.count);
        let filters = self.filters.get_or_init(|| cache(FILTER_BYTES_MAX));
        if let Some(filter) = filters.get(&key) {
            return Ok(filter);
        }
        let filter = Arc::new(Bytes::Held((*read()?).into()));
        filters.insert(key, Arc::clone(&filter));
        Ok(filter)
    }
}

fn cache<K: Eq + Hash, V: Clone>(bytes_max: u64) -> Weighed<K, V>
where
    Weigh: Weighter<K, V>,
{
    let (hasher, lifecycle) = (RandomState::default(), DefaultLifecycle::default());
    Cache::with(ENTRIES, bytes_max, Weigh, hasher, lifecycle)
}
