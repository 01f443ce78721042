//! Efflux as the append rows drive it.

use std::path::Path;
use std::time::{Duration, Instant};

use efflux_node::particle::Message;
use efflux_node::storage::{FindOptions, Query, Store, Sync, Topic, TopicOptions};
use tokio::runtime::Runtime;

use super::Work;
use crate::Result;
use crate::measure::Outcome;
use crate::workload::{Record, Workload};

/// Records that a topic holds before the clock starts, so that the index is open: it opens its
/// database after 8,192.
const WARM_UP: u64 = 10_000;
const WARM_UP_BATCH: u64 = 1000;
const WARM_UP_PAYLOAD_BYTES: usize = 100;
/// Numbers that no record of a row has.
const WARM_UP_FROM: u64 = 1 << 40;

/// Appends with Efflux, in a store of its own whose index follows. Stores and messages are made
/// before the clock starts. What the index has not seen when the last append returned, it reads
/// while the store is closed, and that time is told besides.
pub(crate) fn append(folder: &Path, work: &Work, runtime: &Runtime) -> Result<Outcome> {
    let callers: Vec<_> = work.callers.iter().map(|it| messages(it, work)).collect();
    runtime.block_on(async {
        let (store, topic) = open(folder, work).await?;
        let start = Instant::now();
        let callers: Vec<_> = callers
            .into_iter()
            .map(|batches| tokio::spawn(append_all(topic.clone(), batches)))
            .collect();
        let mut outcome = Outcome::default();
        for caller in callers {
            let (count, waits) = caller.await??;
            outcome.count += count;
            outcome.waits.extend(waits);
        }
        outcome.took = start.elapsed();
        close(&store, outcome).await
    })
}

async fn open(folder: &Path, work: &Work) -> Result<(Store, Topic)> {
    let store = Store::open(&format!("file:{}", folder.join("store").display())).await?;
    let sync = if work.is_durable {
        Sync::Always
    } else {
        Sync::Os
    };
    let options = TopicOptions::default().with_sync(sync);
    let topic = store.create_topic(&"orders".parse()?, options).await?;
    warm_up(&topic).await?;
    Ok((store, topic))
}

async fn close(store: &Store, outcome: Outcome) -> Result<Outcome> {
    let start = Instant::now();
    store.close().await?;
    Ok(Outcome {
        after: Some(start.elapsed()),
        ..outcome
    })
}

/// Appends a little and looks for something, which opens the index.
pub(crate) async fn warm_up(topic: &Topic) -> Result<()> {
    let workload = Workload::new(WARM_UP_PAYLOAD_BYTES);
    for first in (WARM_UP_FROM..WARM_UP_FROM + WARM_UP).step_by(usize::try_from(WARM_UP_BATCH)?) {
        let numbers = first..first + WARM_UP_BATCH;
        let messages = numbers.map(|number| workload.record(number).message(false));
        topic.append_batch(messages.collect()).await?;
    }
    let absent = Query::property("order", "none");
    let mut finder = topic.find(&absent, FindOptions::default()).await?;
    match finder.next_batch().await?.is_empty() {
        true => Ok(()),
        false => Err("a record was found that is not there".into()),
    }
}

fn messages(batches: &[Vec<Record>], work: &Work) -> Vec<Vec<Message>> {
    let message = |record: &Record| record.message(work.has_own_ids);
    let batch = |batch: &Vec<Record>| batch.iter().map(message).collect();
    batches.iter().map(batch).collect()
}

async fn append_all(topic: Topic, batches: Vec<Vec<Message>>) -> Result<(u64, Vec<Duration>)> {
    let mut count = 0;
    let mut waits = Vec::with_capacity(batches.len());
    for batch in batches {
        let start = Instant::now();
        count += topic.append_batch(batch).await?.len() as u64;
        waits.push(start.elapsed());
    }
    Ok((count, waits))
}
