//! Pipelines, against the same work written by hand with the same crates.

mod by_hand;
mod orders;
mod table;
mod topic;

use std::path::Path;
use std::time::Duration;

use efflux_node::particle::{ConsumerName, TopicName};
use efflux_node::pipeline::{Pipeline, PipelineError};
use efflux_node::storage::{Store, Topic, TopicOptions};
use efflux_servers::Postgres;
use tokio::runtime::Runtime;

use self::orders::order;
use crate::Result;
use crate::measure::{Lane, Measured, Outcome, Row, measure};

const TO_TOPIC: &str = "pipeline-topic";
const TO_TABLE: &str = "pipeline-copy";
/// The names of all rows.
pub(crate) const NAMES: &[&str] = &[TO_TOPIC, TO_TABLE];

const BY_HAND: &str = "by hand";
const PIPELINE: &str = "pipeline";
/// The ratio to the work by hand that issue 5 asks for.
const GOAL: f64 = 0.7;
/// Messages of one batch, on both sides.
const BATCH_MESSAGES: usize = 500;
/// Bytes of one batch, on both sides.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How often it is looked whether a pipeline is done.
const LOOK: Duration = Duration::from_millis(1);

/// A store with a topic of orders.
struct Bench<'a> {
    runtime: &'a Runtime,
    store: Store,
    orders: Topic,
    count: u64,
}

/// Measures the rows of which `is_wanted` tells, on `count` messages.
pub(crate) fn measure_all(
    (folder, runtime): (&Path, &Runtime),
    (count, rounds): (u64, usize),
    is_wanted: &dyn Fn(&str) -> bool,
    show: &mut dyn FnMut(Measured),
) -> Result {
    if !NAMES.iter().any(|name| is_wanted(name)) {
        return Ok(());
    }
    let own = tempfile::tempdir_in(folder)?;
    let url = format!("file:{}", own.path().join("store").display());
    let bench = runtime.block_on(Bench::new(runtime, &url, count))?;
    if is_wanted(TO_TOPIC) {
        show(bench.to_topic(rounds)?);
    }
    if is_wanted(TO_TABLE) {
        show(bench.to_table(rounds)?);
    }
    Ok(runtime.block_on(bench.store.close())?)
}

impl<'a> Bench<'a> {
    async fn new(runtime: &'a Runtime, url: &str, count: u64) -> Result<Self> {
        let store = Store::open(url).await?;
        let orders = store
            .create_topic(&"orders".parse()?, TopicOptions::default())
            .await?;
        let mut numbers = (1..=count).peekable();
        while numbers.peek().is_some() {
            let messages = numbers.by_ref().take(BATCH_MESSAGES).map(order);
            orders.append_batch(messages.collect()).await?;
        }
        Ok(Self {
            runtime,
            store,
            orders,
            count,
        })
    }

    fn to_topic(&self, rounds: usize) -> Result<Measured> {
        let mut runs = Runs::default();
        let mut by_pipeline = Runs::default();
        let row = Row {
            name: format!("{TO_TOPIC}: filter, jq, {} orders", self.count),
            goal: Some(GOAL),
            held: PIPELINE,
            lanes: vec![
                Lane::new(BY_HAND, move || {
                    let (consumer, target) = runs.next("by-hand")?;
                    self.timed(topic::by_hand(self, &consumer, &target))
                }),
                Lane::new(PIPELINE, move || {
                    let (consumer, target) = by_pipeline.next("pipeline")?;
                    self.timed(topic::by_pipeline(self, consumer, target))
                }),
            ],
        };
        measure(row, rounds)
    }

    fn to_table(&self, rounds: usize) -> Result<Measured> {
        let server = Postgres::start()?;
        let table = table::Table::new(&server);
        let mut runs = Runs::default();
        let row = Row {
            name: format!("{TO_TABLE}: COPY into PostgreSQL, {} orders", self.count),
            goal: Some(GOAL),
            held: PIPELINE,
            lanes: vec![
                Lane::new(BY_HAND, || {
                    table.empty()?;
                    let outcome = self.timed(table.by_hand(self))?;
                    table.holds(self.count)?;
                    Ok(outcome)
                }),
                Lane::new(PIPELINE, || {
                    table.empty()?;
                    let (name, _) = runs.next("pipeline")?;
                    let outcome = self.timed(table.by_pipeline(self, name))?;
                    table.holds(self.count)?;
                    Ok(outcome)
                }),
            ],
        };
        measure(row, rounds)
    }

    fn timed(&self, work: impl Future<Output = Result<u64>>) -> Result<Outcome> {
        Outcome::timed(|| self.runtime.block_on(work))
    }

    /// Runs a pipeline until it is done with all orders.
    async fn run(&self, pipeline: Pipeline) -> Result<u64> {
        let counters = pipeline.counters();
        let until = async {
            loop {
                let counts = counters.counts();
                if counts.filtered + counts.delivered >= self.count {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let ran: std::result::Result<(), PipelineError> = pipeline.run(until).await;
        ran?;
        let counts = counters.counts();
        if counts.dead_lettered + counts.skipped + counts.retries > 0 {
            return Err(format!("not all went well: {counts:?}").into());
        }
        Ok(self.count)
    }
}

/// Names for a consumer and a topic of each run.
#[derive(Default)]
struct Runs(u64);

impl Runs {
    fn next(&mut self, who: &str) -> Result<(ConsumerName, TopicName)> {
        self.0 += 1;
        let name = format!("{who}-{}", self.0);
        Ok((name.parse()?, name.parse()?))
    }
}
