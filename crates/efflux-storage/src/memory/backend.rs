//! Topics in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use efflux_particle::{ConsumerName, TopicName};
use parking_lot::Mutex;

use super::MemoryLog;
use super::restoring::MemoryRestoring;
use crate::error::{Error, Result};
use crate::ids::IdSource;
use crate::journal::MemoryJournal;
use crate::log::{Backend, Journal, Restoring, TopicLog};
use crate::options::TopicOptions;

/// Topics in memory, gone with the last handle.
#[derive(Debug)]
pub(crate) struct MemoryBackend {
    ids: Arc<IdSource>,
    topics: Arc<Mutex<BTreeMap<TopicName, Shelf>>>,
}

#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) options: TopicOptions,
    pub(super) log: Arc<MemoryLog>,
    pub(super) journals: BTreeMap<ConsumerName, Arc<MemoryJournal>>,
}

impl MemoryBackend {
    pub(crate) fn new(ids: Arc<IdSource>) -> Self {
        Self {
            ids,
            topics: Arc::default(),
        }
    }

    fn with<T>(&self, name: &TopicName, read: impl FnOnce(&mut Shelf) -> T) -> Result<T> {
        self.topics
            .lock()
            .get_mut(name)
            .map(read)
            .ok_or_else(|| no_topic(name))
    }
}

fn no_topic(name: &TopicName) -> Error {
    Error::not_found(format!("there is no topic {name}"))
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn create(&self, name: &TopicName, options: &TopicOptions) -> Result<Arc<dyn TopicLog>> {
        options.check()?;
        let mut topics = self.topics.lock();
        if topics.contains_key(name) {
            return Err(Error::conflict(format!("topic {name} exists already")));
        }
        let log = Arc::new(MemoryLog::create(name, &self.ids.stamp(false))?);
        let shelf = Shelf {
            options: options.clone(),
            log: Arc::clone(&log),
            journals: BTreeMap::new(),
        };
        topics.insert(name.clone(), shelf);
        Ok(log)
    }

    async fn open(&self, name: &TopicName) -> Result<Arc<dyn TopicLog>> {
        self.with(name, |shelf| Arc::clone(&shelf.log) as Arc<dyn TopicLog>)
    }

    async fn options(&self, name: &TopicName) -> Result<TopicOptions> {
        self.with(name, |shelf| shelf.options.clone())
    }

    async fn restore(
        &self,
        name: &TopicName,
        options: &TopicOptions,
    ) -> Result<Box<dyn Restoring>> {
        options.check()?;
        let topics = Arc::clone(&self.topics);
        Ok(Box::new(MemoryRestoring::begin(topics, name, options)?))
    }

    async fn list(&self) -> Result<Vec<TopicName>> {
        Ok(self.topics.lock().keys().cloned().collect())
    }

    async fn delete(&self, name: &TopicName) -> Result<()> {
        self.topics
            .lock()
            .remove(name)
            .map(drop)
            .ok_or_else(|| no_topic(name))
    }

    async fn consumers(&self, topic: &TopicName) -> Result<Vec<ConsumerName>> {
        self.with(topic, |shelf| {
            let kept = shelf
                .journals
                .iter()
                .filter(|(_, journal)| journal.is_kept());
            kept.map(|(name, _)| name.clone()).collect()
        })
    }

    async fn journal(
        &self,
        topic: &TopicName,
        consumer: &ConsumerName,
    ) -> Result<Arc<dyn Journal>> {
        self.with(topic, |shelf| {
            let journal = shelf.journals.entry(consumer.clone()).or_default();
            Arc::clone(journal) as Arc<dyn Journal>
        })
    }

    async fn close(&self) {}

    fn index_folder(&self) -> Option<PathBuf> {
        None
    }

    fn is_writable(&self) -> bool {
        true
    }
}
