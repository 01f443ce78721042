//! Metadata of the newest particles.

use std::collections::VecDeque;

use efflux_particle::{Linked, LinkedMetadata, Sequence};

use crate::limits::RECENT_BYTES_MAX;
use crate::query::Query;

/// Metadata of the newest batches, as many as [`RECENT_BYTES_MAX`] allows.
#[derive(Debug)]
pub(super) struct Recent {
    start: Sequence,
    batches: VecDeque<LinkedMetadata>,
    bytes: usize,
}

impl Recent {
    pub(super) const fn starting_at(start: Sequence) -> Self {
        Self {
            start,
            batches: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The first sequence that is known here.
    pub(super) const fn start(&self) -> Sequence {
        self.start
    }

    /// Adds the metadata of the next batch, apart from its payloads, which may be let go.
    pub(super) fn add(&mut self, linked: &Linked) {
        let batch = linked.metadata();
        self.bytes += batch.memory_bytes();
        self.batches.push_back(batch);
        while self.bytes > RECENT_BYTES_MAX
            && let Some(oldest) = self.batches.pop_front()
        {
            self.start = self.start.plus(oldest.len() as u64);
            self.bytes -= oldest.memory_bytes();
        }
    }

    /// The first particle after `after` that matches.
    pub(super) fn first_after(&self, after: Sequence, query: &Query) -> Option<Sequence> {
        let mut start = self.start;
        for batch in &self.batches {
            let end = start.plus(batch.len() as u64);
            if end > after.next() {
                let found = batch
                    .iter()
                    .find(|metadata| metadata.sequence() > after && query.matches(metadata));
                if let Some(found) = found {
                    return Some(found.sequence());
                }
            }
            start = end;
        }
        None
    }
}
