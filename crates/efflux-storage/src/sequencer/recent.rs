//! Metadata of the newest particles.

use std::collections::VecDeque;

use efflux_particle::{Linked, LinkedMetadata, Sequence};

use crate::limits::RECENT_BYTES_MAX;
use crate::query::Query;

/// Metadata of the newest batches, as many as [`RECENT_BYTES_MAX`] allows.
#[derive(Debug)]
pub(super) struct Recent {
    start: Sequence,
    /// Each batch with the sequence of its first particle.
    batches: VecDeque<(Sequence, LinkedMetadata)>,
    next: Sequence,
    bytes: usize,
}

impl Recent {
    pub(super) const fn starting_at(start: Sequence) -> Self {
        Self {
            start,
            batches: VecDeque::new(),
            next: start,
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
        let first = self.next;
        self.next = first.plus(batch.len() as u64);
        self.batches.push_back((first, batch));
        while self.bytes > RECENT_BYTES_MAX
            && let Some((first, oldest)) = self.batches.pop_front()
        {
            self.start = first.plus(oldest.len() as u64);
            self.bytes -= oldest.memory_bytes();
        }
    }

    /// The first particle after `after` that matches.
    pub(super) fn first_after(&self, after: Sequence, query: &Query) -> Option<Sequence> {
        // There may be thousands of batches, and what is asked about is mostly the newest of them.
        let is_before = |(first, batch): &(Sequence, LinkedMetadata)| {
            first.plus(batch.len() as u64) <= after.next()
        };
        let from = self.batches.partition_point(is_before);
        for (_, batch) in self.batches.range(from..) {
            let found = batch
                .iter()
                .find(|metadata| metadata.sequence() > after && query.matches(metadata));
            if let Some(found) = found {
                return Some(found.sequence());
            }
        }
        None
    }
}
