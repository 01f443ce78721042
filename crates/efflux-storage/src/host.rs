//! What another process does for this one, where it hosts the store: the work that would else be
//! done here over the topic's log, with an index and journals of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use efflux_particle::{ConsumerName, Head, Id, Particle, Sequence, TopicName};

use crate::consumer::{ConsumerOptions, ConsumerState, ConsumerStatus, Delivery, Start, Ticket};
use crate::error::Result;
use crate::find::FindOptions;
use crate::options::TopicOptions;
use crate::query::Query;

/// Some of what is looked for.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) particles: Vec<Particle>,
    /// The topic's head when it was looked for.
    pub(crate) head: Sequence,
}

/// A process that hosts a store for this one.
///
/// 1. `find` and `by_id` answer as a scan of the whole log would.
/// 2. A consumer's state is kept by the host alone, and shared by all processes that use it.
#[async_trait]
pub(crate) trait Host: Send + Sync + fmt::Debug {
    /// The first particles that match, in order: some of them when there are any, none at the end.
    async fn find(&self, topic: &TopicName, query: &Query, options: &FindOptions) -> Result<Found>;

    /// The particle with this id.
    async fn by_id(&self, topic: &TopicName, id: &Id) -> Result<Option<Particle>>;

    /// Opens a consumer, and makes it when it is not there.
    async fn consumer(
        &self,
        topic: &TopicName,
        name: &ConsumerName,
        options: &ConsumerOptions,
    ) -> Result<Arc<dyn HostedConsumer>>;

    /// How a consumer stands.
    async fn inspect(&self, topic: &TopicName, name: &ConsumerName) -> Result<ConsumerStatus>;

    /// What of a consumer outlives its workers.
    async fn consumer_state(&self, topic: &TopicName, name: &ConsumerName)
    -> Result<ConsumerState>;

    /// Deletes a consumer.
    async fn delete_consumer(&self, topic: &TopicName, name: &ConsumerName) -> Result<()>;

    /// Begins a topic of particles that were sealed before; nobody sees it before it is finished.
    async fn restore(
        &self,
        topic: &TopicName,
        options: &TopicOptions,
    ) -> Result<Box<dyn HostedRestoring>>;
}

/// A consumer whose state the host keeps. Each method does what [`Consumer`] says of it.
///
/// [`Consumer`]: crate::Consumer
#[async_trait]
pub(crate) trait HostedConsumer: Send + Sync + fmt::Debug {
    fn name(&self) -> &ConsumerName;

    fn topic(&self) -> &TopicName;

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>>;

    async fn commit(&self, tickets: &[Ticket]) -> Result<()>;

    async fn rollback(&self, tickets: &[Ticket], delay: Duration) -> Result<()>;

    async fn extend(&self, tickets: &[Ticket], by: Duration) -> Result<()>;

    async fn status(&self) -> Result<ConsumerStatus>;

    async fn seek(&self, to: Start) -> Result<()>;
}

/// A topic that the host makes of particles that were sealed before. Dropping it gives it up.
#[async_trait]
pub(crate) trait HostedRestoring: Send + fmt::Debug {
    /// Adds particles, which were checked.
    async fn append(&mut self, particles: &[Particle]) -> Result<()>;

    /// Adds a consumer.
    async fn put_consumer(&mut self, name: &ConsumerName, state: &ConsumerState) -> Result<()>;

    /// Makes it a topic, at once and durably.
    async fn finish(self: Box<Self>, head: Head) -> Result<()>;
}
