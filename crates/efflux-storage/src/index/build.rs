//! Builds a run from particles.

use std::collections::HashMap;
use std::hash::BuildHasher;

use efflux_particle::{ContentEncoding, Fingerprint, Metadata, Particle};
use foldhash::quality::RandomState;

use super::assembly::Assembly;
use super::ids::{self, IdHash};
use super::key::{self, Key};
use super::run::{Run, encode_head};
use super::term::{self, Field, Kind};
use super::zones::{Span, Zones};
use super::{TopicNumber, key::group_key};
use crate::table::{Changes, Entry, point_value};

/// Most particles of a run as it is first written: 65,536. What a run costs for each of its distinct
/// terms is then shared by enough particles, and it is built in some 50 ms.
pub(super) const RUN_PARTICLES_MAX: u32 = 65_536;

/// Bytes of distinct terms of a run in the making, past which it is written: 16 MiB.
const TERM_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Entries of all lists of a run in the making, past which it is written: 1 million, 8 MB.
const OCCURRENCES_MAX: usize = 1024 * 1024;

/// Particles from which on a run is written as finished tables rather than through the journal.
const BULK_PARTICLES_MIN: u32 = 4096;

/// A run in the making.
pub(super) struct Builder {
    topic: TopicNumber,
    seed: u64,
    start: u64,
    count: u32,
    fingerprint: Fingerprint,
    ids: Vec<ids::Entry>,
    id_span: ids::Span,
    terms: Terms,
    /// For each entry its term and its offset, in the order of the offsets.
    occurrences: Vec<(u32, u32)>,
    timestamps: Zones,
    created: Zones,
}

impl Builder {
    /// `seed` is the topic's, for the hashes of its ids.
    pub(super) fn new(topic: TopicNumber, seed: u64, start: u64) -> Self {
        Self {
            topic,
            seed,
            start,
            count: 0,
            fingerprint: Fingerprint::from_bytes([0; efflux_particle::HASH_BYTES]),
            ids: Vec::new(),
            id_span: ids::Span::Empty,
            terms: Terms::default(),
            occurrences: Vec::new(),
            timestamps: Zones::default(),
            created: Zones::default(),
        }
    }

    /// The sequence of the particle that is to be added next.
    pub(super) const fn next(&self) -> u64 {
        self.start + self.count as u64
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the run is long enough to be written.
    pub(super) fn is_full(&self) -> bool {
        self.count >= RUN_PARTICLES_MAX
            || self.terms.bytes.len() >= TERM_BYTES_MAX
            || self.occurrences.len() >= OCCURRENCES_MAX
    }

    /// Adds the next particle.
    pub(super) fn push(&mut self, particle: &Particle) {
        let metadata = particle.metadata();
        let offset = self.count;
        self.count += 1;
        self.fingerprint = particle.fingerprint();
        let id = metadata.id();
        self.ids.push(IdHash::of(&id, self.seed).at(offset));
        self.id_span = self.id_span.with(ids::Span::of(&id));
        self.timestamps
            .add(offset, Span::at(metadata.timestamp().nanos()));
        self.created
            .add(offset, Span::at(metadata.created().nanos()));
        each_field(metadata, |field, value| {
            let term = self.terms.number(field, value);
            self.occurrences.push((term, offset));
        });
    }

    /// The changes that put the run into the table, and its record.
    pub(super) fn finish(mut self) -> (Run, Changes) {
        let head = encode_head(self.next().saturating_sub(1), &self.fingerprint);
        let offsets = self.offsets();
        let mut groups = self.groups(&offsets);
        groups.push(Entry::put(Key::GroupsMark(self.topic).bytes(), head));
        groups.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let run = Run {
            start: self.start,
            generation: key::GENERATION_FIRST,
            count: self.count,
            entries: 0,
            rare_bits: None,
            timestamps: self.timestamps.span(),
            created: self.created.span(),
            ids: self.id_span,
            fingerprint: self.fingerprint,
        };
        let mut assembly = self.assemble(&offsets);
        assembly.add_ids(std::mem::take(&mut self.ids));
        let (run, runs) = assembly.finish(self.topic, &run, &self.timestamps, &self.created);
        let changes = Changes {
            bulk: self.count >= BULK_PARTICLES_MIN,
            groups,
            runs,
        };
        (run, changes)
    }

    /// The offsets of every term, by a counting sort of the entries.
    fn offsets(&self) -> Offsets {
        let mut ends = vec![0_u32; self.terms.spans.len()];
        for (term, _) in &self.occurrences {
            if let Some(count) = ends.get_mut(*term as usize) {
                *count += 1;
            }
        }
        let mut at = 0;
        for end in &mut ends {
            // For now where the term's offsets begin; it moves on to where they end.
            (*end, at) = (at, at + *end);
        }
        let mut offsets = vec![0; self.occurrences.len()];
        for (term, offset) in &self.occurrences {
            let Some(end) = ends.get_mut(*term as usize) else {
                continue;
            };
            if let Some(place) = offsets.get_mut(*end as usize) {
                *place = *offset;
            }
            *end += 1;
        }
        Offsets { ends, offsets }
    }

    fn groups(&self, offsets: &Offsets) -> Vec<Entry> {
        let terms = (0..).zip(&self.terms.spans);
        let groups = terms.filter_map(|(number, span)| {
            let group = term::read_group(self.terms.bytes_of(span))?;
            let last = offsets.of(number).last()?;
            let (bytes, count) = point_value(self.start + u64::from(*last));
            let value = bytes.into_iter().take(count).collect();
            Some(Entry::put(group_key(self.topic, &group).to_vec(), value))
        });
        groups.collect()
    }

    fn assemble(&self, offsets: &Offsets) -> Assembly {
        let mut assembly = Assembly::new(self.count);
        let mut present: HashMap<&[u8], (usize, Vec<u32>)> = HashMap::new();
        let terms = || {
            (0..).zip(&self.terms.spans).filter_map(|(number, span)| {
                let bytes = self.terms.bytes_of(span);
                Some((bytes, offsets.of(number), term::read(bytes)?.1))
            })
        };
        for (_, places, field) in terms() {
            let (values, all) = present.entry(field).or_default();
            *values += 1;
            all.extend_from_slice(places);
        }
        let mut order = Vec::new();
        for (bytes, places, field) in terms() {
            let (values, all) = present.get(field).map_or((0, 0), |it| (it.0, it.1.len()));
            // Rare terms need no order: sorting is for those that get a key.
            if assembly.is_rare_among(places.len(), values, all) {
                assembly.add_rare_term(bytes, places);
            } else {
                order.push((bytes, places));
            }
        }
        let mut present: Vec<_> = present.into_iter().collect();
        present.sort_unstable();
        for (field, (_, mut places)) in present {
            places.sort_unstable();
            assembly.add(&[&[Kind::Present.byte()], field].concat(), &places);
        }
        order.sort_unstable();
        for (term, places) in order {
            assembly.add(term, places);
        }
        assembly
    }
}

/// Tells `visit` every field of a particle that it is found by, and its value.
pub(super) fn each_field<'a>(metadata: &'a Metadata, mut visit: impl FnMut(Field<'a>, &'a str)) {
    let fixed = [
        (Field::DataType, metadata.data_type()),
        (Field::ContentType, metadata.content_type()),
        (
            Field::ContentEncoding,
            metadata.content_encoding().map(ContentEncoding::as_str),
        ),
        (Field::MessageGroup, metadata.message_group()),
    ];
    for (field, value) in fixed {
        if let Some(value) = value {
            visit(field, value);
        }
    }
    for (name, value) in metadata.properties() {
        visit(Field::Property(name), value);
    }
}

/// The offsets of all terms, one term's after the other's.
struct Offsets {
    ends: Vec<u32>,
    offsets: Vec<u32>,
}

impl Offsets {
    fn of(&self, term: usize) -> &[u32] {
        let end_of = |term: usize| self.ends.get(term).copied().unwrap_or_default() as usize;
        let start = term.checked_sub(1).map_or(0, end_of);
        self.offsets.get(start..end_of(term)).unwrap_or_default()
    }
}

/// Numbers for distinct terms: a hash table whose keys lie in one buffer.
#[derive(Default)]
struct Terms {
    bytes: Vec<u8>,
    spans: Vec<TermSpan>,
    /// Number of a term and one; 0 where there is none. Always at least half of it is empty.
    slots: Vec<u32>,
    // Keyed with chance, so that nobody can choose terms that all meet in one slot.
    hasher: RandomState,
}

struct TermSpan {
    hash: u64,
    from: usize,
    until: usize,
}

impl Terms {
    fn bytes_of(&self, span: &TermSpan) -> &[u8] {
        self.bytes.get(span.from..span.until).unwrap_or_default()
    }

    /// The number of the term that says that a field has a value.
    fn number(&mut self, field: Field<'_>, value: &str) -> u32 {
        if self.slots.len() < 2 * self.spans.len() + 2 {
            self.grow();
        }
        let from = self.bytes.len();
        self.bytes.push(Kind::Is.byte());
        field.put(&mut self.bytes);
        term::put_value(&mut self.bytes, value.as_bytes());
        let until = self.bytes.len();
        let span = TermSpan {
            hash: 0,
            from,
            until,
        };
        let hash = self.hasher.hash_one(self.bytes_of(&span));
        let span = TermSpan { hash, ..span };
        let mask = self.slots.len() - 1;
        let mut slot = low_bits(hash) & mask;
        loop {
            let taken = self.slots.get(slot).copied().unwrap_or_default();
            let Some(number) = taken.checked_sub(1) else {
                break;
            };
            let known = self.spans.get(number as usize);
            let is_same = |known: &TermSpan| {
                known.hash == hash && self.bytes_of(known) == self.bytes_of(&span)
            };
            if known.is_some_and(is_same) {
                self.bytes.truncate(from);
                return number;
            }
            slot = (slot + 1) & mask;
        }
        // A run in the making has far fewer than 2^32 terms.
        let number = u32::try_from(self.spans.len()).unwrap_or(u32::MAX);
        self.spans.push(span);
        if let Some(place) = self.slots.get_mut(slot) {
            *place = number + 1;
        }
        number
    }

    fn grow(&mut self) {
        let count = (self.slots.len() * 2).max(1024);
        self.slots.clear();
        self.slots.resize(count, 0);
        for (number, span) in (1..).zip(&self.spans) {
            let mut slot = low_bits(span.hash) & (count - 1);
            while self.slots.get(slot).is_some_and(|taken| *taken != 0) {
                slot = (slot + 1) & (count - 1);
            }
            if let Some(place) = self.slots.get_mut(slot) {
                *place = number;
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits of a hash are all that is used"
)]
const fn low_bits(hash: u64) -> usize {
    hash as usize
}
