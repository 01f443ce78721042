//! Ids and groups of the particles that the index may not answer for yet.
//!
//! Most of them are never asked for. So a particle is only noted, in order, when it is linked; a
//! look-up first makes searchable what was noted since the one before it.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

use efflux_particle::{Fingerprint, Id, Linked, LinkedRef, PayloadHash, Sequence};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::expect::Receipt;

/// Particles in one generation. Generations are forgotten whole, and a look-up asks each of them.
const GENERATION_PARTICLES: usize = 65_536;

/// What is remembered of one particle.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) sequence: Sequence,
    pub(super) fingerprint: Fingerprint,
    pub(super) payload_hash: PayloadHash,
}

impl Seen {
    pub(super) const fn receipt(&self) -> Receipt {
        Receipt {
            sequence: self.sequence,
            fingerprint: self.fingerprint,
            duplicate: true,
        }
    }
}

/// Ids and groups by generation, oldest first.
#[derive(Debug)]
pub(super) struct Window {
    next: Sequence,
    generations: VecDeque<Generation>,
    indexed_before: Sequence,
    len: usize,
    hasher: DefaultHashBuilder,
}

/// Particles in the order of their sequences, from the first one on without a gap.
#[derive(Debug)]
struct Generation {
    first: Sequence,
    noted: Vec<Noted>,
    /// The names of the groups of those that have one, one after the other.
    group_names: String,
    ids: Ids,
    groups: Groups,
}

#[derive(Debug)]
struct Noted {
    id: Id,
    fingerprint: Fingerprint,
    payload_hash: PayloadHash,
    /// Bytes of the group's name; 0 when there is none.
    group_bytes: u8,
}

/// Places in a generation by id.
#[derive(Debug, Default)]
struct Ids {
    places: HashTable<u32>,
    /// How many of the noted ones are there.
    through: usize,
}

/// The last particle of each group.
#[derive(Debug, Default)]
struct Groups {
    last: HashMap<Box<str>, Sequence>,
    /// How many of the noted ones are there, and how many bytes of names these have.
    through: usize,
    bytes: usize,
}

impl Window {
    pub(super) fn starting_at(start: Sequence) -> Self {
        Self {
            next: start,
            generations: VecDeque::new(),
            indexed_before: Sequence::ROOT,
            len: 0,
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// The first sequence whose id and group are known here.
    pub(super) fn start(&self) -> Sequence {
        self.generations
            .front()
            .map_or(self.next, |oldest| oldest.first)
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Notes a batch.
    pub(super) fn add(&mut self, linked: &Linked) {
        let mut particles = linked.iter().peekable();
        while let Some(first) = particles.peek().map(LinkedRef::sequence) {
            if self.generations.back().is_none_or(Generation::is_full) {
                self.generations.push_back(Generation::starting_at(first));
            }
            let Some(newest) = self.generations.back_mut() else {
                return;
            };
            let before = newest.noted.len();
            let room = GENERATION_PARTICLES.saturating_sub(before);
            particles
                .by_ref()
                .take(room)
                .for_each(|particle| newest.note(&particle));
            self.len += newest.noted.len() - before;
            self.next = newest.next();
        }
    }

    pub(super) fn id(&mut self, id: &Id) -> Option<Seen> {
        let hasher = &self.hasher;
        let mut generations = self.generations.iter_mut().rev();
        generations.find_map(|generation| generation.id(id, hasher))
    }

    pub(super) fn group(&mut self, group: &str) -> Option<Sequence> {
        let mut generations = self.generations.iter_mut().rev();
        generations.find_map(|generation| generation.group(group))
    }

    /// Forgets what the index answered for the last time already: one step behind, so that a
    /// look-up that was made a moment ago still counts.
    pub(super) fn forget_through(&mut self, sequence: Sequence) {
        let through = self.indexed_before;
        self.indexed_before = through.max(sequence);
        while let Some(oldest) = self.generations.front()
            && oldest.next() <= through.next()
        {
            self.len -= oldest.noted.len();
            self.generations.pop_front();
        }
    }
}

impl Generation {
    fn starting_at(first: Sequence) -> Self {
        Self {
            first,
            noted: Vec::new(),
            group_names: String::new(),
            ids: Ids::default(),
            groups: Groups::default(),
        }
    }

    fn is_full(&self) -> bool {
        self.noted.len() >= GENERATION_PARTICLES
    }

    fn next(&self) -> Sequence {
        self.first.plus(self.noted.len() as u64)
    }

    fn note(&mut self, particle: &LinkedRef<'_>) {
        let group = particle.message_group().unwrap_or_default();
        self.group_names.push_str(group);
        self.noted.push(Noted {
            id: particle.id(),
            fingerprint: particle.fingerprint(),
            payload_hash: particle.payload_hash(),
            group_bytes: u8::try_from(group.len()).unwrap_or(u8::MAX),
        });
    }

    fn id(&mut self, id: &Id, hasher: &DefaultHashBuilder) -> Option<Seen> {
        let Self { noted, ids, .. } = self;
        let id_at = |place: u32| noted.get(place as usize).map(|noted| &noted.id);
        let hash_of = |id: Option<&Id>| hasher.hash_one(id);
        ids.places
            .reserve(noted.len() - ids.through, |place| hash_of(id_at(*place)));
        // Skipped before they are counted: a counted one is passed over one by one.
        let first = u32::try_from(ids.through).unwrap_or(u32::MAX);
        for (place, later) in (first..).zip(noted.iter().skip(ids.through)) {
            let rehash = |place: &u32| hash_of(id_at(*place));
            ids.places
                .insert_unique(hash_of(Some(&later.id)), place, rehash);
        }
        ids.through = noted.len();
        let hash = hash_of(Some(id));
        let place = *ids.places.find(hash, |place| id_at(*place) == Some(id))?;
        let found = noted.get(place as usize)?;
        Some(Seen {
            sequence: self.first.plus(u64::from(place)),
            fingerprint: found.fingerprint,
            payload_hash: found.payload_hash,
        })
    }

    fn group(&mut self, group: &str) -> Option<Sequence> {
        let groups = &mut self.groups;
        for (at, noted) in self.noted.iter().enumerate().skip(groups.through) {
            let name = groups.bytes..groups.bytes + usize::from(noted.group_bytes);
            groups.bytes = name.end;
            let name = self.group_names.get(name).unwrap_or_default();
            let sequence = self.first.plus(at as u64);
            match groups.last.get_mut(name) {
                _ if name.is_empty() => {}
                Some(last) => *last = sequence,
                None => {
                    groups.last.insert(name.into(), sequence);
                }
            }
        }
        groups.through = self.noted.len();
        groups.last.get(group).copied()
    }
}
