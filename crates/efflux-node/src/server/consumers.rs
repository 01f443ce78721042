//! Consumers whose handles the node keeps open, so that each receive need not read a journal.

use std::collections::BTreeMap;

use efflux_flow::particle::{ConsumerName, TopicName};
use efflux_flow::storage::{Consumer, ConsumerOptions, ErrorKind, Result, Topic};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::limits::{OPEN_CONSUMERS_MAX, RESTING_TIME};

/// Consumers whose handles the node keeps open. Of too many, the one that was asked for longest ago
/// is let go.
#[derive(Debug, Default)]
pub(crate) struct OpenConsumers {
    open: Mutex<Open>,
    /// Those that were looked at for metrics while they were not open.
    resting: parking_lot::Mutex<BTreeMap<Key, Resting>>,
}

/// How a consumer stands.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) topic: TopicName,
    pub(crate) consumer: ConsumerName,
    /// Particles that it has not settled.
    pub(crate) lag: u64,
    /// Those of them that are leased.
    pub(crate) in_flight: usize,
}

/// How a consumer stood that is not open.
#[derive(Clone, Copy, Debug)]
struct Resting {
    at: Instant,
    head: u64,
    lag: u64,
    in_flight: usize,
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
        self.resting.lock().remove(&key(topic, name));
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
        self.resting.lock().remove(&key(topic, name));
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
        self.resting.lock().remove(&key(topic, name));
        Consumer::delete(topic, name).await
    }

    /// How the consumers of these topics stand, open or not; at most so many.
    pub(crate) async fn standing(&self, topics: &[Topic], most: usize) -> Vec<Standing> {
        let mut told = Vec::new();
        for topic in topics {
            for name in Consumer::list(topic).await.unwrap_or_default() {
                if told.len() == most {
                    return told;
                }
                let Some((lag, in_flight)) = self.status(topic, &name).await else {
                    continue;
                };
                told.push(Standing {
                    topic: topic.name().clone(),
                    consumer: name,
                    lag,
                    in_flight,
                });
            }
        }
        told
    }

    /// What a consumer has still to settle, and what of that is leased.
    async fn status(&self, topic: &Topic, name: &ConsumerName) -> Option<(u64, usize)> {
        let (key, head) = (key(topic, name), topic.head().sequence);
        let consumer = {
            let open = self.open.lock().await;
            let entry = open.consumers.get(&key);
            entry.map(|entry| entry.consumer.clone())
        };
        if let Some(consumer) = consumer
            && let Ok(status) = consumer.status().await
        {
            return Some((status.lag, status.in_flight));
        }
        let known = self.resting.lock().get(&key).copied();
        if let Some(resting) = known.filter(|it| it.at.elapsed() < RESTING_TIME) {
            // Nobody settles anything, so that it lags by what came.
            let came = head.get().saturating_sub(resting.head);
            return Some((resting.lag + came, resting.in_flight));
        }
        let status = Consumer::inspect(topic, name).await.ok()?;
        let resting = Resting {
            at: Instant::now(),
            head: head.get(),
            lag: status.lag,
            in_flight: status.in_flight,
        };
        let mut all = self.resting.lock();
        all.retain(|_, it| it.at.elapsed() < RESTING_TIME);
        all.insert(key, resting);
        Some((status.lag, status.in_flight))
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
