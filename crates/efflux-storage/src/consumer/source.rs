//! What a consumer needs of its topic.

use std::fmt;

use async_trait::async_trait;
use efflux_particle::{Message, Particle, Sequence, TopicName};

use crate::error::Result;
use crate::log::ReadLimit;
use crate::options::TopicOptions;
use crate::topic::Topic;

/// What a consumer needs of its topic, and of the store around it.
#[async_trait]
pub(super) trait Source: Send + Sync + fmt::Debug {
    /// The topic's name.
    fn name(&self) -> &TopicName;

    /// The last readable particle's place.
    fn head(&self) -> Sequence;

    /// Reads upwards; empty past the head.
    async fn read(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>>;

    /// Reads the particles at these places.
    async fn read_each(&self, sequences: &[Sequence]) -> Result<Vec<Particle>>;

    /// Waits until the head is past that place.
    async fn wait_past(&self, sequence: Sequence) -> Result<()>;

    /// Appends a message durably to another topic, which is made when it is not there.
    async fn append_to(&self, topic: &TopicName, message: Message) -> Result<()>;
}

#[async_trait]
impl Source for Topic {
    fn name(&self) -> &TopicName {
        Self::name(self)
    }

    fn head(&self) -> Sequence {
        Self::head(self).sequence
    }

    async fn read(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        Self::read(self, from, limit).await
    }

    async fn read_each(&self, sequences: &[Sequence]) -> Result<Vec<Particle>> {
        self.log().read_each(sequences).await
    }

    async fn wait_past(&self, sequence: Sequence) -> Result<()> {
        Self::wait_past(self, sequence).await.map(drop)
    }

    async fn append_to(&self, topic: &TopicName, message: Message) -> Result<()> {
        let topic = self
            .store()
            .topic_or_create(topic, TopicOptions::default())
            .await?;
        topic.append(message).await.map(drop)
    }
}
