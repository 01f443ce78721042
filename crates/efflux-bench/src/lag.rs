//! How far the index is behind what was acknowledged.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use efflux_node::particle::Sequence;
use efflux_node::storage::Topic;

/// Looked at after every append, so that nothing is missed but what is over between two of them.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    /// The head after each append that the index does not answer for yet, and when that was.
    appended: VecDeque<(u64, Instant)>,
    pub(crate) particles_max: u64,
    pub(crate) time_max: Duration,
}

impl Lag {
    pub(crate) fn look(&mut self, topic: &Topic) {
        let (head, at) = (topic.head().sequence.get(), Instant::now());
        self.appended.push_back((head, at));
        let through = topic.indexed_through().map_or(0, Sequence::get);
        while self
            .appended
            .front()
            .is_some_and(|(head, _)| *head <= through)
        {
            self.appended.pop_front();
        }
        if let Some((_, since)) = self.appended.front() {
            self.time_max = self.time_max.max(since.elapsed());
            self.particles_max = self.particles_max.max(head.saturating_sub(through));
        }
    }
}
