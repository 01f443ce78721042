//! How a consumer stands.

use efflux_particle::Sequence;

use super::options::ConsumerOptions;

/// How a consumer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// The first particle that is not settled; the next one to be appended when all are.
    pub position: Sequence,
    /// The topic's last particle.
    pub head: Sequence,
    /// How many particles through the head are not settled, those in flight included.
    pub lag: u64,
    /// How many particles are leased to a worker right now.
    pub in_flight: usize,
    /// How many particles were delivered, came back and wait to be delivered again, at once or
    /// after a delay.
    pub delayed: usize,
    /// How many deliveries there were that were not a particle's first.
    pub redelivered: u64,
    /// How many particles went to the dead-letter topic.
    pub dead_lettered: u64,
    /// How often the consumer was opened; a part of its tickets.
    pub epoch: u32,
    /// Its settings.
    pub options: ConsumerOptions,
}
