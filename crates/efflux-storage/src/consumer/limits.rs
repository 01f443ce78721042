//! Every bound of a consumer, with its unit and its reason.

use std::time::Duration;

/// Default time a particle is leased to who received it: 90 s.
pub const LEASE_DEFAULT: Duration = Duration::from_secs(90);

/// Shortest lease: 1 ms. A shorter one would be over before its particle has reached anyone.
pub const LEASE_MIN: Duration = Duration::from_millis(1);

/// Longest lease, extension or delay: 7 days. What takes longer belongs into a schedule.
pub const LEASE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Default of particles in flight at once: ten batches of 100.
pub const MAX_IN_FLIGHT_DEFAULT: usize = 1000;

/// Most particles in flight at once, 65,536: about 5 MB of tickets.
pub const MAX_IN_FLIGHT_MAX: usize = 65_536;

/// Default of deliveries after which a particle is dead-lettered: 10, as in Azure Service Bus.
pub const MAX_DELIVERIES_DEFAULT: u32 = 10;

/// Most particles that were delivered and are not settled, in flight or waiting to be delivered
/// again: 131,072, about 10 MB. Beyond it nothing new is delivered until some are settled.
pub const OPEN_MAX: usize = 131_072;

/// Most particles that wait, never delivered, behind another one of their message group: 16,384,
/// about 1 MB. Beyond it nothing further along the topic is delivered until a group moves on.
pub const PARKED_MAX: usize = 16_384;

/// Runs of committed tickets that are remembered, so that committing one again is no error: 512,
/// about 16 kB. A program that lost an answer asks again at once, not thousands of batches later.
pub const COMMITTED_RUNS_MAX: usize = 512;

/// Particles read ahead at once.
pub(super) const READ_AHEAD_PARTICLES: usize = 1024;

/// Bytes read ahead at once: 512 KiB. A consumer may hold twice as many in memory while nobody
/// receives.
pub(super) const READ_AHEAD_BYTES: usize = 512 * 1024;

/// Particles that are read at once to be delivered again.
pub(super) const REDELIVER_PARTICLES: usize = 64;

/// Bytes of particles after which a receive takes no further ones: 32 MiB.
pub(super) const RECEIVE_BYTES: usize = 32 * 1024 * 1024;

/// Bytes by which a journal may outgrow four summaries of its state before it is replaced by one:
/// 256 KiB, some thousand receives and commits. Replacing takes several syncs, reading so much when
/// it is opened a millisecond.
pub(super) const JOURNAL_SLACK_BYTES: usize = 256 * 1024;
