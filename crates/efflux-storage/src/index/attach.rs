//! Finds a topic's place in the table, and whether what stands there is about this very log.
//!
//! What was indexed is trusted when
//!
//! - the table knows the topic by this name with the fingerprint of its root,
//! - its runs follow each other without a gap,
//! - the log's particle at the end of the last run has the fingerprint that the run names,
//! - groups are there through the end of the last run, as their mark tells; when they reach further,
//!   as after a crash between two writes, the log has that particle too.
//!
//! Otherwise the topic gets a new number and is indexed anew; entries of the old number go later.

use std::ops::ControlFlow;

use efflux_particle::{Fingerprint, Head, Sequence};

use super::key::{self, Key};
use super::run::{Run, decode_head, encode_head};
use super::topic::{Attached, State, TopicIndex};
use super::{TOPIC_NUMBER_MAX, TopicNumber, damaged};
use crate::error::{Error, Result};
use crate::log::ReadLimit;
use crate::table::{Changes, Entry, Space, Table};

/// What ended following, for now.
#[derive(Debug)]
pub(super) enum Fault {
    /// The log could not be read.
    Log(Error),
    /// The table of this epoch could not be read or written.
    Table(Error, u64),
    /// The table could not be opened.
    Open(Error),
    /// The topic is retired.
    Retired,
}

/// Attaches a topic to the table: look-ups are answered from then on.
pub(super) async fn attach(topic: &TopicIndex) -> Result<Attached, Fault> {
    let (table, epoch) = topic.shared.table().map_err(Fault::Open)?;
    let broken = |error| Fault::Table(error, epoch);
    let root = fingerprint(topic, Sequence::ROOT).await?;
    let root = root.ok_or_else(|| Fault::Log(super::unavailable("the topic has no root")))?;
    let known = known(&*table, topic.log.name().as_str()).map_err(broken)?;
    let mut usable = None;
    if let Some((number, known_root)) = known
        && known_root == root
    {
        let stored = stored(&*table, number).map_err(broken)?;
        if let Some(stored) = stored
            && has_all(topic, &stored.heads).await?
        {
            usable = Some((number, stored.runs));
        }
    }
    if topic.is_retired() {
        return Err(Fault::Retired);
    }
    let (number, runs) = match usable {
        Some(usable) => usable,
        None => {
            let old = known.map(|(number, _)| number);
            let number = number(&*table, topic, old, root).map_err(broken)?;
            topic.shared.sweep.notify_one();
            (number, Vec::new())
        }
    };
    let attached = Attached {
        table,
        epoch,
        number,
        seed: seed(&root),
        runs,
    };
    let mut state = topic.state.write();
    if topic.shared.epoch() != epoch || topic.is_retired() {
        return Err(Fault::Retired);
    }
    *state = State::Attached(attached.clone());
    drop(state);
    Ok(attached)
}

/// What the hashes of a topic's ids begin with: nobody can choose ids of one hash before the topic
/// is made.
fn seed(root: &Fingerprint) -> u64 {
    let first = root.as_bytes().first_chunk();
    first.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The number and root that the table has for a name.
pub(super) fn known(table: &dyn Table, name: &str) -> Result<Option<(TopicNumber, Fingerprint)>> {
    let Some(bytes) = Key::Topic(name).get(table)? else {
        return Ok(None);
    };
    let (number, root) = decode_head(&bytes).ok_or_else(damaged)?;
    let number = u32::try_from(number).map_err(|_| damaged())?;
    Ok(Some((TopicNumber(number), root)))
}

/// The fingerprint of a particle; none when it is not there.
async fn fingerprint(topic: &TopicIndex, at: Sequence) -> Result<Option<Fingerprint>, Fault> {
    let read = topic
        .log
        .read(at, ReadLimit::particles(1))
        .await
        .map_err(Fault::Log)?;
    Ok(read.first().map(efflux_particle::Particle::fingerprint))
}

/// Whether the log has these particles.
async fn has_all(topic: &TopicIndex, heads: &[Head]) -> Result<bool, Fault> {
    for head in heads {
        if topic.log.head().sequence < head.sequence
            || fingerprint(topic, head.sequence).await? != Some(head.fingerprint)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Stored {
    runs: Vec<Run>,
    /// Particles that the log must have for this to be about it.
    heads: Vec<Head>,
}

/// The runs of a topic; none when its entries do not agree with each other.
fn stored(table: &dyn Table, number: TopicNumber) -> Result<Option<Stored>> {
    let mut runs: Vec<Run> = Vec::new();
    let mut end = 0;
    while let Some(run) = run_at(table, number, end)? {
        end = run.end();
        runs.push(run);
    }
    let Some(last) = runs.last() else {
        // Without a run there may be no marks either: who wrote them is not known.
        let mark = mark(table, Key::GroupsMark(number))?;
        return Ok(mark.is_none().then_some(Stored {
            runs,
            heads: Vec::new(),
        }));
    };
    let mut heads = vec![last.head()];
    match mark(table, Key::GroupsMark(number))? {
        Some(groups) if groups.sequence.next().get() >= end => heads.push(groups),
        _ => return Ok(None),
    }
    Ok(Some(Stored { runs, heads }))
}

/// The run that begins at a place: the one that was merged last.
fn run_at(table: &dyn Table, number: TopicNumber, start: u64) -> Result<Option<Run>> {
    let (from, until) = key::record_range(number, start);
    let mut found = Ok(None);
    table.scan(Space::Runs, &from, &until, &mut |key, value| {
        let run = key::read_generation(key).and_then(|it| Run::decode(start, it, value));
        found = run.map(Some).ok_or_else(damaged);
        match found {
            Ok(_) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    found
}

fn mark(table: &dyn Table, key: Key<'_>) -> Result<Option<Head>> {
    let Some(bytes) = key.get(table)? else {
        return Ok(None);
    };
    let (sequence, fingerprint) = decode_head(&bytes).ok_or_else(damaged)?;
    Ok(Some(Head {
        sequence: Sequence::new(sequence),
        fingerprint,
    }))
}

/// Gives the topic a number that no topic had, and lets the entries of its old one go.
fn number(
    table: &dyn Table,
    topic: &TopicIndex,
    old: Option<TopicNumber>,
    root: Fingerprint,
) -> Result<TopicNumber> {
    let next = Key::NextTopic.get(table)?;
    let next = match next {
        Some(bytes) => decode_head(&bytes).ok_or_else(damaged)?.0,
        None => 1,
    };
    let number = u32::try_from(next)
        .ok()
        .filter(|number| *number <= TOPIC_NUMBER_MAX);
    let number = TopicNumber(number.ok_or_else(damaged)?);
    if mark(table, Key::GroupsMark(number))?.is_some() {
        // The count was lost, as by a power cut, and what it counted was not.
        return Err(damaged());
    }
    let name = topic.log.name().as_str();
    let mut runs = vec![
        Entry::put(
            Key::Topic(name).bytes(),
            encode_head(u64::from(number.0), &root),
        ),
        Entry::put(Key::NextTopic.bytes(), encode_head(next + 1, &root)),
    ];
    runs.extend(old.map(|old| Entry::put(Key::Gone(old).bytes(), Vec::new())));
    runs.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    table.write(Changes {
        runs,
        ..Changes::default()
    })?;
    table.persist()?;
    Ok(number)
}
