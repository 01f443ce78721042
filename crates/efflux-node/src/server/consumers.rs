//! Consumers whose handles the node keeps open, so that each receive need not read a journal.

use std::collections::BTreeMap;

use efflux_flow::particle::{ConsumerName, TopicName};
use efflux_flow::storage::{Consumer, ConsumerOptions, ErrorKind, Result, Topic};
use tokio::sync::Mutex;

use super::limits::OPEN_CONSUMERS_MAX;

/// Consumers whose handles the node keeps open. Of too many, the one that was asked for longest ago
/// is let go.
#[derive(Debug, Default)]
pub(crate) struct OpenConsumers {
    open: Mutex<Open>,
}

type Key = (TopicName, ConsumerName);

#[derive(Debug, Default)]
struct Open {
    consumers: BTreeMap<Key, Entry>,
    asked: u64,
}

#[derive(Debug)]
struct Entry {
    consumer: Consumer,
    /// When it was asked for: how many were before.
    asked: u64,
}

impl OpenConsumers {
    /// The consumer with this name, which must be there, with the settings it has.
    ///
    /// # Errors
    /// `NotFound` when there is none; else those of [`Consumer::open`].
    pub(crate) async fn get(&self, topic: &Topic, name: &ConsumerName) -> Result<Consumer> {
        let mut open = self.open.lock().await;
        if let Some(consumer) = open.get(&key(topic, name))
            && consumer.status().await.is_ok()
        {
            return Ok(consumer);
        }
        let status = Consumer::inspect(topic, name).await?;
        let consumer = Consumer::open(topic, name, status.options).await?;
        open.keep(key(topic, name), consumer.clone());
        Ok(consumer)
    }

    /// Makes a consumer, or gives one that is there these settings; whether it was made.
    ///
    /// # Errors
    /// Those of [`Consumer::open`].
    pub(crate) async fn put(
        &self,
        topic: &Topic,
        name: &ConsumerName,
        options: ConsumerOptions,
    ) -> Result<(Consumer, bool)> {
        let mut open = self.open.lock().await;
        let is_new = match Consumer::inspect(topic, name).await {
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            inspected => inspected.map(|_| false)?,
        };
        let consumer = Consumer::open(topic, name, options).await?;
        open.keep(key(topic, name), consumer.clone());
        Ok((consumer, is_new))
    }

    /// Deletes a consumer.
    ///
    /// # Errors
    /// Those of [`Consumer::delete`].
    pub(crate) async fn delete(&self, topic: &Topic, name: &ConsumerName) -> Result<()> {
        let mut open = self.open.lock().await;
        open.consumers.remove(&key(topic, name));
        Consumer::delete(topic, name).await
    }

    /// The open consumers, at most so many.
    pub(crate) async fn open(&self, most: usize) -> Vec<Consumer> {
        let open = self.open.lock().await;
        let consumers = open.consumers.values().take(most);
        consumers.map(|entry| entry.consumer.clone()).collect()
    }

    /// Lets go of all.
    pub(crate) async fn clear(&self) {
        self.open.lock().await.consumers.clear();
    }
}

impl Open {
    fn get(&mut self, key: &Key) -> Option<Consumer> {
        self.asked += 1;
        let entry = self.consumers.get_mut(key)?;
        entry.asked = self.asked;
        Some(entry.consumer.clone())
    }

    fn keep(&mut self, key: Key, consumer: Consumer) {
        let is_full = self.consumers.len() >= OPEN_CONSUMERS_MAX;
        if is_full && !self.consumers.contains_key(&key) {
            let oldest = self.consumers.iter().min_by_key(|(_, entry)| entry.asked);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.consumers.remove(&oldest);
            }
        }
        let asked = self.asked;
        self.consumers.insert(key, Entry { consumer, asked });
    }
}

fn key(topic: &Topic, name: &ConsumerName) -> Key {
    (topic.name().clone(), name.clone())
}
