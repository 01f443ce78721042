//! What was read of runs a moment ago, so that the next look-up reads nothing.
//!
//! A query asks every run for each of its terms, a look-up of an id asks every run for its filter,
//! and each time the table is asked it takes microseconds. A run never changes, so that what is
//! held of it is true for as long as the run is there; when it was merged away, nobody asks for it
//! any more.
//!
//! What runs have of one term is held together, and so are the filters of a topic: who asks all
//! runs then takes one lock, and finds what it needs side by side.

use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use foldhash::quality::RandomState;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};

use super::TopicNumber;
use super::ids::{self, IdHash};
use super::run::Run;
use super::topic::Attached;
use crate::error::Result;
use crate::table::Value;

/// Bytes of terms that are held for all topics of a store together: 32 MiB, the lists of some 20
/// terms with 500,000 particles each, or of some 100,000 terms with few.
const TERM_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Terms that room is made for at once.
const TERMS: usize = 4096;

/// Bytes of filters that are held for all topics of a store together: 48 MiB, those of 37 million
/// particles.
const FILTER_BYTES_MAX: u64 = 48 * 1024 * 1024;

/// Topics that room is made for at once. With so few the cache has one part, so that the filters
/// of one topic may take all of it.
const TOPICS: usize = 32;

/// Newest particles of a topic whose runs are asked for an id by their filters first: 32 million,
/// whose filters take 40 MB. Older runs are asked for the bucket at once.
const FILTERED_MAX: u64 = 32 * 1024 * 1024;

/// What runs have of a term is held together for so many bits of sequences: for 8 million
/// particles, some 20 runs, so that no entry takes more than 1 MiB.
const STRETCH_BITS: u32 = 23;

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

/// What is held of the runs of one stretch or topic, in their order.
#[derive(Debug)]
struct OfRuns<T>(Vec<OfRun<T>>);

#[derive(Clone, Debug)]
struct OfRun<T> {
    start: u64,
    count: u32,
    held: T,
}

impl<T: Clone> OfRuns<T> {
    fn get(&self, run: &Run) -> Option<&T> {
        let at = self.0.binary_search_by_key(&run.start, |it| it.start);
        let of = self.0.get(at.ok()?)?;
        (of.count == run.count).then_some(&of.held)
    }

    /// The same with one run more, which takes the place of those it was merged of.
    fn with(&self, run: &Run, held: T) -> Self {
        let is_other = |it: &&OfRun<T>| {
            it.start >= run.end() || it.start.saturating_add(u64::from(it.count)) <= run.start
        };
        let mut of: Vec<_> = self.0.iter().filter(is_other).cloned().collect();
        let at = of.partition_point(|it| it.start < run.start);
        let (start, count) = (run.start, run.count);
        of.insert(at, OfRun { start, count, held });
        Self(of)
    }
}

/// The filters of a topic's newest runs.
#[derive(Debug)]
pub(super) struct Filters {
    /// How many runs the topic had, and where they ended. Appending moves the end, merging makes
    /// runs fewer: no two lists of runs have both in common.
    runs: (usize, u64),
    of: OfRuns<Arc<[u8]>>,
}

impl Filters {
    /// For each run of the topic, the newest first, whether it may have an id of this hash.
    pub(super) fn may_have(&self, hash: IdHash) -> impl Iterator<Item = bool> {
        let known = self.of.0.iter().rev();
        let known = known.map(move |of| ids::may_have(&of.held, hash));
        known.chain(std::iter::repeat(true))
    }

    /// Whether this run may have an id of this hash.
    pub(super) fn run_may_have(&self, run: &Run, hash: IdHash) -> bool {
        let filter = self.of.get(run);
        filter.is_none_or(|filter| ids::may_have(filter, hash))
    }

    fn bytes(&self) -> u64 {
        let of = self.of.0.iter();
        of.map(|of| ENTRY_BYTES + of.held.len() as u64).sum()
    }
}

/// What is held of runs, by what tells them apart: the table's epoch, the topic, the run.
///
/// Nothing is allocated before the first look-up.
#[derive(Default)]
pub(super) struct Held {
    terms: OnceLock<Weighed<TermKey, Arc<OfRuns<Arc<Found>>>>>,
    filters: OnceLock<Weighed<TopicKey, Arc<Filters>>>,
}

type Weighed<K, V> = Cache<K, V, Weigh, RandomState>;

/// The table's epoch and the number of the topic.
type TopicKey = (u64, TopicNumber);

/// What is held of a term.
#[derive(Clone, PartialEq, Eq, Hash)]
struct TermKey {
    topic: TopicKey,
    stretch: u64,
    term: Box<[u8]>,
}

/// A [`TermKey`] to look for.
#[derive(Hash)]
struct TermName<'a> {
    topic: TopicKey,
    stretch: u64,
    term: &'a [u8],
}

impl Equivalent<TermKey> for TermName<'_> {
    fn equivalent(&self, key: &TermKey) -> bool {
        self.topic == key.topic && self.stretch == key.stretch && *self.term == *key.term
    }
}

#[derive(Clone)]
struct Weigh;

impl Weighter<TermKey, Arc<OfRuns<Arc<Found>>>> for Weigh {
    fn weight(&self, key: &TermKey, found: &Arc<OfRuns<Arc<Found>>>) -> u64 {
        let of = found.0.iter();
        let bytes: u64 = of.map(|of| ENTRY_BYTES + of.held.bytes() as u64).sum();
        key.term.len() as u64 + bytes
    }
}

impl Weighter<TopicKey, Arc<Filters>> for Weigh {
    fn weight(&self, _: &TopicKey, filters: &Arc<Filters>) -> u64 {
        ENTRY_BYTES + filters.bytes()
    }
}

impl Held {
    /// What the run has of the term, read when it is not held.
    pub(super) fn term(
        &self,
        topic: TopicKey,
        run: &Run,
        term: &[u8],
        read: impl FnOnce() -> Result<Found>,
    ) -> Result<Arc<Found>> {
        let stretch = run.start >> STRETCH_BITS;
        let name = TermName {
            topic,
            stretch,
            term,
        };
        let terms = self.terms.get_or_init(|| cache(TERMS, TERM_BYTES_MAX));
        let of_runs = terms.get(&name);
        if let Some(found) = of_runs.as_ref().and_then(|of| of.get(run)) {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(read()?);
        let known = of_runs.unwrap_or_else(|| Arc::new(OfRuns(Vec::new())));
        let known = Arc::new(known.with(run, Arc::clone(&found)));
        let key = TermKey {
            topic,
            stretch,
            term: term.into(),
        };
        terms.insert(key, known);
        Ok(found)
    }

    /// The filters of the topic's newest runs, those read that are not held.
    pub(super) fn filters(
        &self,
        attached: &Attached,
        read: impl Fn(&Run) -> Result<Value>,
    ) -> Result<Arc<Filters>> {
        let key = (attached.epoch, attached.number);
        let all = self.filters.get_or_init(|| cache(TOPICS, FILTER_BYTES_MAX));
        let (runs, end) = (&attached.runs, attached.end());
        let known = all.get(&key);
        if let Some(filters) = &known
            && filters.runs == (runs.len(), end)
        {
            return Ok(Arc::clone(filters));
        }
        let mut of = Vec::with_capacity(runs.len());
        for run in runs.iter().filter(|run| end - run.end() <= FILTERED_MAX) {
            let known = known.as_ref().and_then(|known| known.of.get(run));
            of.push(OfRun {
                start: run.start,
                count: run.count,
                held: match known {
                    Some(filter) => Arc::clone(filter),
                    None => Arc::from(&*read(run)?),
                },
            });
        }
        let filters = Arc::new(Filters {
            runs: (runs.len(), end),
            of: OfRuns(of),
        });
        all.insert(key, Arc::clone(&filters));
        Ok(filters)
    }
}

fn cache<K: Eq + Hash, V: Clone>(entries: usize, bytes_max: u64) -> Weighed<K, V>
where
    Weigh: Weighter<K, V>,
{
    let (hasher, lifecycle) = (RandomState::default(), DefaultLifecycle::default());
    Cache::with(entries, bytes_max, Weigh, hasher, lifecycle)
}
