//! A named, durable position in a topic, shared by any number of workers.

mod agenda;
mod bury;
mod core;
mod entry;
mod groups;
mod ledger;
pub mod limits;
mod options;
mod ranges;
mod read_ahead;
mod receive;
mod registry;
mod replay;
mod source;
mod start;
mod state;
mod status;
mod summary;
#[cfg(test)]
mod tests;
mod ticket;

use std::sync::Arc;
use std::time::Duration;

use efflux_particle::{ConsumerName, TopicName};

use self::core::Core;
use crate::error::{Error, Result};
use crate::host::HostedConsumer;
use crate::topic::Topic;

pub use options::{ConsumerOptions, Start};
pub(crate) use registry::ConsumerRegistry;
pub use state::ConsumerState;
pub use status::ConsumerStatus;
pub use ticket::{Delivery, Ticket};

/// A named, durable position in a topic, shared by any number of workers.
///
/// Each particle is delivered with a [`Ticket`], a lease on it. Committed, it is settled; rolled
/// back, or when its lease runs out, it is delivered again. Delivery is at least once and in order:
/// what comes again comes first, oldest first. Particles of one message group are in flight one at a
/// time and in order: one that comes back holds up the later ones of its group, and no others.
///
/// Handles are cheap to clone, and all handles of one consumer in a process share its state. The
/// state is closed with its last handle.
///
/// # What survives
///
/// - a crash of the process: every commit, roll-back and extension that returned, and all tickets
/// - a power cut: every commit, move and deletion that returned, unless the topic has
///   [`Sync::Os`](crate::Sync::Os). What was delivered, rolled back or extended in the last moments
///   may be delivered again, with a lower count; its old tickets are then refused
///
/// # Bounds
///
/// At most `max_in_flight` particles are leased at once. At most
/// [`OPEN_MAX`](limits::OPEN_MAX) that were delivered may be unsettled, and at most
/// [`PARKED_MAX`](limits::PARKED_MAX) may wait behind others of their group; past that, nothing
/// further along the topic is delivered until some are settled.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use efflux_storage::particle::Message;
/// use efflux_storage::{Consumer, ConsumerOptions, Store, TopicOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::open("mem:").await?;
/// let orders = store.create_topic(&"orders".parse()?, TopicOptions::default()).await?;
/// orders.append(Message::new("first")).await?;
/// orders.append(Message::new("second")).await?;
///
/// let billing = Consumer::open(&orders, &"billing".parse()?, ConsumerOptions::default()).await?;
/// for delivery in billing.receive(100, Duration::from_secs(1)).await? {
///     println!("{:?}", delivery.particle.payload());
///     billing.commit(&[delivery.ticket]).await?;
/// }
/// assert_eq!(billing.status().await?.lag, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Consumer {
    at: At,
}

/// Where a consumer's state is kept.
#[derive(Clone, Debug)]
enum At {
    Here(Arc<Core>),
    Host(Arc<dyn HostedConsumer>),
}

impl Consumer {
    /// Opens a consumer, and makes it when it is not there. Its settings are set to `options`.
    ///
    /// # Errors
    /// `Invalid` when a setting is out of bounds or the store was opened for reading; `Conflict` when
    /// one does not fit the topic, as when it were its own dead-letter topic; `Full` when the topic
    /// has [`CONSUMERS_MAX`](crate::limits::CONSUMERS_MAX) consumers; `Corrupt` when what
    /// is kept of the consumer is damaged; `Unavailable`, `Full` when it cannot be read or written.
    pub async fn open(
        topic: &Topic,
        name: &ConsumerName,
        options: ConsumerOptions,
    ) -> Result<Self> {
        let at = match topic.store().host() {
            Some(host) => {
                refuse_read_only(topic, name)?;
                options.check()?;
                At::Host(host.consumer(topic.name(), name, &options).await?)
            }
            None => At::Here(ConsumerRegistry::open(topic, name, &options).await?),
        };
        Ok(Self { at })
    }

    /// The consumer's name.
    #[must_use]
    pub fn name(&self) -> &ConsumerName {
        match &self.at {
            At::Here(core) => &core.parts.name,
            At::Host(consumer) => consumer.name(),
        }
    }

    /// The name of the topic it stands in.
    #[must_use]
    pub fn topic_name(&self) -> &TopicName {
        match &self.at {
            At::Here(core) => core.topic(),
            At::Host(consumer) => consumer.topic(),
        }
    }

    /// Takes up to `max` particles, and waits up to `wait` for the first. Empty when none came.
    ///
    /// It wakes for new particles, for those that come back, and when a group or a place in flight
    /// becomes free. A receive that is dropped before it returned gives back at once what it took.
    /// It returns fewer particles than `max` when more than 32 MiB of them are there.
    ///
    /// Particles that were delivered too often are copied to the dead-letter topic on the way.
    ///
    /// # Errors
    /// `Invalid` when `max` is 0; `Corrupt`, `Unavailable` when the topic cannot be read or the
    /// dead-letter topic not written; `Closed` after a failed write, or when the consumer or topic
    /// was deleted. No particle is lost by any of them.
    pub async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>> {
        match &self.at {
            At::Here(core) => core.receive(max, wait).await,
            At::Host(consumer) => consumer.receive(max, wait).await,
        }
    }

    /// Settles particles: they are never delivered again, unless the consumer is moved back.
    ///
    /// When this returns, it is durable as the topic's sync policy says: after a sync for
    /// [`Sync::Always`](crate::Sync::Always) and for intervals, after the write for
    /// [`Sync::Os`](crate::Sync::Os). Concurrent commits share a sync. A ticket whose lease is over
    /// is good as long as nobody else got its particle. Committing again what was committed with the
    /// same ticket is no error, as long as the consumer remembers it: the last
    /// [`COMMITTED_RUNS_MAX`](limits::COMMITTED_RUNS_MAX) runs of neighbouring tickets.
    ///
    /// # Errors
    /// `Conflict` when one of the tickets is stale, naming the first: nothing was changed then, not
    /// for the others either. `Unavailable`, `Full`, `Closed` when writing fails; then
    /// [`may_have_applied`](crate::Error::may_have_applied) tells whether it may be kept all the
    /// same.
    pub async fn commit(&self, tickets: &[Ticket]) -> Result<()> {
        match &self.at {
            At::Here(core) => core.commit(tickets).await,
            At::Host(consumer) => consumer.commit(tickets).await,
        }
    }

    /// Gives particles back, to be delivered again after `delay`, at most 7 days.
    ///
    /// Later particles of their groups wait for them. Rolling back again with the same ticket, while
    /// the particle waits, is no error and changes nothing. It survives a crash of the process; a
    /// power cut may turn it into a lease that runs out.
    ///
    /// # Errors
    /// As for [`Consumer::commit`], and `Invalid` when the delay is too long.
    pub async fn rollback(&self, tickets: &[Ticket], delay: Duration) -> Result<()> {
        match &self.at {
            At::Here(core) => core.rollback(tickets, delay).await,
            At::Host(consumer) => consumer.rollback(tickets, delay).await,
        }
    }

    /// Lets leases end `by` from now, sooner or later than they would have: 1 ms to 7 days.
    ///
    /// It survives a crash of the process; after a power cut the former end may hold.
    ///
    /// # Errors
    /// As for [`Consumer::commit`], and `Invalid` when the time is out of bounds.
    pub async fn extend(&self, tickets: &[Ticket], by: Duration) -> Result<()> {
        match &self.at {
            At::Here(core) => core.extend(tickets, by).await,
            At::Host(consumer) => consumer.extend(tickets, by).await,
        }
    }

    /// How the consumer stands.
    ///
    /// # Errors
    /// `Closed` after a failed write or when the consumer was deleted.
    pub async fn status(&self) -> Result<ConsumerStatus> {
        match &self.at {
            At::Here(core) => core.status(),
            At::Host(consumer) => consumer.status().await,
        }
    }

    /// Moves the consumer, durably. All tickets become stale, and delivery counts begin anew.
    ///
    /// # Errors
    /// `Conflict` when the place lies further on than the next append; else as for
    /// [`Consumer::commit`].
    pub async fn seek(&self, to: Start) -> Result<()> {
        match &self.at {
            At::Here(core) => core.seek(to).await,
            At::Host(consumer) => consumer.seek(to).await,
        }
    }

    /// The consumers of a topic in ascending order.
    ///
    /// # Errors
    /// `NotFound` when the topic was deleted, `Unavailable` when they cannot be listed.
    pub async fn list(topic: &Topic) -> Result<Vec<ConsumerName>> {
        topic.store().backend().consumers(topic.name()).await
    }

    /// How a consumer stands, without opening it: also in a store that was opened for reading.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name, `Corrupt` when what is kept of it is damaged.
    pub async fn inspect(topic: &Topic, name: &ConsumerName) -> Result<ConsumerStatus> {
        match topic.store().host() {
            Some(host) => host.inspect(topic.name(), name).await,
            None => ConsumerRegistry::inspect(topic, name).await,
        }
    }

    /// What of a consumer outlives its workers, as a backup keeps it: also in a store that was
    /// opened for reading.
    ///
    /// # Errors
    /// As for [`Consumer::inspect`].
    pub async fn state(topic: &Topic, name: &ConsumerName) -> Result<ConsumerState> {
        match topic.store().host() {
            Some(host) => host.consumer_state(topic.name(), name).await,
            None => ConsumerRegistry::state(topic, name).await,
        }
    }

    /// Deletes a consumer durably, damaged ones too. Its handles then fail with `Closed`.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name, `Invalid` when the store was opened for reading,
    /// `Unavailable` when it cannot be deleted.
    pub async fn delete(topic: &Topic, name: &ConsumerName) -> Result<()> {
        match topic.store().host() {
            Some(host) => {
                refuse_read_only(topic, name)?;
                host.delete_consumer(topic.name(), name).await
            }
            None => ConsumerRegistry::delete(topic, name).await,
        }
    }
}

fn refuse_read_only(topic: &Topic, name: &ConsumerName) -> Result<()> {
    match topic.store().is_writable() {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "consumer {name} cannot be opened or deleted: the store was opened for reading"
        ))),
    }
}
