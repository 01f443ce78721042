//! Appends with the index following, against appends without an index.
//!
//! Nothing switches the index off, so the lane without one puts a file where the index's folder
//! would be: the index cannot be opened, and once a second it is tried again. A topic takes 512 Ki
//! particles that no index has seen, so that lane goes on in another store before it comes there.

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};

use efflux_node::particle::Message;
use efflux_node::storage::{Store, Sync, Topic, TopicOptions};
use tokio::runtime::Runtime;

use crate::append::{efflux, lane, size};
use crate::dataset::{BATCH, TOPIC, wait_for_index};
use crate::lag::Lag;
use crate::measure::{Figure, Measured, Outcome, Row, measure};
use crate::workload::Workload;
use crate::{Result, seconds};

pub(crate) const NAME: &str = "index";

/// Batches that one store without an index takes.
const ALONE_BATCHES: usize = 400;
/// What issue 3 allows the index to be behind.
const LAG_MOST: f64 = 2.0;
const GOAL: f64 = 0.6;

/// Measures the row for so many records of that payload size.
pub(crate) fn row(
    (folder, runtime): (&Path, &Runtime),
    (records, payload_bytes): (u64, usize),
    rounds: usize,
) -> Result<Measured> {
    let workload = Workload::new(payload_bytes);
    let lag = RefCell::new(Lag::default());
    let batches = || -> Vec<Vec<Message>> {
        let firsts = (1..=records).step_by(usize::try_from(BATCH).unwrap_or(1));
        let batch = |first| (first..first + BATCH).map(|it| workload.record(it).message(false));
        firsts.map(|first| batch(first).collect()).collect()
    };
    let alone = |own: &Path| alone((own, runtime), batches());
    let following = |own: &Path| following((own, runtime), batches(), &mut lag.borrow_mut());
    let row = Row {
        name: format!("{NAME} follows {records} x {}", size(payload_bytes)),
        goal: Some(GOAL),
        held: "efflux, following",
        lanes: vec![
            lane("efflux, no index", folder, alone),
            lane("efflux, following", folder, following),
        ],
    };
    let mut measured = measure(row, rounds)?;
    measured.figures = figures(&lag.borrow());
    Ok(measured)
}

/// What the index was behind at most.
pub(crate) fn figures(lag: &Lag) -> Vec<Figure> {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let particles = lag.particles_max as f64;
    vec![
        Figure::new("index behind, at most", particles, "particles"),
        Figure::new("index behind, at most", seconds(lag.time_max), "s").at_most(LAG_MOST),
    ]
}

fn alone((folder, runtime): (&Path, &Runtime), batches: Vec<Vec<Message>>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut batches = batches.into_iter().peekable();
    for number in 0.. {
        if batches.peek().is_none() {
            break;
        }
        let own = folder.join(format!("store-{number}"));
        let url = format!("file:{}", own.display());
        runtime.block_on(forbid_index(&own, &url))?;
        let (store, topic) = runtime.block_on(open(&url))?;
        let start = Instant::now();
        for batch in batches.by_ref().take(ALONE_BATCHES) {
            outcome.count += topic.append_batch_blocking(batch)?.len() as u64;
        }
        outcome.took += start.elapsed();
        if topic.indexed_through().is_some() {
            return Err("the store that is to have no index has one".into());
        }
        runtime.block_on(store.close())?;
        std::fs::remove_dir_all(&own)?;
    }
    Ok(outcome)
}

/// Makes a store and puts a file where the folder of its index would be.
pub(crate) async fn forbid_index(folder: &Path, url: &str) -> Result {
    Store::open(url).await?.close().await?;
    Ok(std::fs::write(folder.join("index"), b"no folder")?)
}

fn following(
    (folder, runtime): (&Path, &Runtime),
    batches: Vec<Vec<Message>>,
    lag: &mut Lag,
) -> Result<Outcome> {
    let url = format!("file:{}", folder.join("store").display());
    let (store, topic) = runtime.block_on(open(&url))?;
    runtime.block_on(efflux::warm_up(&topic))?;
    lag.begin();
    let (mut outcome, start) = (Outcome::default(), Instant::now());
    for batch in batches {
        outcome.count += topic.append_batch_blocking(batch)?.len() as u64;
        lag.look(&topic);
    }
    outcome.took = start.elapsed();
    outcome.after = Some(runtime.block_on(until_indexed(&topic))?);
    runtime.block_on(store.close())?;
    Ok(outcome)
}

/// How long it takes until the index answers for everything.
pub(crate) async fn until_indexed(topic: &Topic) -> Result<Duration> {
    let start = Instant::now();
    wait_for_index(topic).await?;
    Ok(start.elapsed())
}

async fn open(url: &str) -> Result<(Store, Topic)> {
    let store = Store::open(url).await?;
    let options = TopicOptions::default().with_sync(Sync::Os);
    let topic = store.create_topic(&TOPIC.parse()?, options).await?;
    Ok((store, topic))
}
