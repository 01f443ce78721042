//! Fixed pieces of work whose instructions are counted: what `cargo xtask guard` runs.
//!
//! ```text
//! efflux-bench guard list              the rows: name, what is subtracted, two counts, of how many
//! efflux-bench guard build FOLDER      makes the store that the rows read
//! efflux-bench guard ROW FOLDER COUNT  does the work of a row so many times
//! ```
//!
//! The difference between two counts is what the work itself costs, without starting and opening.
//! Where a row hashes, what a bare loop needs for the same is subtracted: how a machine computes
//! SHA-256 is not what is guarded.

mod remote;

use std::path::Path;

use efflux_node::particle::{Message, Sequence};
use efflux_node::storage::{Consumer, ConsumerOptions, Progress, Store, Sync, Topic, TopicOptions};
use tokio::runtime::Builder;

use crate::Result;
use crate::dataset::{Dataset, TOPIC, find_like, get_id};
use crate::following::forbid_index;
use crate::plain_file::PlainFile;
use crate::reads::{consume, scattered};
use crate::workload::{Second, Workload};

const PAYLOAD_BYTES: usize = 100;
/// Particles of the store that is read: enough that finds ask the index.
const PARTICLES: u64 = 6000;
/// Frames that are hashed at a time.
const HASHED: u64 = 1000;
const BATCH: usize = 100;

/// A row: its name, the row whose instructions are subtracted, two counts of its work, and how many
/// particles, gets or finds each of them is.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    without: &'static str,
    counts: (u64, u64),
    each: u64,
}

const fn row(name: &'static str, without: &'static str, counts: (u64, u64)) -> Row {
    Row {
        name,
        without,
        counts,
        each: 1,
    }
}

/// A row that works on that many particles each time.
const fn each(each: u64, row: Row) -> Row {
    Row { each, ..row }
}

const ROWS: &[Row] = &[
    row("encode", "", (1000, 4000)),
    each(HASHED, row("hash", "", (1, 4))),
    row("append-batches", "encode", (1000, 4000)),
    row("append-ids", "encode", (1000, 4000)),
    row("append-singles", "encode", (500, 1500)),
    row("scan", "", (1000, 5000)),
    row("scan-raw", "", (1000, 5000)),
    each(PARTICLES, row("scan-hashed", "hash", (1, 2))),
    each(PARTICLES, row("verify", "hash", (1, 2))),
    row("get", "", (500, 1500)),
    row("get-id", "", (500, 1500)),
    row("find", "", (20, 60)),
    row("consume", "", (1000, 3000)),
    row("remote-append", "encode", (1000, 4000)),
    row("remote-read", "hash", (1000, 5000)),
];

/// Does what the arguments after `guard` ask for.
pub(crate) fn main(arguments: &[String]) -> Result {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["list"] => {
            for row in ROWS {
                let (few, many) = row.counts;
                let without = if row.without.is_empty() {
                    "-"
                } else {
                    row.without
                };
                println!("{} {without} {few} {many} {}", row.name, row.each);
            }
            Ok(())
        }
        ["build", folder] => build(Path::new(folder)),
        [row, folder, count] => run(row, Path::new(folder), count.parse()?),
        _ => Err("guard takes list, build FOLDER, or ROW FOLDER COUNT".into()),
    }
}

fn build(folder: &Path) -> Result {
    // One thread, here and below: fewer ways in which work can take turns.
    Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let workload = Workload::new(PAYLOAD_BYTES);
            let store = folder.join("store");
            let data = Dataset::append(&store, &workload, PARTICLES, Sync::Os).await?;
            Ok(data.store.close().await?)
        })
}

fn run(row: &str, folder: &Path, count: u64) -> Result {
    let workload = Workload::new(PAYLOAD_BYTES);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    match row {
        "encode" => {
            let own = tempfile::tempdir_in(folder)?;
            PlainFile::write(own.path(), &workload, count).map(drop)
        }
        "hash" => {
            let own = tempfile::tempdir_in(folder)?;
            let file = PlainFile::write(own.path(), &workload, HASHED)?;
            for _ in 0..count {
                file.hash_all();
            }
            Ok(())
        }
        "append-batches" => runtime.block_on(append(folder, &workload, count, (BATCH, false))),
        "append-ids" => runtime.block_on(append(folder, &workload, count, (BATCH, true))),
        "append-singles" => runtime.block_on(append(folder, &workload, count, (1, false))),
        "remote-append" => runtime.block_on(remote::append(folder, &workload, count)),
        "remote-read" => runtime.block_on(remote::read(&folder.join("store"), count)),
        _ => runtime.block_on(read(row, &folder.join("store"), &workload, count)),
    }
}

/// Appends to a topic without an index: when that runs, and how much at a time, is a matter of time.
async fn append(
    folder: &Path,
    workload: &Workload,
    count: u64,
    (batch, has_own_ids): (usize, bool),
) -> Result {
    let own = tempfile::tempdir_in(folder)?;
    let url = format!("file:{}", own.path().join("store").display());
    forbid_index(&own.path().join("store"), &url).await?;
    let store = Store::open(&url).await?;
    let options = TopicOptions::default().with_sync(Sync::Os);
    let topic = store.create_topic(&TOPIC.parse()?, options).await?;
    let numbers: Vec<u64> = (1..=count).collect();
    for numbers in numbers.chunks(batch) {
        let message = |number: &u64| workload.record(*number).message(has_own_ids);
        let messages: Vec<Message> = numbers.iter().map(message).collect();
        topic.append_batch(messages).await?;
    }
    Ok(store.close().await?)
}

async fn read(row: &str, folder: &Path, workload: &Workload, count: u64) -> Result {
    let data = Dataset::open(folder, PARTICLES).await?;
    let topic = &data.topic;
    match row {
        "scan" => refuse_fewer(data.scan(count).await?, count)?,
        "scan-raw" => refuse_fewer(data.scan_raw(count).await?, count)?,
        "scan-hashed" => {
            // An audit reads ahead, so that a part of a topic would cost as much as all of it.
            for _ in 0..count {
                refuse_fewer(data.scan_hashed(PARTICLES).await?, PARTICLES)?;
            }
        }
        "verify" => verify(topic, count).await?,
        "get" => get(topic, count).await?,
        "get-id" => {
            for number in scattered(PARTICLES, count) {
                get_id(topic, workload.record(number).id).await?;
            }
        }
        "find" => {
            for number in scattered(PARTICLES, count) {
                find_like(topic, number, Second::Kind).await?;
            }
        }
        "consume" => {
            let name = format!("guard-{count}").parse()?;
            let consumer = Consumer::open(topic, &name, ConsumerOptions::default()).await?;
            consume(&consumer, count).await?;
            Consumer::delete(topic, &name).await?;
        }
        _ => return Err(format!("there is no row {row} to guard").into()),
    }
    Ok(data.store.close().await?)
}

fn refuse_fewer(read: u64, count: u64) -> Result {
    if read < count {
        return Err(format!("{read} particles were read in place of {count}").into());
    }
    Ok(())
}

async fn verify(topic: &Topic, count: u64) -> Result {
    for _ in 0..count {
        topic.verify(Progress::default()).await?;
    }
    Ok(())
}

async fn get(topic: &Topic, count: u64) -> Result {
    for number in scattered(PARTICLES, count) {
        let found = topic.get(Sequence::new(number)).await?;
        found.ok_or("a record is missing")?;
    }
    Ok(())
}
