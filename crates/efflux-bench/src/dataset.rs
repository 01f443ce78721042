//! The topics that the rows which read find there.

use std::path::Path;
use std::time::{Duration, Instant};

use efflux_node::particle::{Id, Sequence};
use efflux_node::storage::{FindOptions, Query, ReadLimit, Store, Sync, Topic, TopicOptions};

use crate::Result;
use crate::workload::{Second, Workload, data_type};

/// Records appended together.
pub(crate) const BATCH: u64 = 1000;
pub(crate) const TOPIC: &str = "orders";
/// Records that a find is answered with at most.
pub(crate) const FIND_LIMIT: usize = 100;
/// How long the index may take until it has everything.
const INDEX_WAIT: Duration = Duration::from_secs(600);
const INDEX_POLL: Duration = Duration::from_millis(1);

/// A topic in a store on disk that holds the records 1 to `records`.
pub(crate) struct Dataset {
    pub(crate) store: Store,
    pub(crate) topic: Topic,
    pub(crate) records: u64,
}

impl Dataset {
    /// Appends the records, each with its own id, and waits for the index.
    pub(crate) async fn append(
        folder: &Path,
        workload: &Workload,
        records: u64,
        sync: Sync,
    ) -> Result<Self> {
        let url = format!("file:{}", folder.display());
        let store = Store::open(&url).await?;
        let options = TopicOptions::default().with_sync(sync);
        let topic = store.create_topic(&TOPIC.parse()?, options).await?;
        for first in (1..=records).step_by(usize::try_from(BATCH)?) {
            let numbers = first..=records.min(first + BATCH - 1);
            let messages = numbers.map(|number| workload.record(number).message(true));
            topic.append_batch(messages.collect()).await?;
        }
        wait_for_index(&topic).await?;
        Ok(Self {
            store,
            topic,
            records,
        })
    }

    /// Opens a store that holds the records.
    pub(crate) async fn open(folder: &Path, records: u64) -> Result<Self> {
        Self::open_at(&format!("file:{}", folder.display()), records).await
    }

    /// Opens the store at this URL, which holds the records.
    pub(crate) async fn open_at(url: &str, records: u64) -> Result<Self> {
        let store = Store::open(url).await?;
        let topic = store.topic(&TOPIC.parse()?).await?;
        Ok(Self {
            store,
            topic,
            records,
        })
    }

    /// Reads the first `most` records in order; how many there were.
    pub(crate) async fn scan(&self, most: u64) -> Result<u64> {
        let (mut from, mut count) = (Sequence::FIRST, 0);
        while count < most {
            let read = self.topic.read(from, ReadLimit::default()).await?;
            let Some(last) = read.last() else { break };
            from = last.sequence().next();
            count += read.len() as u64;
        }
        Ok(count)
    }

    /// Reads the first `most` records in order as raw frames; how many there were.
    pub(crate) async fn scan_raw(&self, most: u64) -> Result<u64> {
        let (mut from, mut count) = (Sequence::FIRST, 0);
        while count < most {
            let frames = self.topic.read_frames(from, ReadLimit::default()).await?;
            if frames.is_empty() {
                break;
            }
            from = frames.next();
            count += frames.count() as u64;
        }
        Ok(count)
    }

    /// Reads the first `most` records in order and checks both hashes of each and its link; how many.
    pub(crate) async fn scan_hashed(&self, most: u64) -> Result<u64> {
        let (mut audit, mut count) = (self.topic.audit(None), 0);
        while count < most {
            let read = audit.next_batch().await?;
            if read.is_empty() {
                break;
            }
            count += read.len() as u64;
        }
        Ok(count)
    }
}

/// Waits until the index answers for everything that was appended.
pub(crate) async fn wait_for_index(topic: &Topic) -> Result<()> {
    let start = Instant::now();
    // A find opens an index that nobody has asked anything yet.
    find(topic, &Query::property("order", "none")).await?;
    while topic.indexed_through() < Some(topic.head().sequence) {
        if start.elapsed() > INDEX_WAIT {
            return Err("the index did not catch up in ten minutes".into());
        }
        tokio::time::sleep(INDEX_POLL).await;
    }
    Ok(())
}

/// Gets the record with that id, which is there.
pub(crate) async fn get_id(topic: &Topic, id: [u8; 16]) -> Result<()> {
    let found = topic.get_id(&Id::from_uuid(id)).await?;
    found
        .map(|_| ())
        .ok_or_else(|| "a record is missing".into())
}

/// Finds the first records that have two fields in common with the record `like`; how many.
pub(crate) async fn find_like(topic: &Topic, like: u64, second: Second) -> Result<u64> {
    let other = match second {
        Second::Kind => Query::property("kind", second.of(like)),
        Second::Group => Query::message_group(second.of(like)),
    };
    find(topic, &Query::data_type(data_type(like)).and(other)).await
}

async fn find(topic: &Topic, query: &Query) -> Result<u64> {
    let options = FindOptions::default().with_limit(FIND_LIMIT);
    let mut finder = topic.find(query, options).await?;
    let mut count = 0;
    loop {
        let batch = finder.next_batch().await?;
        if batch.is_empty() {
            return Ok(count);
        }
        count += batch.len() as u64;
    }
}
