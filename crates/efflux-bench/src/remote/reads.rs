//! Reading over the wire, against reading the same store in the program.

use std::future::Future;
use std::path::Path;

use efflux_node::particle::Sequence;
use efflux_node::storage::{Consumer, ConsumerOptions, Sync};
use tokio::runtime::Runtime;

use super::node::Node;
use super::{EMBEDDED, PAYLOAD_BYTES, REMOTE, Size};
use crate::Result;
use crate::dataset::{Dataset, find_like, get_id};
use crate::measure::{Lane, Measured, Outcome, Row, measure};
use crate::reads::{consume, scattered};
use crate::workload::{Second, Workload};

/// Records that the rows find there at most: the store stands there twice.
const RECORDS_MAX: u64 = 100_000;
/// Finds, look-ups and receives of one run.
const FINDS: u64 = 300;
const GETS: u64 = 2000;
const CONSUMED: u64 = 20_000;

pub(super) const NAMES: &[&str] = &[
    "remote-scan",
    "remote-follow",
    "remote-get-id",
    "remote-find",
    "remote-consumer",
];

/// What the rows share while they are measured.
struct Bench<'a> {
    runtime: &'a Runtime,
    embedded: Dataset,
    remote: Dataset,
    workload: Workload,
    rounds: usize,
}

/// Measures the rows of which `is_wanted` tells.
pub(super) fn measure_all(
    (folder, runtime): (&Path, &Runtime),
    size: Size,
    is_wanted: &dyn Fn(&str) -> bool,
    show: &mut dyn FnMut(Measured),
) -> Result<()> {
    if !NAMES.iter().any(|name| is_wanted(name)) {
        return Ok(());
    }
    let own = tempfile::tempdir_in(folder)?;
    let workload = Workload::new(PAYLOAD_BYTES);
    let records = size.records.min(RECORDS_MAX);
    let append = |name: &str| {
        let store = own.path().join(name);
        runtime.block_on(Dataset::append(&store, &workload, records, Sync::Os))
    };
    runtime.block_on(append("hosted")?.store.close())?;
    let node = Node::start(&own.path().join("hosted"))?;
    let bench = Bench {
        runtime,
        embedded: append("embedded")?,
        remote: runtime.block_on(Dataset::open_at(&node.url(), records))?,
        workload,
        rounds: size.rounds,
    };
    for &name in NAMES.iter().filter(|name| is_wanted(name)) {
        show(bench.row(name)?);
    }
    runtime.block_on(bench.remote.store.close())?;
    Ok(runtime.block_on(bench.embedded.store.close())?)
}

impl Bench<'_> {
    fn row(&self, name: &'static str) -> Result<Measured> {
        let hashed = "embedded, hashed";
        let mut lanes = vec![self.lane(EMBEDDED, name, &self.embedded)];
        if name == "remote-scan" {
            // The client of a node checks both hashes of all that it reads, and its link.
            lanes.push(Lane::new(hashed, || {
                self.timed(self.embedded.scan_hashed(self.embedded.records))
            }));
        }
        lanes.push(self.lane(REMOTE, name, &self.remote));
        let row = Row {
            name: format!("{name} of {} x 1 KiB", self.remote.records),
            goal: None,
            held: REMOTE,
            lanes,
        };
        measure(row, self.rounds)
    }

    fn lane<'a>(&'a self, lane: &'static str, name: &'static str, data: &'a Dataset) -> Lane<'a> {
        let mut consumers = (1..).map(|number| format!("consumer-{number}"));
        Lane::new(lane, move || match name {
            "remote-scan" => self.timed(data.scan(data.records)),
            "remote-follow" => self.timed(follow(data)),
            "remote-get-id" => self.timed(self.get_ids(data)),
            "remote-find" => self.timed(finds(data)),
            _ => self.consumed(data, &consumers.next().unwrap_or_default()),
        })
    }

    fn timed(&self, work: impl Future<Output = Result<u64>>) -> Result<Outcome> {
        Outcome::timed(|| self.runtime.block_on(work))
    }

    fn consumed(&self, data: &Dataset, name: &str) -> Result<Outcome> {
        let name = name.parse()?;
        let open = Consumer::open(&data.topic, &name, ConsumerOptions::default());
        let consumer = self.runtime.block_on(open)?;
        let outcome = self.timed(consume(&consumer, CONSUMED.min(data.records)));
        self.runtime
            .block_on(Consumer::delete(&data.topic, &name))?;
        outcome
    }

    async fn get_ids(&self, data: &Dataset) -> Result<u64> {
        for number in scattered(data.records, GETS) {
            get_id(&data.topic, self.workload.record(number).id).await?;
        }
        Ok(GETS)
    }
}

/// Follows from the first record to the last.
async fn follow(data: &Dataset) -> Result<u64> {
    let mut follower = data.topic.follow(Sequence::FIRST);
    let mut count = 0;
    while count < data.records {
        count += follower.next_batch().await?.len() as u64;
    }
    Ok(count)
}

/// Finds the first records of a type and a kind.
async fn finds(data: &Dataset) -> Result<u64> {
    for number in scattered(data.records, FINDS) {
        find_like(&data.topic, number, Second::Kind).await?;
    }
    Ok(FINDS)
}
