//! The consumers of a topic that are open in this process: one state each, however many handles.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use efflux_particle::ConsumerName;
use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use super::core::{Core, Parts};
use super::ledger::Ledger;
use super::options::ConsumerOptions;
use super::replay;
use super::state::ConsumerState;
use super::status::ConsumerStatus;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::CONSUMERS_MAX;
use crate::options::Sync;
use crate::topic::Topic;

/// The consumers of a topic that are open in this process.
#[derive(Default)]
pub(crate) struct ConsumerRegistry {
    slots: Mutex<BTreeMap<ConsumerName, Arc<Slot>>>,
}

/// Whoever opens, inspects or deletes a consumer holds its slot meanwhile.
#[derive(Default)]
struct Slot {
    core: Turn<Weak<Core>>,
    /// Held by the core that writes the journal, until its last write is over.
    writer: Arc<Turn<()>>,
}

/// The right to write a consumer's journal.
pub(super) type WriterGuard = OwnedMutexGuard<()>;

impl ConsumerRegistry {
    fn slot(&self, name: &ConsumerName) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || Arc::strong_count(&slot.writer) > 1);
        Arc::clone(slots.entry(name.clone()).or_default())
    }

    /// Opens a consumer, or gives out the one that is open.
    pub(super) async fn open(
        topic: &Topic,
        name: &ConsumerName,
        options: &ConsumerOptions,
    ) -> Result<Arc<Core>> {
        options.check()?;
        options.dead_letters(topic.name())?;
        let store = topic.store();
        if !store.is_writable() {
            return Err(Error::invalid(format!(
                "consumer {name} cannot be opened: the store was opened for reading; inspect it"
            )));
        }
        let slot = topic.consumers().slot(name);
        let mut place = slot.core.lock().await;
        if let Some(core) = place.upgrade().filter(|core| !core.is_closed()) {
            core.set_options(options).await?;
            return Ok(core);
        }
        // A core whose last handle was dropped may still be about to write.
        let writer = Arc::clone(&slot.writer).lock_owned().await;
        let names = store.backend().consumers(topic.name()).await?;
        if names.len() >= CONSUMERS_MAX && !names.contains(name) {
            return Err(Error::new(
                ErrorKind::Full,
                format!(
                    "topic {} has {} consumers, no more are allowed: delete some",
                    topic.name(),
                    names.len()
                ),
            ));
        }
        let parts = Parts {
            name: name.clone(),
            log: Arc::new(topic.clone()),
            journal: store.backend().journal(topic.name(), name).await?,
            clock: Arc::clone(store.clock()),
            durable: topic.options().await?.sync != Sync::Os,
        };
        let core = Arc::new(Core::open(parts, options, Some(writer)).await?);
        *place = Arc::downgrade(&core);
        Ok(core)
    }

    /// How a consumer stands, open or not. Nothing is written.
    pub(super) async fn inspect(topic: &Topic, name: &ConsumerName) -> Result<ConsumerStatus> {
        let slot = topic.consumers().slot(name);
        let place = slot.core.lock().await;
        if let Some(core) = place.upgrade().filter(|core| !core.is_closed()) {
            return core.status();
        }
        let mut ledger = Self::load(topic, name).await?;
        ledger.tick(topic.store().clock().now());
        Ok(replay::status(&ledger, topic.head().sequence))
    }

    /// What of a consumer outlives its workers. Nothing is written.
    pub(super) async fn state(topic: &Topic, name: &ConsumerName) -> Result<ConsumerState> {
        let slot = topic.consumers().slot(name);
        let place = slot.core.lock().await;
        if let Some(core) = place.upgrade().filter(|core| !core.is_closed()) {
            return Ok(ConsumerState::of(&core.state()?.ledger));
        }
        Ok(ConsumerState::of(&Self::load(topic, name).await?))
    }

    async fn load(topic: &Topic, name: &ConsumerName) -> Result<Ledger> {
        let backend = topic.store().backend();
        let not_found =
            || Error::not_found(format!("topic {} has no consumer {name}", topic.name()));
        if !backend.consumers(topic.name()).await?.contains(name) {
            return Err(not_found());
        }
        let records = backend.journal(topic.name(), name).await?.load().await?;
        let kept = replay::replay(topic.name(), name, &records)?;
        kept.map(|(ledger, _)| ledger).ok_or_else(not_found)
    }

    /// Deletes a consumer. Its handles serve no further call.
    pub(super) async fn delete(topic: &Topic, name: &ConsumerName) -> Result<()> {
        let backend = topic.store().backend();
        if !topic.store().is_writable() {
            return Err(Error::invalid(format!(
                "consumer {name} cannot be deleted: the store was opened for reading"
            )));
        }
        let slot = topic.consumers().slot(name);
        let mut place = slot.core.lock().await;
        if let Some(core) = place.upgrade() {
            core.end("it was deleted").await;
        }
        *place = Weak::new();
        let _writer = slot.writer.lock().await;
        if !backend.consumers(topic.name()).await?.contains(name) {
            return Err(Error::not_found(format!(
                "topic {} has no consumer {name}",
                topic.name()
            )));
        }
        backend.journal(topic.name(), name).await?.delete().await
    }

    /// Closes all consumers of a topic that is deleted, or about to be opened anew. When this
    /// returns, nothing more of them is written.
    pub(crate) async fn close(&self, reason: &str) {
        let slots: Vec<Arc<Slot>> = self.slots.lock().values().map(Arc::clone).collect();
        for slot in slots {
            let place = slot.core.lock().await;
            if let Some(core) = place.upgrade() {
                core.end(reason).await;
            }
            let _writer = slot.writer.lock().await;
        }
    }
}

impl fmt::Debug for ConsumerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.slots.lock().keys()).finish()
    }
}
