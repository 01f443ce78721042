//! Particles that were read before anyone asked for them.

use std::collections::VecDeque;

use efflux_particle::{Particle, Sequence};

use super::limits::{READ_AHEAD_BYTES, READ_AHEAD_PARTICLES};
use super::source::Source;
use crate::error::Result;
use crate::log::ReadLimit;

/// Particles that were read and not yet looked at, ascending and without a gap.
#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    particles: VecDeque<Particle>,
    bytes: usize,
    /// How many the last receive had room for.
    wanted: usize,
}

impl ReadAhead {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.particles.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.particles.len()
    }

    pub(super) fn pop(&mut self) -> Option<Particle> {
        let particle = self.particles.pop_front()?;
        self.bytes = self.bytes.saturating_sub(particle.frame().len());
        Some(particle)
    }

    /// Puts a particle back that was popped last.
    pub(super) fn put_back(&mut self, particle: Particle) {
        self.bytes = self.bytes.saturating_add(particle.frame().len());
        self.particles.push_front(particle);
    }

    /// Reads on along the topic when fewer particles than wanted are there: as many as one read
    /// may have, because it costs less than many short ones.
    pub(super) async fn fill(
        &mut self,
        log: &dyn Source,
        cursor: Sequence,
        wanted: usize,
    ) -> Result<()> {
        self.wanted = wanted;
        self.read(log, cursor, READ_AHEAD_PARTICLES).await
    }

    /// Reads on as for a receive like the last one, and no more than it would take.
    pub(super) async fn refill(&mut self, log: &dyn Source, cursor: Sequence) -> Result<()> {
        self.read(log, cursor, self.wanted.min(READ_AHEAD_PARTICLES))
            .await
    }

    async fn read(&mut self, log: &dyn Source, cursor: Sequence, most: usize) -> Result<()> {
        while self
            .particles
            .front()
            .is_some_and(|particle| particle.sequence() < cursor)
        {
            self.pop();
        }
        let last = self.particles.back();
        let from = last.map_or(cursor, |last| last.sequence().next());
        let is_short = self.len() < self.wanted && self.bytes < READ_AHEAD_BYTES;
        if is_short && from <= log.head() {
            let limit = ReadLimit {
                particles: most,
                bytes: READ_AHEAD_BYTES,
            };
            let read = log.read(from, limit).await?;
            self.bytes += read
                .iter()
                .map(|particle| particle.frame().len())
                .sum::<usize>();
            self.particles.extend(read);
        }
        Ok(())
    }
}
