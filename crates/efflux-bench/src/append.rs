//! The append rows: Efflux, its limit program and the alternatives on the same records.

use std::path::Path;
use std::time::Instant;

use efflux_node::storage::{Store, Sync, Topic, TopicOptions};
use tokio::runtime::Runtime;

use crate::measure::{Lane, Outcome, Row};
use crate::workload::{Record, Workload};
use crate::{Result, alternatives, limit};

/// Bytes of payloads in one batch: large payloads stand in batches of fewer.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes that one run may append.
const RUN_BYTES_MAX: usize = 512 * 1024 * 1024;

/// What is appended in one run.
#[derive(Debug)]
pub(crate) struct Work {
    /// The batches of each caller.
    pub(crate) callers: Vec<Vec<Vec<Record>>>,
    /// Whether an append is durable when it returns.
    pub(crate) is_durable: bool,
    /// Whether the messages that Efflux is given have ids of their own.
    pub(crate) has_own_ids: bool,
}

/// A limit program.
type Limit = fn(&Path, &Work) -> Result<Outcome>;

/// An append row: who appends what, and what bounds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    goal: f64,
    callers: usize,
    batch: usize,
    /// Records of one run when payloads have 1 KiB; three times as many when it is no quick run.
    records: usize,
    is_durable: bool,
    has_own_ids: bool,
    limit: (&'static str, Limit),
}

const BARE: (&str, Limit) = ("bare loop", limit::one_by_one);
const OVERLAPPED: (&str, Limit) = ("overlapped loop", limit::overlapped);

const fn shape(
    name: &'static str,
    goal: f64,
    (callers, batch): (usize, usize),
    records: usize,
    limit: (&'static str, Limit),
) -> Shape {
    Shape {
        name,
        goal,
        callers,
        batch,
        records,
        is_durable: true,
        has_own_ids: false,
        limit,
    }
}

const fn os(shape: Shape, has_own_ids: bool) -> Shape {
    Shape {
        is_durable: false,
        has_own_ids,
        ..shape
    }
}

pub(crate) const SHAPES: &[Shape] = &[
    os(shape("os-1x1000", 0.85, (1, 1000), 50_000, BARE), false),
    os(shape("os-1x1000-ids", 0.85, (1, 1000), 50_000, BARE), true),
    shape("always-1x64", 0.9, (1, 64), 20_000, BARE),
    shape("always-64x1", 0.5, (64, 1), 10_000, OVERLAPPED),
    shape("always-4x256", 0.75, (4, 256), 40_000, OVERLAPPED),
    shape("always-1024x1", 0.75, (1024, 1), 40_000, OVERLAPPED),
    shape("always-1x1", 0.9, (1, 1), 1_500, BARE),
];

impl Shape {
    /// The records of one run.
    pub(crate) fn work(&self, workload: &Workload, is_quick: bool) -> Work {
        let records = if is_quick {
            self.records
        } else {
            self.records * 3
        };
        let records = records.min(RUN_BYTES_MAX / workload.payload_bytes);
        let batch = self.batch.min(BATCH_BYTES_MAX / workload.payload_bytes);
        let batches = (records / batch / self.callers).max(1);
        let mut numbers = 1_u64..;
        let mut record = || workload.record(numbers.next().unwrap_or_default());
        let mut batch = || (0..batch).map(|_| record()).collect();
        let mut caller = || (0..batches).map(|_| batch()).collect();
        Work {
            callers: (0..self.callers).map(|_| caller()).collect(),
            is_durable: self.is_durable,
            has_own_ids: self.has_own_ids,
        }
    }

    /// The row: its limit program, Efflux, then the alternatives.
    pub(crate) fn row<'a>(
        &'a self,
        payload_bytes: usize,
        work: &'a Work,
        folder: &'a Path,
        runtime: &'a Runtime,
    ) -> Row<'a> {
        let (name, limit) = self.limit;
        let mut lanes = vec![
            Lane::new(name, move || in_new_folder(folder, |own| limit(own, work))),
            Lane::new("efflux", move || {
                in_new_folder(folder, |own| efflux(own, work, runtime))
            }),
        ];
        lanes.extend(alternatives::NAMES.iter().map(|&name| {
            Lane::new(name, move || {
                in_new_folder(folder, |own| alternatives::append(name, own, work))
            })
        }));
        Row {
            name: format!("append {} {}", self.name, size(payload_bytes)),
            goal: Some(self.goal),
            lanes,
        }
    }
}

/// Bytes as they are told in the name of a row.
fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        _ => format!("{} KiB", bytes / 1024),
    }
}

/// Every run starts with an empty folder and leaves nothing behind.
fn in_new_folder(folder: &Path, run: impl FnOnce(&Path) -> Result<Outcome>) -> Result<Outcome> {
    let own = tempfile::tempdir_in(folder)?;
    run(own.path())
}

/// Appends with Efflux, in a store of its own with the index as it comes. What the index has not
/// seen when the last append returned, it reads after the clock was stopped.
fn efflux(folder: &Path, work: &Work, runtime: &Runtime) -> Result<Outcome> {
    let messages = |batch: &Vec<Record>| {
        let messages = batch.iter().map(|record| record.message(work.has_own_ids));
        messages.collect::<Vec<_>>()
    };
    let callers: Vec<Vec<_>> = work
        .callers
        .iter()
        .map(|batches| batches.iter().map(messages).collect())
        .collect();
    runtime.block_on(async {
        let store = Store::open(&format!("file:{}", folder.join("store").display())).await?;
        let sync = if work.is_durable {
            Sync::Always
        } else {
            Sync::Os
        };
        let options = TopicOptions::default().with_sync(sync);
        let topic = store.create_topic(&"orders".parse()?, options).await?;
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
        store.close().await?;
        Ok(outcome)
    })
}

async fn append_all(
    topic: Topic,
    batches: Vec<Vec<efflux_node::particle::Message>>,
) -> Result<(u64, Vec<std::time::Duration>)> {
    let mut count = 0;
    let mut waits = Vec::with_capacity(batches.len());
    for batch in batches {
        let start = Instant::now();
        count += topic.append_batch(batch).await?.len() as u64;
        waits.push(start.elapsed());
    }
    Ok((count, waits))
}
