//! Makes long runs from short ones, so that a trickle of particles does not leave thousands.
//!
//! Sixteen neighbours of about one size become one run, until it has a million particles: each
//! particle is rewritten at most five times, and only once under load. Offsets move up, rare terms
//! stay rare, and terms that occur only a few times in the long run become rare.
//!
//! The long run is written beside the short ones, whose keys go later, a few at a time
//! ([`super::sweep`]): look-ups wait for neither. Merging gives way after every few milliseconds of
//! work, because everyone who is followed shares the thread.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use tokio::task::yield_now;

use super::assembly::Assembly;
use super::attach::Fault;
use super::follow::attached;
use super::ids;
use super::key::{self, Key, Part};
use super::rare::{self, Rare};
use super::run::Run;
use super::term::{self, Kind};
use super::topic::{Attached, State, TopicIndex};
use super::zones::Zones;
use super::{TopicNumber, damaged, list};
use crate::error::Result;
use crate::table::{Changes, Entry, Space, Table, point_value};

/// Runs that are merged at a time.
const RUNS: usize = 16;

/// Runs that are merged at least, where more would make a run too long.
const RUNS_MIN: usize = 4;

/// Most particles of a run: 1 million. Longer ones would save little and take seconds to merge, and
/// their offsets would leave less room for the hashes of ids.
pub(super) const PARTICLES_MAX: u64 = 1024 * 1024;

/// Most entries of all lists of a run, which are all in memory while it is merged: 16 million.
const ENTRIES_MAX: u64 = 16 * 1024 * 1024;

/// Keys of a merge past which the run is written as a finished table, and what it was merged of is
/// left for later.
const BULK_KEYS_MIN: usize = 4096;

/// Entries of lists after which merging gives way: some milliseconds of work.
const ENTRIES_PER_STEP: usize = 131_072;

/// Entries up to which runs are merged at once, rather than beside following: 0.1 s of work.
const ENTRIES_SMALL: u64 = 1024 * 1024;

/// Neighbours that are to become one run.
#[derive(Clone, Debug)]
pub(super) struct Merge {
    range: Range<usize>,
    /// Whether it is done in a moment.
    pub(super) is_small: bool,
}

/// What is to be merged next, if anything.
pub(super) fn next(topic: &TopicIndex, epoch: u64) -> Result<Option<Merge>, Fault> {
    let attached = attached(topic, epoch)?;
    Ok(choose(&attached.runs).map(|range| {
        let runs = attached.runs.get(range.clone()).unwrap_or_default();
        let entries: u64 = runs.iter().map(|run| run.entries).sum();
        let is_small = entries <= ENTRIES_SMALL;
        Merge { range, is_small }
    }))
}

/// Merges. Runs may be added meanwhile, but none may be merged by anyone else.
pub(super) async fn run(topic: Arc<TopicIndex>, epoch: u64, merge: Merge) -> Result<(), Fault> {
    let broken = |error| Fault::Table(error, epoch);
    let Merged { run, put, remove } = {
        let attached = attached(&topic, epoch)?;
        let runs = attached.runs.get(merge.range.clone()).unwrap_or_default();
        build(&attached, runs).await.map_err(broken)?
    };
    // From here on nothing else runs on this thread: either all of it happens, or nothing does.
    let attached = attached(&topic, epoch)?;
    if topic.is_retired() {
        return Err(Fault::Retired);
    }
    let is_bulk = put.len() + remove.len() >= BULK_KEYS_MIN;
    if is_bulk {
        let runs = with_mark(put, &run, attached.number);
        let changes = Changes {
            bulk: true,
            runs,
            ..Changes::default()
        };
        attached.table.write(changes).map_err(broken)?;
        return replace(&topic, epoch, merge.range, run, |_| Ok(()));
    }
    replace(&topic, epoch, merge.range, run, |attached| {
        let mut runs = put;
        runs.extend(remove.into_iter().map(Entry::remove));
        runs.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        attached.table.write(Changes {
            runs,
            ..Changes::default()
        })
    })
}

/// Puts a run in the place of those it was merged of. Look-ups wait for what is written here: what
/// they know must not go while they read it.
fn replace(
    topic: &TopicIndex,
    epoch: u64,
    range: Range<usize>,
    run: Run,
    write: impl FnOnce(&Attached) -> Result<()>,
) -> Result<(), Fault> {
    let mut state = topic.state.write();
    let State::Attached(attached) = &mut *state else {
        return Err(Fault::Retired);
    };
    if attached.epoch != epoch {
        return Err(Fault::Retired);
    }
    write(attached).map_err(|error| Fault::Table(error, epoch))?;
    attached.runs.splice(range, [run]);
    drop(state);
    topic.shared.sweep.notify_one();
    Ok(())
}

/// The entries of a run, with the mark that the keys of what it was merged of can go.
fn with_mark(mut put: Vec<Entry>, run: &Run, number: TopicNumber) -> Vec<Entry> {
    let (end, count) = point_value(run.end());
    let end = end.into_iter().take(count).collect();
    // All keys that are not a run's stand before those of runs.
    put.insert(0, Entry::put(Key::Merged(run.name(number)).bytes(), end));
    put
}

/// The first sixteen neighbours from the end that are of about one size.
fn choose(runs: &[Run]) -> Option<Range<usize>> {
    // Sizes descend from the front, but for those that were too heavy to merge.
    let mut end = runs.len();
    while let Some(last) = end.checked_sub(1).and_then(|at| runs.get(at)) {
        let size = class(last);
        let first = runs
            .get(..end)?
            .iter()
            .rposition(|run| class(run) > size)
            .map_or(0, |before| before + 1);
        if end - first >= RUNS {
            let mut weight = (0, 0);
            let fitting = runs.get(first..first + RUNS)?.iter().take_while(|run| {
                weight = (weight.0 + u64::from(run.count), weight.1 + run.entries);
                weight.0 <= PARTICLES_MAX && weight.1 <= ENTRIES_MAX
            });
            let count = fitting.count();
            if count >= RUNS_MIN {
                return Some(first..first + count);
            }
        }
        end = first;
    }
    None
}

/// How often a run was merged, about: 16 runs of one class make one of the next.
fn class(run: &Run) -> u32 {
    run.count.ilog2() / 4
}

/// A run that several make.
struct Merged {
    run: Run,
    /// Its entries, ascending.
    put: Vec<Entry>,
    /// The keys of those it was merged of.
    remove: Vec<Vec<u8>>,
}

async fn build(attached: &Attached, runs: &[Run]) -> Result<Merged> {
    let (table, topic) = (&*attached.table, attached.number);
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return Err(damaged());
    };
    let count = u32::try_from(last.end() - first.start).map_err(|_| damaged())?;
    let mut parts = Parts::default();
    for run in runs {
        let base = u32::try_from(run.start - first.start).map_err(|_| damaged())?;
        parts.read(table, topic, run, base)?;
        yield_now().await;
    }
    let mut assembly = Assembly::new(count);
    // Each run's terms ascend already, which this sort makes use of.
    parts.terms.sort();
    yield_now().await;
    let (mut uncommon, mut worked) = (Vec::new(), 0);
    for same in parts.terms.chunk_by(|a, b| a.0 == b.0) {
        let Some((term, _, _)) = same.first() else {
            continue;
        };
        let mut offsets = Vec::new();
        for (_, base, bytes) in same {
            list::decode(bytes, |offset| offsets.push(base + offset)).ok_or_else(damaged)?;
        }
        worked += offsets.len();
        match term::read(term) {
            Some((Kind::Uncommon, field)) => uncommon.push((field, offsets)),
            _ => assembly.add(term, &offsets),
        }
        if worked >= ENTRIES_PER_STEP {
            worked = 0;
            yield_now().await;
        }
    }
    for (field, offsets) in uncommon {
        assembly.add_uncommon(field, &offsets);
    }
    assembly.add_rare(parts.rare);
    if parts.ids.len() != count as usize {
        return Err(damaged());
    }
    assembly.add_ids(parts.ids);
    let ids = runs.iter().map(|run| run.ids).reduce(ids::Span::with);
    let generations = runs.iter().map(|run| run.generation);
    let generation = generations.max().unwrap_or_default();
    let run = Run {
        start: first.start,
        generation: generation.checked_add(1).ok_or_else(damaged)?,
        count,
        entries: 0,
        rare_bits: None,
        timestamps: parts.timestamps.span(),
        created: parts.created.span(),
        ids: ids.unwrap_or(ids::Span::Empty),
        fingerprint: last.fingerprint,
    };
    let (run, put) = assembly.finish(topic, &run, &parts.timestamps, &parts.created);
    yield_now().await;
    let remove = parts.keys;
    Ok(Merged { run, put, remove })
}

/// What several runs hold.
#[derive(Default)]
struct Parts {
    keys: Vec<Vec<u8>>,
    /// Each term with where its run begins in the merged one, and its list.
    terms: Vec<(Vec<u8>, u32, Vec<u8>)>,
    rare: Vec<Rare>,
    ids: Vec<ids::Entry>,
    timestamps: Zones,
    created: Zones,
}

impl Parts {
    fn read(&mut self, table: &dyn Table, topic: TopicNumber, run: &Run, base: u32) -> Result<()> {
        let name = run.name(topic);
        let zones = [
            (Key::Timestamps(name), &mut self.timestamps),
            (Key::Created(name), &mut self.created),
        ];
        for (key, into) in zones {
            let bytes = key.get(table)?.ok_or_else(damaged)?;
            into.append(base, run.count, &Zones::decode(&bytes).ok_or_else(damaged)?);
        }
        self.keys.push(Key::Run(name).bytes());
        let (from, until) = key::run_range(name);
        let mut is_sound = true;
        table.scan(Space::Runs, &from, &until, &mut |key, value| {
            match key::read_part(key) {
                Part::Term(term) => self.terms.push((term.to_vec(), base, value.to_vec())),
                Part::Rare(bucket) => {
                    let bits = run.rare_bits.unwrap_or_default();
                    let read = rare::decode(bucket, bits, value, |entry| {
                        self.rare.push(Rare {
                            offset: base + entry.offset,
                            ..entry
                        });
                    });
                    is_sound &= read.is_some();
                }
                Part::Ids => {
                    let read = ids::decode(value, |entry| self.ids.push(entry.moved(base)));
                    is_sound &= read.is_some();
                }
                Part::Other => {}
            }
            self.keys.push(key.to_vec());
            if is_sound {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        if is_sound { Ok(()) } else { Err(damaged()) }
    }
}
