//! Puts the entries of a run together: which terms get a key of their own, and which are rare.

use std::collections::HashMap;

use super::ids;
use super::key::Key;
use super::rare::{self, Rare};
use super::run::Run;
use super::term::{self, Kind};
use super::zones::Zones;
use super::{TopicNumber, list};
use crate::table::Entry;

/// Particles of a run from which on terms can be rare in it. In shorter ones nearly all would be,
/// and would stay so when the runs are merged; but for those of a field that has another value in
/// nearly every particle.
const RARE_RUN_MIN: u32 = 16_384;

/// Particles with a field from which on it can be told that nearly all its values differ.
const DISTINCT_MIN: usize = 1024;

/// Most particles of a run that have a term which counts as rare: up to here, entries among the rare
/// ones take fewer bytes than a key.
const RARE_MAX: usize = 4;

/// The entries of a run in the making. Terms come in ascending order.
pub(super) struct Assembly {
    can_be_rare: bool,
    terms: Vec<(Vec<u8>, Vec<u8>)>,
    rare: Vec<Rare>,
    uncommon: HashMap<Vec<u8>, Vec<u32>>,
    ids: Vec<ids::Entry>,
    entries: u64,
}

impl Assembly {
    /// Of a run with that many particles.
    pub(super) fn new(count: u32) -> Self {
        Self {
            can_be_rare: count >= RARE_RUN_MIN,
            terms: Vec::new(),
            rare: Vec::new(),
            uncommon: HashMap::new(),
            ids: Vec::new(),
            entries: 0,
        }
    }

    /// Whether a term that so many particles have is rare.
    pub(super) const fn is_rare(&self, count: usize) -> bool {
        self.can_be_rare && count <= RARE_MAX
    }

    /// Whether a term that so many particles have is rare, when so many have its field with so many
    /// values.
    pub(super) const fn is_rare_among(&self, count: usize, values: usize, all: usize) -> bool {
        let is_distinct = all >= DISTINCT_MIN && values * 16 >= all * 15;
        self.is_rare(count) || is_distinct && count <= RARE_MAX
    }

    /// Adds a term with the offsets of its particles, which ascend.
    pub(super) fn add(&mut self, term: &[u8], offsets: &[u32]) {
        if self.is_rare(offsets.len()) {
            return self.add_rare_term(term, offsets);
        }
        self.entries += offsets.len() as u64;
        self.terms.push((term.to_vec(), list::encode(offsets)));
    }

    /// Adds a term that is to count as rare.
    pub(super) fn add_rare_term(&mut self, term: &[u8], offsets: &[u32]) {
        self.entries += offsets.len() as u64;
        let hash = rare::hash(term);
        self.rare
            .extend(offsets.iter().map(|&offset| Rare { hash, offset }));
        let Some((Kind::Is, field)) = term::read(term) else {
            return;
        };
        match self.uncommon.get_mut(field) {
            Some(uncommon) => uncommon.extend_from_slice(offsets),
            None => drop(self.uncommon.insert(field.to_vec(), offsets.to_vec())),
        }
    }

    /// Adds the ids of all particles.
    pub(super) fn add_ids(&mut self, ids: Vec<ids::Entry>) {
        self.ids = ids;
    }

    /// Adds entries that are rare already.
    pub(super) fn add_rare(&mut self, rare: impl IntoIterator<Item = Rare>) {
        let before = self.rare.len();
        self.rare.extend(rare);
        self.entries += (self.rare.len() - before) as u64;
    }

    /// Adds offsets of particles whose value of this field is rare already.
    pub(super) fn add_uncommon(&mut self, field: &[u8], offsets: &[u32]) {
        self.uncommon
            .entry(field.to_vec())
            .or_default()
            .extend_from_slice(offsets);
    }

    /// The keys of the run, ascending, and its record, whose entries and bits are filled in.
    pub(super) fn finish(
        mut self,
        topic: TopicNumber,
        run: &Run,
        timestamps: &Zones,
        created: &Zones,
    ) -> (Run, Vec<Entry>) {
        let mut uncommon: Vec<_> = std::mem::take(&mut self.uncommon).into_iter().collect();
        uncommon.sort_unstable();
        for (field, mut offsets) in uncommon {
            offsets.sort_unstable();
            offsets.dedup();
            self.add(
                &[&[Kind::Uncommon.byte()], field.as_slice()].concat(),
                &offsets,
            );
        }
        let ids = ids::encode(std::mem::take(&mut self.ids));
        let has_rare = !self.rare.is_empty();
        let (bits, buckets) = rare::encode(self.rare);
        let run = Run {
            entries: self.entries,
            rare_bits: has_rare.then_some(bits),
            ..run.clone()
        };
        let name = run.name(topic);
        let fixed = [
            (Key::Run(name), run.encode()),
            (Key::Timestamps(name), timestamps.encode()),
            (Key::Created(name), created.encode()),
        ];
        let fixed = fixed
            .into_iter()
            .map(|(key, value)| Entry::put(key.bytes(), value));
        let terms = self.terms.into_iter();
        let terms = terms.map(|(term, list)| Entry::put(Key::Term(name, &term).bytes(), list));
        let buckets = buckets.into_iter();
        let buckets =
            buckets.map(|(number, bytes)| Entry::put(Key::Rare(name, number).bytes(), bytes));
        let ids_of = ids.buckets.into_iter();
        let ids_of =
            ids_of.map(|(number, bytes)| Entry::put(Key::Ids(name, number).bytes(), bytes));
        let filter = Entry::put(Key::Filter(name).bytes(), ids.filter);
        let entries = fixed.chain(terms).chain(buckets).chain(ids_of);
        (run, entries.chain([filter]).collect())
    }
}
