//! Efflux as the append rows drive it.

use std::path::Path;
use std::thread;
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

/// How a caller waits for what it appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// As a task, with `Topic::append_batch`.
    Task,
    /// On a thread of its own, with `Topic::append_batch_blocking`.
    Thread,
}

/// Appends with Efflux, in a store of its own in a folder.
pub(crate) fn append(
    folder: &Path,
    work: &Work,
    caller: Caller,
    runtime: &Runtime,
) -> Result<Outcome> {
    let url = format!("file:{}", folder.join("store").display());
    append_at(&url, work, caller, runtime)
}

/// Appends with Efflux to a store whose index follows. Stores and messages are made before the clock
/// starts. What the index has not seen when the last append returned, it reads
/// while the store is closed, and that time is told besides.
pub(crate) fn append_at(
    url: &str,
    work: &Work,
    caller: Caller,
    runtime: &Runtime,
) -> Result<Outcome> {
    let callers: Vec<_> = work.callers.iter().map(|it| messages(it, work)).collect();
    let (store, topic) = runtime.block_on(open(url, work))?;
    let start = Instant::now();
    let appended = match caller {
        Caller::Task => runtime.block_on(append_as_tasks(&topic, callers))?,
        Caller::Thread => append_on_threads(&topic, callers)?,
    };
    let mut outcome = Outcome {
        took: start.elapsed(),
        ..Outcome::default()
    };
    for (count, waits) in appended {
        outcome.count += count;
        outcome.waits.extend(waits);
    }
    let start = Instant::now();
    runtime.block_on(store.close())?;
    outcome.after = Some(start.elapsed());
    Ok(outcome)
}

async fn append_as_tasks(topic: &Topic, callers: Vec<Vec<Vec<Message>>>) -> Result<Vec<Appended>> {
    let spawn = |batches| tokio::spawn(append_all(topic.clone(), batches));
    let callers: Vec<_> = callers.into_iter().map(spawn).collect();
    let mut appended = Vec::with_capacity(callers.len());
    for caller in callers {
        appended.push(caller.await??);
    }
    Ok(appended)
}

fn append_on_threads(topic: &Topic, callers: Vec<Vec<Vec<Message>>>) -> Result<Vec<Appended>> {
    thread::scope(|scope| {
        let spawn = |batches| scope.spawn(|| append_all_blocking(topic, batches));
        let callers: Vec<_> = callers.into_iter().map(spawn).collect();
        let join = |caller: thread::ScopedJoinHandle<'_, _>| caller.join();
        let appended = callers.into_iter().map(join);
        appended
            .map(|it| it.map_err(|_| "a caller panicked")?)
            .collect()
    })
}

async fn open(url: &str, work: &Work) -> Result<(Store, Topic)> {
    let store = Store::open(url).await?;
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

/// How many records a caller appended, and how long it waited for each batch.
type Appended = (u64, Vec<Duration>);

fn append_all_blocking(topic: &Topic, batches: Vec<Vec<Message>>) -> Result<Appended> {
    let mut count = 0;
    let mut waits = Vec::with_capacity(batches.len());
    for batch in batches {
        let start = Instant::now();
        count += topic.append_batch_blocking(batch)?.len() as u64;
        waits.push(start.elapsed());
    }
    Ok((count, waits))
}

async fn append_all(topic: Topic, batches: Vec<Vec<Message>>) -> Result<Appended> {
    let mut count = 0;
    let mut waits = Vec::with_capacity(batches.len());
    for batch in batches {
        let start = Instant::now();
        count += topic.append_batch(batch).await?.len() as u64;
        waits.push(start.elapsed());
    }
    Ok((count, waits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_is_warm_has_an_index_that_answers() {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let store = Store::open("mem:").await.unwrap();
            let name = "orders".parse().unwrap();
            let topic = store.create_topic(&name, TopicOptions::default()).await;
            let topic = topic.unwrap();
            warm_up(&topic).await.unwrap();
            let through = topic.indexed_through().unwrap();
            assert!(through <= topic.head().sequence);
        });
    }
}
