//! Restoring topics from a backup that was checked.

use efflux_flow::particle::{Head, TopicName};
use efflux_flow::storage::{
    Error, ErrorKind, Progress, ReadLimit, Restoration, Result, Store, Topic,
};

use super::check::Checked;
use super::entry::TopicEntry;
use super::pace::Pace;
use super::reading::FrameReader;

/// A topic that is in the store as it was backed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The topic.
    pub name: TopicName,
    /// Where its chain stands, in the backup and in the store.
    pub head: Head,
    /// How many particles it has, the root included.
    pub particles: u64,
    /// How many consumers were restored with it.
    pub consumers: usize,
    /// Whether it was there already, with this very head; its consumers were left alone then.
    pub was_there: bool,
}

impl Checked<'_> {
    /// Restores the topics that were checked into a store in which they are not there.
    ///
    /// Each topic appears at once, with its consumers, when all of it is durable; then it is read
    /// back and checked. Restoring again what was cut off goes on: a topic that is there with the
    /// head of the backup is left as it is.
    ///
    /// # Errors
    /// `Conflict` when another topic of one of these names is there: nothing was changed then.
    /// `Corrupt` when the backup was changed since it was checked; `Full`, `Unavailable` when the
    /// store cannot be written. The topic at hand is not there then; those before it are.
    pub async fn restore(&self, store: &Store, progress: &Progress) -> Result<Vec<Restored>> {
        let mut there = Vec::new();
        for entry in &self.entries {
            there.push(is_there(store, entry).await?);
        }
        let mut restored = Vec::new();
        let mut pace = Pace::telling(progress);
        for (entry, was_there) in self.entries.iter().zip(there) {
            if !was_there {
                self.restore_topic(store, entry, &mut pace).await?;
            }
            restored.push(Restored {
                name: entry.name.clone(),
                head: entry.head,
                particles: entry.particles(),
                consumers: if was_there { 0 } else { entry.consumers.len() },
                was_there,
            });
        }
        Ok(restored)
    }

    async fn restore_topic(
        &self,
        store: &Store,
        entry: &TopicEntry,
        pace: &mut Pace,
    ) -> Result<()> {
        let folder = self.backup.topic_folder(&entry.name);
        let mut restoration = Restoration::begin(store, &entry.name, entry.options.clone()).await?;
        for file in &entry.files {
            let mut reader = FrameReader::open(&*self.backup.disk, &folder, &entry.name, file)?;
            while let Some(particle) = reader.next()? {
                restoration.append(particle.frame()).await?;
                pace.step(&particle).await;
            }
        }
        for (name, state) in &entry.consumers {
            restoration.put_consumer(name.clone(), state.clone());
        }
        let topic = restoration.finish(entry.head).await?;
        check_back(&topic, entry.head).await
    }
}

/// Whether this topic is in the store as it was backed up.
async fn is_there(store: &Store, entry: &TopicEntry) -> Result<bool> {
    match store.topic(&entry.name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(topic) if topic.head() == entry.head => Ok(true),
        Ok(topic) => Err(Error::conflict(format!(
            "topic {} is in the store, with the head {} where the backup has {}: nothing was \
             restored; delete it first, or restore into another store",
            entry.name,
            topic.head(),
            entry.head
        ))),
    }
}

/// Reads back what was restored, and checks it as it is stored.
async fn check_back(topic: &Topic, head: Head) -> Result<()> {
    let verified = topic.verify(Progress::default()).await?;
    let last = topic.read(head.sequence, ReadLimit::particles(1)).await?;
    if verified.head == head && last.first().map(Head::on) == Some(head) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Corrupt,
        format!(
            "topic {} was restored through {head}, and reads back through {}",
            topic.name(),
            verified.head
        ),
    ))
}
