//! What was read of terms a moment ago, so that the next query that asks for them reads nothing.
//!
//! A query asks every run for each of its terms, and a look-up in the table costs microseconds. A
//! run never changes, so that what is held of it is true for as long as the run is there; when it
//! was merged away, nobody asks for it any more.

use std::sync::{Arc, OnceLock};

use foldhash::quality::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::TopicNumber;
use super::run::Run;
use crate::error::Result;
use crate::table::Value;

/// Bytes that are held for all topics of a store together: 32 MiB, the lists of some 20 terms with
/// 500,000 particles each, or of some 100,000 terms with few.
const BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Terms that the cache makes room for at once; it grows beyond them.
const TERMS: usize = 4096;

/// Bytes that holding a term costs besides its own.
const TERM_BYTES: u64 = 128;

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

/// Terms of runs, by what tells them apart: the table's epoch, the run, the term.
///
/// Nothing is allocated before the first query.
#[derive(Default)]
pub(super) struct Held(OnceLock<Terms>);

type Terms = Cache<Box<[u8]>, Arc<Found>, Weigh, RandomState>;

#[derive(Clone)]
struct Weigh;

impl Weighter<Box<[u8]>, Arc<Found>> for Weigh {
    fn weight(&self, key: &Box<[u8]>, found: &Arc<Found>) -> u64 {
        TERM_BYTES + (key.len() + found.bytes()) as u64
    }
}

impl Held {
    fn terms(&self) -> &Terms {
        self.0.get_or_init(|| {
            let (hasher, lifecycle) = (RandomState::default(), DefaultLifecycle::default());
            Cache::with(TERMS, BYTES_MAX, Weigh, hasher, lifecycle)
        })
    }

    /// What the run has of the term, read when it is not held.
    pub(super) fn get(
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
        let terms = self.terms();
        if let Some(found) = terms.get(key.as_slice()) {
            return Ok(found);
        }
        let found = Arc::new(read()?);
        terms.insert(key.into(), Arc::clone(&found));
        Ok(found)
    }
}
