//! The map of the keyspace: what stands where, and how long it lasts.
//!
//! ```text
//! space   key                                        value
//! groups  u32 (topic * 4 + 0)  group, 1 to 16 bytes  the group's last sequence
//! groups  u32 (topic * 4 + 1)  hash of a longer one  the group's last sequence
//! groups  u32 (topic * 4 + 2)  zeros                 head through which groups are there
//! runs    u32 0  0  name                             number of the topic, fingerprint of its root
//! runs    u32 0  1                                   the next number of a topic
//! runs    u32 0  2  u32 topic                        nothing: the entries of the topic can go
//! runs    u32 0  3  u32 topic  u64 start  u8 gen     the end of this run: what it was merged of
//!                                                    can go
//! runs    u32 topic  u64 start  0  u8 gen            record of the run that begins there
//! runs    u32 topic  u64 start  u8 gen  1, 2         zones of its timestamps, of the times created
//! runs    u32 topic  u64 start  u8 gen  3  term      offsets of its particles that have the term
//! runs    u32 topic  u64 start  u8 gen  4  u16       rare terms of this bucket, with their offsets
//! runs    u32 topic  u64 start  u8 gen  5  u16       ids of this bucket, with their offsets
//! runs    u32 topic  u64 start  u8 gen  6            filter of its ids
//! ```
//!
//! Numbers are big-endian, so that keys sort as they do. A hash is the first half of a SHA-256. The
//! keys of a run are written together. A run has the generation 1 when it is first written, and a
//! greater one than all it was merged of: of those that begin at one place the greatest counts, and
//! what lies within it does not. All keys of a topic last until the topic is forgotten.

use efflux_particle::Fingerprint;

use super::TopicNumber;
use super::term::GroupText;
use crate::error::Result;
use crate::table::{POINT_KEY_BYTES, Space, Table, Value};

/// Bytes of a hash that stands for a text: collisions are not found by chance nor by effort.
pub(super) const HASH_BYTES: usize = 16;

const STORE: [u8; 4] = [0; 4];
const TOPIC: u8 = 0;
const NEXT_TOPIC: u8 = 1;
const GONE: u8 = 2;
const MERGED: u8 = 3;

const RECORD: u8 = 0;
const TIMESTAMPS: u8 = 1;
const CREATED: u8 = 2;
const TERM: u8 = 3;
const RARE: u8 = 4;
const IDS: u8 = 5;
const FILTER: u8 = 6;

/// Bytes before the part in the key of a run.
pub(super) const RUN_BYTES: usize = 13;

/// The generation of a run as it is first written.
pub(super) const GENERATION_FIRST: u8 = 1;

/// What tells a run from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunName {
    pub(super) topic: TopicNumber,
    /// The first particle's sequence.
    pub(super) start: u64,
    /// How often what is in it was merged, and one.
    pub(super) generation: u8,
}

/// A key. Each has one value at a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    /// `groups`: the last particle of a group.
    Group(TopicNumber, &'a str),
    /// `groups`: through where groups are there.
    GroupsMark(TopicNumber),
    /// `runs`: what is known of a topic.
    Topic(&'a str),
    /// `runs`: the number that the next topic gets.
    NextTopic,
    /// `runs`: a number whose entries can go.
    Gone(TopicNumber),
    /// `runs`: a run, while there are still keys of those that it was merged of.
    Merged(RunName),
    /// `runs`: the record of a run.
    Run(RunName),
    /// `runs`: the zones of a run's timestamps.
    Timestamps(RunName),
    /// `runs`: the zones of the times its particles were created.
    Created(RunName),
    /// `runs`: where a term stands in a run.
    Term(RunName, &'a [u8]),
    /// `runs`: rare terms of a run.
    Rare(RunName, u16),
    /// `runs`: ids of a run.
    Ids(RunName, u16),
    /// `runs`: the filter of a run's ids.
    Filter(RunName),
}

impl Key<'_> {
    /// Its value in a table.
    pub(super) fn get(&self, table: &dyn Table) -> Result<Option<Value>> {
        table.get(self.space(), &self.bytes())
    }

    const fn space(&self) -> Space {
        match self {
            Self::Group(..) | Self::GroupsMark(_) => Space::Groups,
            _ => Space::Runs,
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::GroupsMark(topic) => point(*topic, 2, &[]).to_vec(),
            Self::Group(topic, group) => {
                group_key(*topic, &GroupText::Whole(group.as_bytes())).to_vec()
            }
            Self::Topic(name) => store(TOPIC, name.as_bytes()),
            Self::NextTopic => store(NEXT_TOPIC, &[]),
            Self::Gone(topic) => store(GONE, &big(topic.0)),
            Self::Merged(run) => {
                let rest = [&big(run.topic.0)[..], &big64(run.start), &[run.generation]];
                store(MERGED, &rest.concat())
            }
            Self::Run(run) => {
                let mut key = record_range(run.topic, run.start).0;
                key.push(run.generation);
                key
            }
            Self::Timestamps(run) => part(*run, TIMESTAMPS, &[]),
            Self::Created(run) => part(*run, CREATED, &[]),
            Self::Term(run, term) => part(*run, TERM, term),
            Self::Rare(run, bucket) => part(*run, RARE, &big16(*bucket)),
            Self::Ids(run, bucket) => part(*run, IDS, &big16(*bucket)),
            Self::Filter(run) => part(*run, FILTER, &[]),
        }
    }
}

/// What follows the topic and the start of a run in a key of it.
pub(super) enum Part<'a> {
    Term(&'a [u8]),
    Rare(u16),
    Ids,
    Other,
}

/// Reads what follows the start of a run in one of its keys.
pub(super) fn read_part(key: &[u8]) -> Part<'_> {
    match key.get(RUN_BYTES..).and_then(<[u8]>::split_first) {
        Some((&TERM, term)) => Part::Term(term),
        Some((&RARE, [high, low])) => Part::Rare(u16::from(*high) << 8 | u16::from(*low)),
        Some((&IDS, _)) => Part::Ids,
        _ => Part::Other,
    }
}

/// The generation in the key of a run's record.
pub(super) fn read_generation(key: &[u8]) -> Option<u8> {
    key.get(RUN_BYTES..)?.first().copied()
}

/// The run whose parts can go, from its key.
pub(super) fn read_merged(key: &[u8]) -> Option<RunName> {
    let (topic, rest) = key.get(5..)?.split_first_chunk()?;
    let (start, rest) = rest.split_first_chunk()?;
    Some(RunName {
        topic: TopicNumber(read_big(*topic)),
        start: read_big64(*start),
        generation: *rest.first()?,
    })
}

/// Whether a key is one of a run that this one was merged of, when it is a key of its range.
pub(super) fn is_part_of_merged(key: &[u8], run: RunName) -> bool {
    let start = key.get(4..12).and_then(<[u8]>::first_chunk);
    let generation = match key.get(12) {
        Some(&RECORD) => read_generation(key),
        other => other.copied(),
    };
    start.is_some_and(|start| read_big64(*start) > run.start)
        || generation.is_some_and(|generation| generation < run.generation)
}

/// The number in the key of a topic that can go.
pub(super) fn read_gone(key: &[u8]) -> Option<TopicNumber> {
    let bytes = key.get(5..)?.try_into().ok()?;
    Some(TopicNumber(read_big(bytes)))
}

pub(super) fn group_key(topic: TopicNumber, group: &GroupText<'_>) -> [u8; POINT_KEY_BYTES] {
    match group {
        // A group has no control characters, so that the zeros behind a short one are unmistakable.
        GroupText::Whole(text) if text.len() <= HASH_BYTES => point(topic, 0, text),
        GroupText::Whole(text) => point(topic, 1, &hash(text)),
        GroupText::Hash(hash) => point(topic, 1, hash),
    }
}

pub(super) fn hash(bytes: &[u8]) -> [u8; HASH_BYTES] {
    let mut half = [0; HASH_BYTES];
    for (to, from) in half.iter_mut().zip(Fingerprint::of(bytes).as_bytes()) {
        *to = *from;
    }
    half
}

/// The bounds of all keys of a topic in a space.
pub(super) fn topic_range(topic: TopicNumber, space: Space) -> (Vec<u8>, Vec<u8>) {
    match space {
        Space::Groups => (big(topic.0 * 4).to_vec(), big(topic.0 * 4 + 4).to_vec()),
        Space::Runs => (big(topic.0).to_vec(), big(topic.0 + 1).to_vec()),
    }
}

/// The bounds of all keys of the runs that begin at `from` or later, and before `until`.
pub(super) fn runs_range(topic: TopicNumber, from: u64, until: u64) -> (Vec<u8>, Vec<u8>) {
    let bound = |start| [&big(topic.0)[..], &big64(start)].concat();
    (bound(from), bound(until))
}

/// The bounds of the records of the runs that begin at `start`.
pub(super) fn record_range(topic: TopicNumber, start: u64) -> (Vec<u8>, Vec<u8>) {
    let bound = |kind| [&big(topic.0)[..], &big64(start), &[kind]].concat();
    (bound(RECORD), bound(RECORD + 1))
}

/// The bounds of all keys of a run but its record.
pub(super) fn run_range(run: RunName) -> (Vec<u8>, Vec<u8>) {
    (part(run, TIMESTAMPS, &[]), part(run, FILTER + 1, &[]))
}

/// The bounds of the keys of a run's terms that begin with `prefix`.
pub(super) fn term_range(run: RunName, prefix: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let from = part(run, TERM, prefix);
    let mut until = from.clone();
    while let Some(last) = until.pop() {
        if let Some(next) = last.checked_add(1) {
            until.push(next);
            break;
        }
    }
    (from, until)
}

/// The bounds of the keys of runs whose parts can go.
pub(super) fn merged_range() -> (Vec<u8>, Vec<u8>) {
    (store(MERGED, &[]), store(MERGED + 1, &[]))
}

/// The bounds of the keys of topics whose entries can go.
pub(super) fn gone_range() -> (Vec<u8>, Vec<u8>) {
    (store(GONE, &[]), store(GONE + 1, &[]))
}

fn point(topic: TopicNumber, kind: u32, rest: &[u8]) -> [u8; POINT_KEY_BYTES] {
    let mut key = [0; POINT_KEY_BYTES];
    let bytes = big(topic.0 * 4 + kind);
    for (to, from) in key.iter_mut().zip(bytes.iter().chain(rest)) {
        *to = *from;
    }
    key
}

fn store(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&STORE[..], &[kind], rest].concat()
}

fn part(run: RunName, part: u8, rest: &[u8]) -> Vec<u8> {
    let begin = [run.generation, part];
    [&big(run.topic.0)[..], &big64(run.start), &begin, rest].concat()
}

#[expect(clippy::big_endian_bytes, reason = "keys sort as their numbers do")]
const fn big(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

#[expect(clippy::big_endian_bytes, reason = "keys sort as their numbers do")]
const fn big16(number: u16) -> [u8; 2] {
    number.to_be_bytes()
}

#[expect(clippy::big_endian_bytes, reason = "keys sort as their numbers do")]
const fn big64(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

#[expect(clippy::big_endian_bytes, reason = "keys sort as their numbers do")]
const fn read_big(bytes: [u8; 4]) -> u32 {
    u32::from_be_bytes(bytes)
}

#[expect(clippy::big_endian_bytes, reason = "keys sort as their numbers do")]
const fn read_big64(bytes: [u8; 8]) -> u64 {
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn run(topic: u32, start: u64, generation: u8) -> RunName {
        RunName {
            topic: TopicNumber(topic),
            start,
            generation,
        }
    }

    #[test]
    fn keys_sort_by_topic_then_run_then_part() {
        let topic = TopicNumber;
        let keys = [
            Key::Topic("a"),
            Key::NextTopic,
            Key::Gone(topic(3)),
            Key::Merged(run(1, 0, 2)),
            Key::Run(run(1, 0, 1)),
            Key::Run(run(1, 0, 2)),
            Key::Timestamps(run(1, 0, 1)),
            Key::Term(run(1, 0, 1), b"a"),
            Key::Term(run(1, 0, 1), b"b"),
            Key::Rare(run(1, 0, 1), 255),
            Key::Rare(run(1, 0, 1), 256),
            Key::Ids(run(1, 0, 1), 0),
            Key::Filter(run(1, 0, 1)),
            Key::Timestamps(run(1, 0, 2)),
            Key::Run(run(1, 256, 1)),
            Key::Run(run(256, 1, 1)),
        ];
        assert!(keys.map(|key| key.bytes()).is_sorted());
    }

    #[test]
    fn parts_read_back() {
        let term = Key::Term(run(7, 9, 1), b"x").bytes();
        assert!(matches!(read_part(&term), Part::Term(b"x")));
        let rare = Key::Rare(run(7, 9, 1), 0x0102).bytes();
        assert!(matches!(read_part(&rare), Part::Rare(0x0102)));
        assert_eq!(
            read_gone(&Key::Gone(TopicNumber(5)).bytes()),
            Some(TopicNumber(5))
        );
        let merged = run(7, 9, 3);
        assert_eq!(read_merged(&Key::Merged(merged).bytes()), Some(merged));
        assert_eq!(read_generation(&Key::Run(merged).bytes()), Some(3));
    }

    #[test]
    fn what_a_run_was_merged_of_is_told_from_the_run() {
        let merged = run(7, 9, 3);
        for (key, is_part) in [
            (Key::Run(run(7, 9, 2)), true),
            (Key::Rare(run(7, 9, 2), 1), true),
            (Key::Run(run(7, 10, 1)), true),
            (Key::Term(run(7, 10, 4), b"x"), true),
            (Key::Run(merged), false),
            (Key::Created(merged), false),
            (Key::Term(run(7, 9, 4), b"x"), false),
        ] {
            assert_eq!(is_part_of_merged(&key.bytes(), merged), is_part, "{key:?}");
        }
    }

    #[test]
    fn a_prefix_range_holds_what_begins_with_it() {
        let (from, until) = term_range(run(1, 0, 1), &[0xff, 0xff]);
        let inside = Key::Term(run(1, 0, 1), &[0xff, 0xff, 9]).bytes();
        assert!(from <= inside && inside < until);
        assert!(until <= Key::Rare(run(1, 0, 1), 0).bytes());
    }
}
