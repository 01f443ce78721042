//! Makes long runs from short ones, so that a trickle of particles does not leave thousands.
//!
//! Sixteen neighbours of about one size become one run, until it has a million particles: each
//! particle is rewritten at most five times, and only once under load. Offsets move up, rare terms
//! stay rare, and terms that occur only a few times in the long run become rare.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::assembly::Assembly;
use super::attach::Fault;
use super::follow::attached;
use super::key::{self, Key, Part};
use super::rare::{self, Rare};
use super::run::Run;
use super::term::{self, Kind};
use super::topic::{Attached, State, TopicIndex};
use super::zones::Zones;
use super::{damaged, list};
use crate::error::Result;
use crate::table::{Changes, Entry, Space, Table};

/// Runs that are merged at a time.
const RUNS: usize = 16;

/// Runs that are merged at least, where more would make a run too long.
const RUNS_MIN: usize = 4;

/// Most particles of a run: 1 million. Longer ones would save little and take seconds to merge.
pub(super) const PARTICLES_MAX: u64 = 1024 * 1024;

/// Most entries of all lists of a run, which are all in memory while it is merged: 16 million.
const ENTRIES_MAX: u64 = 16 * 1024 * 1024;

/// Keys of a merge past which it is written as a finished table.
const BULK_KEYS_MIN: usize = 4096;

/// Merges once, if there is something to merge.
pub(super) fn step(topic: &Arc<TopicIndex>, epoch: u64) -> Result<bool, Fault> {
    let attached = attached(topic, epoch)?;
    let Some(range) = choose(&attached.runs) else {
        return Ok(false);
    };
    let broken = |error| Fault::Table(error, epoch);
    let (run, runs) = merge(&attached, range.clone()).map_err(broken)?;
    let bulk = runs.len() >= BULK_KEYS_MIN;
    // Look-ups wait for this: what they know must not go while they read it.
    let mut state = topic.state.write();
    let State::Attached(attached) = &mut *state else {
        return Err(Fault::Retired);
    };
    if topic.is_retired() {
        return Err(Fault::Retired);
    }
    attached
        .table
        .write(Changes {
            bulk,
            runs,
            ..Changes::default()
        })
        .map_err(broken)?;
    attached.runs.splice(range, [run]);
    Ok(true)
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

/// The run that several make, and the entries that put it in their place.
fn merge(attached: &Attached, range: Range<usize>) -> Result<(Run, Vec<Entry>)> {
    let (table, topic) = (&*attached.table, attached.number);
    let runs = attached.runs.get(range).unwrap_or_default();
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return Err(damaged());
    };
    let count = u32::try_from(last.end() - first.start).map_err(|_| damaged())?;
    let mut merged = Merged::default();
    for run in runs {
        let base = u32::try_from(run.start - first.start).map_err(|_| damaged())?;
        merged.read(table, topic, run, base)?;
    }
    let mut assembly = Assembly::new(count);
    merged.terms.sort_unstable();
    let mut uncommon = Vec::new();
    for same in merged.terms.chunk_by(|a, b| a.0 == b.0) {
        let Some((term, _, _)) = same.first() else {
            continue;
        };
        let mut offsets = Vec::new();
        for (_, base, bytes) in same {
            list::decode(bytes, |offset| offsets.push(base + offset)).ok_or_else(damaged)?;
        }
        match term::read(term) {
            Some((Kind::Uncommon, field)) => uncommon.push((field, offsets)),
            _ => assembly.add(term, &offsets),
        }
    }
    for (field, offsets) in uncommon {
        assembly.add_uncommon(field, &offsets);
    }
    assembly.add_rare(merged.rare);
    let run = Run {
        start: first.start,
        count,
        entries: 0,
        rare_bits: None,
        timestamps: merged.timestamps.span(),
        created: merged.created.span(),
        journaled: last.journaled,
        fingerprint: last.fingerprint,
    };
    let (run, mut entries) = assembly.finish(topic, &run, &merged.timestamps, &merged.created);
    entries.extend(merged.keys.into_iter().map(Entry::remove));
    // Where a key is both written and removed, it is written.
    entries.sort_by(|a, b| {
        a.key
            .cmp(&b.key)
            .then(b.value.is_some().cmp(&a.value.is_some()))
    });
    entries.dedup_by(|later, earlier| later.key == earlier.key);
    Ok((run, entries))
}

/// What several runs hold.
#[derive(Default)]
struct Merged {
    keys: Vec<Vec<u8>>,
    /// Each term with where its run begins in the merged one, and its list.
    terms: Vec<(Vec<u8>, u32, Vec<u8>)>,
    rare: Vec<Rare>,
    timestamps: Zones,
    created: Zones,
}

impl Merged {
    fn read(
        &mut self,
        table: &dyn Table,
        topic: super::TopicNumber,
        run: &Run,
        base: u32,
    ) -> Result<()> {
        let zones = [
            (Key::Timestamps(topic, run.start), &mut self.timestamps),
            (Key::Created(topic, run.start), &mut self.created),
        ];
        for (key, into) in zones {
            let bytes = key.get(table)?.ok_or_else(damaged)?;
            into.append(base, run.count, &Zones::decode(&bytes).ok_or_else(damaged)?);
        }
        let (from, until) = key::run_range(topic, run.start, run.end());
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
