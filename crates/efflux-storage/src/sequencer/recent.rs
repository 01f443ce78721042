//! Metadata of the newest particles.

use std::collections::VecDeque;

use efflux_particle::{Metadata, Sequence};

use super::matches_after;
use crate::limits::RECENT_BYTES_MAX;
use crate::query::Query;

/// Bytes of memory that one particle's metadata takes here.
fn cost(metadata: &Metadata) -> usize {
    metadata.bytes().len() + size_of::<Metadata>()
}

/// Metadata of the newest particles, as many as [`RECENT_BYTES_MAX`] allows.
#[derive(Debug)]
pub(super) struct Recent {
    start: Sequence,
    metadata: VecDeque<Metadata>,
    bytes: usize,
}

impl Recent {
    pub(super) const fn starting_at(start: Sequence) -> Self {
        Self {
            start,
            metadata: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The first sequence that is known here.
    pub(super) const fn start(&self) -> Sequence {
        self.start
    }

    /// Adds the metadata of the next particle, apart from its payload, which may be let go.
    pub(super) fn add(&mut self, metadata: &Metadata) {
        self.bytes += cost(metadata);
        self.metadata.push_back(metadata.detached());
        while self.bytes > RECENT_BYTES_MAX
            && let Some(oldest) = self.metadata.pop_front()
        {
            self.start = oldest.sequence().next();
            self.bytes -= cost(&oldest);
        }
    }

    /// The first particle after `after` that matches.
    pub(super) fn first_after(&self, after: Sequence, query: &Query) -> Option<Sequence> {
        let skipped = usize::try_from(after.next().past(self.start)).unwrap_or(usize::MAX);
        let found = self
            .metadata
            .iter()
            .skip(skipped)
            .find(|metadata| matches_after(metadata, after, query));
        found.map(Metadata::sequence)
    }
}
