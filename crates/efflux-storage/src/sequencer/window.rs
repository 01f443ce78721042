//! Ids and groups of the particles that the index may not answer for yet.

use std::collections::{HashMap, VecDeque};

use efflux_particle::{Fingerprint, Id, Particle, PayloadHash, Sequence};

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
    pub(super) fn of(particle: &Particle) -> Self {
        Self {
            sequence: particle.sequence(),
            fingerprint: particle.fingerprint(),
            payload_hash: particle.payload_hash(),
        }
    }

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
    start: Sequence,
    generations: VecDeque<Generation>,
    indexed_before: Sequence,
    len: usize,
}

#[derive(Debug, Default)]
struct Generation {
    last: Sequence,
    ids: HashMap<Id, Seen>,
    groups: HashMap<Box<str>, Sequence>,
    len: usize,
}

impl Window {
    pub(super) fn starting_at(start: Sequence) -> Self {
        Self {
            start,
            generations: VecDeque::new(),
            indexed_before: Sequence::ROOT,
            len: 0,
        }
    }

    /// The first sequence whose id and group are known here.
    pub(super) const fn start(&self) -> Sequence {
        self.start
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn add(&mut self, particle: &Particle) {
        if self
            .generations
            .back()
            .is_none_or(|newest| newest.len >= GENERATION_PARTICLES)
        {
            self.generations.push_back(Generation::default());
        }
        let Some(newest) = self.generations.back_mut() else {
            return;
        };
        newest.last = particle.sequence();
        newest.ids.insert(particle.id(), Seen::of(particle));
        if let Some(group) = particle.metadata().message_group() {
            match newest.groups.get_mut(group) {
                Some(last) => *last = particle.sequence(),
                None => {
                    newest.groups.insert(group.into(), particle.sequence());
                }
            }
        }
        newest.len += 1;
        self.len += 1;
    }

    pub(super) fn id(&self, id: &Id) -> Option<Seen> {
        self.generations
            .iter()
            .rev()
            .find_map(|generation| generation.ids.get(id))
            .cloned()
    }

    pub(super) fn group(&self, group: &str) -> Option<Sequence> {
        self.generations
            .iter()
            .rev()
            .find_map(|generation| generation.groups.get(group))
            .copied()
    }

    /// Forgets what the index answered for the last time already: one step behind, so that a
    /// look-up that was made a moment ago still counts.
    pub(super) fn forget_through(&mut self, sequence: Sequence) {
        let through = self.indexed_before;
        self.indexed_before = through.max(sequence);
        while let Some(oldest) = self.generations.front()
            && oldest.last <= through
        {
            self.start = oldest.last.next();
            self.len -= oldest.len;
            self.generations.pop_front();
        }
    }
}
