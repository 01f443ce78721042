//! A topic in memory that is being made of particles that were sealed before.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use efflux_particle::{ConsumerName, Head, Particle, TopicName};
use parking_lot::Mutex;

use super::MemoryLog;
use super::backend::Shelf;
use crate::error::{Error, Result};
use crate::journal::MemoryJournal;
use crate::log::{Journal, Restoring};
use crate::options::TopicOptions;

/// The topics of a store in memory.
type Shelves = Arc<Mutex<BTreeMap<TopicName, Shelf>>>;

/// A topic in memory that is being made of particles that were sealed before.
#[derive(Debug)]
pub(super) struct MemoryRestoring {
    topics: Shelves,
    name: TopicName,
    options: TopicOptions,
    particles: Vec<Particle>,
    journals: BTreeMap<ConsumerName, Arc<MemoryJournal>>,
}

impl MemoryRestoring {
    pub(super) fn begin(topics: Shelves, name: &TopicName, options: &TopicOptions) -> Result<Self> {
        if topics.lock().contains_key(name) {
            return Err(taken(name));
        }
        Ok(Self {
            topics,
            name: name.clone(),
            options: options.clone(),
            particles: Vec::new(),
            journals: BTreeMap::new(),
        })
    }
}

fn taken(name: &TopicName) -> Error {
    Error::conflict(format!("topic {name} exists already"))
}

#[async_trait]
impl Restoring for MemoryRestoring {
    async fn append(&mut self, particles: &[Particle]) -> Result<()> {
        self.particles.extend_from_slice(particles);
        Ok(())
    }

    async fn put_journal(&mut self, consumer: &ConsumerName, record: Vec<u8>) -> Result<()> {
        let journal = self.journals.entry(consumer.clone()).or_default();
        journal.replace(record).await
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let Some(head) = self.particles.last().map(Head::on) else {
            return Err(Error::invalid(format!(
                "topic {} cannot be restored from no particle",
                self.name
            )));
        };
        let mut topics = self.topics.lock();
        if topics.contains_key(&self.name) {
            return Err(taken(&self.name));
        }
        let shelf = Shelf {
            options: self.options,
            log: Arc::new(MemoryLog::of(&self.name, head, self.particles)),
            journals: self.journals,
        };
        topics.insert(self.name, shelf);
        Ok(())
    }
}
