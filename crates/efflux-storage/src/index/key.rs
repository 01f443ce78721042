//! The map of the keyspace: what stands where, and how long it lasts.
//!
//! ```text
//! space   key                                        value
//! ids     u32 (topic * 4 + 0)  uuid, 16 bytes        sequence
//! ids     u32 (topic * 4 + 1)  hash of a text id     sequence
//! ids     u32 (topic * 4 + 2)  zeros                 head through which ids were put in by journal
//! groups  u32 (topic * 4 + 0)  group, 1 to 16 bytes  the group's last sequence
//! groups  u32 (topic * 4 + 1)  hash of a longer one  the group's last sequence
//! groups  u32 (topic * 4 + 2)  zeros                 head through which groups are there
//! runs    u32 0  0  name                             number of the topic, fingerprint of its root
//! runs    u32 0  1                                   the next number of a topic
//! runs    u32 0  2  u32 topic                        nothing: the entries of the topic can go
//! runs    u32 topic  u64 start  0                    record of the run that begins there
//! runs    u32 topic  u64 start  1, 2                 zones of its timestamps, of the times created
//! runs    u32 topic  u64 start  3  term              offsets of its particles that have the term
//! runs    u32 topic  u64 start  4  u16 bucket        rare terms of this bucket, with their offsets
//! ```
//!
//! Numbers are big-endian, so that keys sort as they do. A hash is the first half of a SHA-256. The
//! keys of a run are written together and removed together, when the run is merged into a longer
//! one that begins no later. All keys of a topic last until the topic is forgotten.

use efflux_particle::{Fingerprint, Id};

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

const RECORD: u8 = 0;
const TIMESTAMPS: u8 = 1;
const CREATED: u8 = 2;
const TERM: u8 = 3;
const RARE: u8 = 4;

/// Bytes before the part in the key of a run.
pub(super) const RUN_BYTES: usize = 12;

/// A key. Each has one value at a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    /// `ids`: where a particle stands.
    Id(TopicNumber, &'a Id),
    /// `ids`: through where ids were put in by journal.
    IdsMark(TopicNumber),
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
    /// `runs`: the record of a run.
    Run(TopicNumber, u64),
    /// `runs`: the zones of a run's timestamps.
    Timestamps(TopicNumber, u64),
    /// `runs`: the zones of the times its particles were created.
    Created(TopicNumber, u64),
    /// `runs`: where a term stands in a run.
    Term(TopicNumber, u64, &'a [u8]),
    /// `runs`: rare terms of a run.
    Rare(TopicNumber, u64, u16),
}

impl Key<'_> {
    /// Its value in a table.
    pub(super) fn get(&self, table: &dyn Table) -> Result<Option<Value>> {
        table.get(self.space(), &self.bytes())
    }

    const fn space(&self) -> Space {
        match self {
            Self::Id(..) | Self::IdsMark(_) => Space::Ids,
            Self::Group(..) | Self::GroupsMark(_) => Space::Groups,
            _ => Space::Runs,
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Id(topic, id) => id_key(*topic, id).to_vec(),
            Self::IdsMark(topic) | Self::GroupsMark(topic) => point(*topic, 2, &[]).to_vec(),
            Self::Group(topic, group) => {
                group_key(*topic, &GroupText::Whole(group.as_bytes())).to_vec()
            }
            Self::Topic(name) => store(TOPIC, name.as_bytes()),
            Self::NextTopic => store(NEXT_TOPIC, &[]),
            Self::Gone(topic) => store(GONE, &big(topic.0)),
            Self::Run(topic, start) => part(*topic, *start, RECORD, &[]),
            Self::Timestamps(topic, start) => part(*topic, *start, TIMESTAMPS, &[]),
            Self::Created(topic, start) => part(*topic, *start, CREATED, &[]),
            Self::Term(topic, start, term) => part(*topic, *start, TERM, term),
            Self::Rare(topic, start, bucket) => part(*topic, *start, RARE, &big16(*bucket)),
        }
    }
}

/// What follows the topic and the start of a run in a key of it.
pub(super) enum Part<'a> {
    Term(&'a [u8]),
    Rare(u16),
    Other,
}

/// Reads what follows the start of a run in one of its keys.
pub(super) fn read_part(key: &[u8]) -> Part<'_> {
    match key.get(RUN_BYTES..).and_then(<[u8]>::split_first) {
        Some((&TERM, term)) => Part::Term(term),
        Some((&RARE, [high, low])) => Part::Rare(u16::from(*high) << 8 | u16::from(*low)),
        _ => Part::Other,
    }
}

/// The number in the key of a topic that can go.
pub(super) fn read_gone(key: &[u8]) -> Option<TopicNumber> {
    let bytes = key.get(5..)?.try_into().ok()?;
    Some(TopicNumber(read_big(bytes)))
}

pub(super) fn id_key(topic: TopicNumber, id: &Id) -> [u8; POINT_KEY_BYTES] {
    match (id.uuid(), id.text()) {
        (Some(uuid), _) => point(topic, 0, uuid),
        (None, text) => point(topic, 1, &hash(text.unwrap_or_default().as_bytes())),
    }
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
        Space::Ids | Space::Groups => (big(topic.0 * 4).to_vec(), big(topic.0 * 4 + 4).to_vec()),
        Space::Runs => (big(topic.0).to_vec(), big(topic.0 + 1).to_vec()),
    }
}

/// The bounds of all keys of the runs that begin at `from` or later, and before `until`.
pub(super) fn run_range(topic: TopicNumber, from: u64, until: u64) -> (Vec<u8>, Vec<u8>) {
    let bound = |start| [&big(topic.0)[..], &big64(start)].concat();
    (bound(from), bound(until))
}

/// The bounds of the keys of a run's terms that begin with `prefix`.
pub(super) fn term_range(topic: TopicNumber, start: u64, prefix: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let from = part(topic, start, TERM, prefix);
    let mut until = from.clone();
    while let Some(last) = until.pop() {
        if let Some(next) = last.checked_add(1) {
            until.push(next);
            break;
        }
    }
    (from, until)
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

fn part(topic: TopicNumber, start: u64, part: u8, rest: &[u8]) -> Vec<u8> {
    [&big(topic.0)[..], &big64(start), &[part], rest].concat()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_topic_then_run_then_part() {
        let topic = TopicNumber;
        let keys = [
            Key::Topic("a"),
            Key::NextTopic,
            Key::Gone(topic(3)),
            Key::Run(topic(1), 0),
            Key::Timestamps(topic(1), 0),
            Key::Term(topic(1), 0, b"a"),
            Key::Term(topic(1), 0, b"b"),
            Key::Rare(topic(1), 0, 255),
            Key::Rare(topic(1), 0, 256),
            Key::Run(topic(1), 256),
            Key::Run(topic(256), 1),
        ];
        assert!(keys.map(|key| key.bytes()).is_sorted());
    }

    #[test]
    fn parts_read_back() {
        let term = Key::Term(TopicNumber(7), 9, b"x").bytes();
        assert!(matches!(read_part(&term), Part::Term(b"x")));
        let rare = Key::Rare(TopicNumber(7), 9, 0x0102).bytes();
        assert!(matches!(read_part(&rare), Part::Rare(0x0102)));
        assert_eq!(
            read_gone(&Key::Gone(TopicNumber(5)).bytes()),
            Some(TopicNumber(5))
        );
    }

    #[test]
    fn a_text_id_never_stands_for_a_uuid() {
        let text: Id = "order 7".parse().unwrap();
        let uuid = Id::from_uuid(hash(b"order 7"));
        assert_ne!(id_key(TopicNumber(1), &text), id_key(TopicNumber(1), &uuid));
    }

    #[test]
    fn a_prefix_range_holds_what_begins_with_it() {
        let (from, until) = term_range(TopicNumber(1), 0, &[0xff, 0xff]);
        let inside = Key::Term(TopicNumber(1), 0, &[0xff, 0xff, 9]).bytes();
        assert!(from <= inside && inside < until);
        assert!(until <= Key::Rare(TopicNumber(1), 0, 0).bytes());
    }
}
