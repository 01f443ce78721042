//! Taking a backup.

use std::collections::BTreeMap;

use efflux_flow::particle::{ConsumerName, Head, TopicName};
use efflux_flow::storage::{
    Consumer, ConsumerState, Error, ErrorKind, Progress, Result, Store, Topic,
};

use super::extend::Added;
use super::folder::Backup;

/// What a run added to a backup.
#[derive(Debug, Default)]
pub struct Taken {
    /// The topics that are backed up through their heads, in ascending order.
    pub topics: Vec<TakenTopic>,
    /// The topics that are not, and why; what the backup held of them is as it was, or longer.
    pub refused: Vec<(TopicName, Error)>,
    /// The topics that the backup holds and the store does not.
    pub gone: Vec<TopicName>,
}

/// What a run added of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenTopic {
    /// The topic.
    pub name: TopicName,
    /// Where its chain stands in the backup.
    pub head: Head,
    /// Particles and bytes of frames that were added.
    pub added: (u64, u64),
    /// How many consumers it has.
    pub consumers: usize,
}

/// How a topic stood when the run began.
struct Seen {
    topic: Topic,
    consumers: BTreeMap<ConsumerName, ConsumerState>,
    head: Head,
}

impl Backup {
    /// Adds what these topics have got since the last time, of all topics when none is named.
    ///
    /// The store may be written meanwhile. First the consumers of all topics are looked at, then all
    /// heads, then what stands up to there is read and checked: what a consumer had settled, and
    /// what it had durably written to a topic of the store before that, is in the same backup.
    ///
    /// A topic that cannot be backed up is told in [`Taken::refused`], and the others go on. A run
    /// that is dropped or cut off leaves a backup; the next run goes on from there.
    ///
    /// # Errors
    /// `Invalid` when the backup was opened to be read; `NotFound` when a named topic is not there;
    /// `Full`, `Unavailable` when the backup cannot be written or the store not be listed.
    pub async fn take(
        &mut self,
        store: &Store,
        topics: &[TopicName],
        progress: &Progress,
    ) -> Result<Taken> {
        self.refuse_unlocked()?;
        let mut taken = Taken::default();
        let there = store.topics().await?;
        let is_gone = |name: &&TopicName| there.binary_search(name).is_err();
        taken.gone = self.topics().filter(is_gone).cloned().collect();
        let is_missing = |name: &&TopicName| there.binary_search(name).is_err();
        if let Some(missing) = topics.iter().find(is_missing) {
            let message = format!("there is no topic {missing} in the store");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let names = match topics.is_empty() {
            true => there,
            false => topics.to_vec(),
        };
        let mut added = Added::telling(progress);
        for seen in look(store, names, &mut taken.refused).await {
            let name = seen.topic.name().clone();
            match self.add(seen, &mut added).await {
                Ok(topic) => taken.topics.push(topic),
                // No other topic would fare better.
                Err(error) if error.kind() == ErrorKind::Full => return Err(error),
                Err(error) => taken.refused.push((name, error)),
            }
            self.settle_if_due(&**store.clock(), &mut added)?;
        }
        self.settle(&**store.clock(), &mut added)?;
        Ok(taken)
    }

    async fn add(&mut self, seen: Seen, added: &mut Added) -> Result<TakenTopic> {
        let before = added.pace.done();
        self.extend(&seen.topic, seen.head, added).await?;
        let name = seen.topic.name().clone();
        let topic = TakenTopic {
            name: name.clone(),
            head: seen.head,
            added: added.pace.since(before),
            consumers: seen.consumers.len(),
        };
        if let Some(entry) = self.manifest.topics.get_mut(&name) {
            entry.at = Some(seen.topic.store().clock().now());
            entry.consumers = seen.consumers;
        }
        Ok(topic)
    }
}

/// How the topics stand: first the consumers of all, then the heads of all.
async fn look(
    store: &Store,
    names: Vec<TopicName>,
    refused: &mut Vec<(TopicName, Error)>,
) -> Vec<Seen> {
    let mut found = Vec::new();
    for name in names {
        let looked = async {
            let topic = store.topic(&name).await?;
            let consumers = consumers(&topic).await?;
            Ok((topic, consumers))
        };
        match looked.await {
            Ok(looked) => found.push(looked),
            // It was deleted meanwhile.
            Err(error) if Error::kind(&error) == ErrorKind::NotFound => {}
            Err(error) => refused.push((name, error)),
        }
    }
    let seen = found.into_iter().map(|(topic, mut consumers)| {
        let head = topic.head();
        for state in consumers.values_mut() {
            state.cut(head.sequence);
        }
        Seen {
            topic,
            consumers,
            head,
        }
    });
    seen.collect()
}

async fn consumers(topic: &Topic) -> Result<BTreeMap<ConsumerName, ConsumerState>> {
    let mut consumers = BTreeMap::new();
    for name in Consumer::list(topic).await? {
        match Consumer::state(topic, &name).await {
            Ok(state) => drop(consumers.insert(name, state)),
            // It was deleted meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(consumers)
}
