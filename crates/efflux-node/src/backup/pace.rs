//! How far the work is, told now and then; and a turn for others now and then.

use std::fmt;

use efflux_flow::particle::Particle;
use efflux_flow::storage::Progress;

use super::limits::PIECE_BYTES;

/// Counts particles and bytes, tells how many, and lets other tasks run once in a MiB: reading and
/// writing files waits for nothing that a task could be woken by.
#[derive(Clone, Default)]
pub(super) struct Pace {
    progress: Progress,
    particles: u64,
    bytes: u64,
    since_turn: usize,
}

impl Pace {
    pub(super) fn telling(progress: &Progress) -> Self {
        Self {
            progress: progress.clone(),
            ..Self::default()
        }
    }

    /// One particle more is done.
    pub(super) async fn step(&mut self, particle: &Particle) {
        let bytes = particle.frame().len();
        self.particles += 1;
        self.bytes += bytes as u64;
        self.since_turn += bytes;
        if self.since_turn >= PIECE_BYTES {
            self.since_turn = 0;
            self.progress.tell(self.particles, self.bytes);
            tokio::task::yield_now().await;
        }
    }

    /// Particles and bytes so far.
    pub(super) const fn done(&self) -> (u64, u64) {
        (self.particles, self.bytes)
    }

    /// Particles and bytes since then.
    pub(super) const fn since(&self, before: (u64, u64)) -> (u64, u64) {
        (self.particles - before.0, self.bytes - before.1)
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("particles", &self.particles)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
