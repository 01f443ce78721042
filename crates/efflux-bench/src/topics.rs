//! Many topics appended to in turn, against one topic with as many callers.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use efflux_node::particle::Message;
use efflux_node::storage::{Store, Topic, TopicOptions};
use tokio::runtime::Runtime;

use crate::growth::memory;
use crate::measure::{Figure, Lane, Measured, Outcome, Row, measure};
use crate::workload::Workload;
use crate::{Result, child, seconds};

pub(crate) const NAME: &str = "topics";
pub(crate) const OPEN_NAME: &str = "topics-open";

const CALLERS: usize = 64;
const PAYLOAD_BYTES: usize = 1024;
const GOAL: f64 = 0.5;
/// Mebibytes that issue 3 allows a process with 10,000 open topics.
const MEMORY_MOST: f64 = 1024.0;

/// Measures the row: `records` appends a run, one by one, to `count` topics.
pub(crate) fn row(
    (folder, runtime): (&Path, &Runtime),
    (count, records): (usize, usize),
    rounds: usize,
) -> Result<Measured> {
    let own = tempfile::tempdir_in(folder)?;
    let url = format!("file:{}", own.path().join("store").display());
    let workload = Workload::new(PAYLOAD_BYTES);
    let store = runtime.block_on(Store::open(&url))?;
    let one = runtime.block_on(make(&store, "one", 1))?;
    let many = runtime.block_on(make(&store, "many", count))?;
    let append = |topics: &Arc<Vec<Topic>>| {
        let numbers = 1..=records as u64;
        let messages = numbers.map(|number| workload.record(number).message(false));
        runtime.block_on(append_in_turn(topics, messages.collect()))
    };
    // What a topic does once, such as zeroing the beginning of its file, is over then.
    append(&one)?;
    append(&many)?;
    let row = Row {
        name: format!("{NAME}: {count} in turn, always, 64 callers"),
        goal: Some(GOAL),
        held: "efflux, many topics",
        lanes: vec![
            Lane::new("efflux, one topic", || append(&one)),
            Lane::new("efflux, many topics", || append(&many)),
        ],
    };
    let measured = measure(row, rounds)?;
    runtime.block_on(store.close())?;
    Ok(measured)
}

/// Makes topics with the sync policy `always`, which is the default.
pub(crate) async fn make(store: &Store, name: &str, count: usize) -> Result<Arc<Vec<Topic>>> {
    let mut topics = Vec::with_capacity(count);
    for number in 0..count {
        let name = format!("{name}-{number}").parse()?;
        topics.push(store.create_topic(&name, TopicOptions::default()).await?);
    }
    Ok(Arc::new(topics))
}

async fn append_in_turn(topics: &Arc<Vec<Topic>>, messages: Vec<Message>) -> Result<Outcome> {
    let mut callers: Vec<Vec<(usize, Message)>> = (0..CALLERS).map(|_| Vec::new()).collect();
    for (at, message) in messages.into_iter().enumerate() {
        if let Some(caller) = callers.get_mut(at % CALLERS) {
            caller.push((at % topics.len().max(1), message));
        }
    }
    let start = Instant::now();
    let callers: Vec<_> = callers
        .into_iter()
        .map(|appends| tokio::spawn(append_all(Arc::clone(topics), appends)))
        .collect();
    let mut outcome = Outcome::default();
    for caller in callers {
        let (count, waits) = caller.await??;
        outcome.count += count;
        outcome.waits.extend(waits);
    }
    outcome.took = start.elapsed();
    Ok(outcome)
}

async fn append_all(
    topics: Arc<Vec<Topic>>,
    appends: Vec<(usize, Message)>,
) -> Result<(u64, Vec<Duration>)> {
    let (mut count, mut waits) = (0, Vec::with_capacity(appends.len()));
    for (topic, message) in appends {
        let start = Instant::now();
        let topic = topics.get(topic).ok_or("there is no such topic")?;
        topic.append(message).await?;
        waits.push(start.elapsed());
        count += 1;
    }
    Ok((count, waits))
}

/// Measures what a process with so many open topics takes.
pub(crate) fn open_row(folder: &Path, count: usize) -> Result<Measured> {
    let own = tempfile::tempdir_in(folder)?;
    let mut all = Vec::new();
    child::figures("topics", own.path(), count as u64, &mut |figures| {
        all.extend(figures);
    })?;
    Ok(Measured::of(format!("{OPEN_NAME}: {count} at once"), all))
}

/// Opens all topics of a store, appends to each and holds on to them: how long each took, and what
/// memory the process had.
pub(crate) async fn footprint(url: &str, count: usize) -> Result<Vec<Figure>> {
    let workload = Workload::new(100);
    let start = Instant::now();
    let store = Store::open(url).await?;
    let mut topics = Vec::with_capacity(count);
    for name in store.topics().await? {
        topics.push(store.topic(&name).await?);
    }
    let opened = start.elapsed();
    for (topic, number) in topics.iter().zip(1..) {
        topic.append(workload.record(number).message(false)).await?;
    }
    let appended = start.elapsed() - opened;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let each = |time: Duration| seconds(time) * 1e6 / count.max(1) as f64;
    let figures = vec![
        Figure::new("opening a topic", each(opened), "µs"),
        Figure::new("first append of a topic", each(appended), "µs"),
        memory(MEMORY_MOST)?,
    ];
    drop(topics);
    store.close().await?;
    Ok(figures)
}
