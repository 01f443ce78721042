//! The rows that read a topic of payloads of 1 KiB: scans, gets, consumers.

mod consumers;
mod scans;

use std::path::Path;

use efflux_node::particle::Sequence;
use efflux_node::storage::Sync;
use tokio::runtime::Runtime;

use crate::Result;
use crate::dataset::Dataset;
use crate::measure::{Lane, Measured, Outcome, Row, measure};
use crate::plain_file::PlainFile;
use crate::workload::Workload;

pub(crate) use self::consumers::consume;

const PAYLOAD_BYTES: usize = 1024;
/// Gets of one run.
pub(crate) const GETS: u64 = 10_000;
/// Far from each other, and no multiple of anything.
pub(crate) const STEP: u64 = 7919;
pub(crate) const EFFLUX: &str = "efflux";

pub(crate) const NAMES: &[&str] = &[
    "scan-hashed",
    "scan-raw",
    "scan-cheap",
    "verify",
    "get",
    "consumer-os",
    "consumer-always",
    "consumer-always-16",
];

/// What the rows share while they are measured.
struct Bench<'a> {
    runtime: &'a Runtime,
    data: Dataset,
    file: PlainFile,
    workload: Workload,
    folder: &'a Path,
    rounds: usize,
    cores: usize,
}

/// Measures the rows of which `is_wanted` tells.
pub(crate) fn measure_all(
    (folder, runtime): (&Path, &Runtime),
    (records, rounds, cores): (u64, usize, usize),
    is_wanted: &dyn Fn(&str) -> bool,
    show: &mut dyn FnMut(Measured),
) -> Result<()> {
    if !NAMES.iter().any(|name| is_wanted(name)) {
        return Ok(());
    }
    let own = tempfile::tempdir_in(folder)?;
    let workload = Workload::new(PAYLOAD_BYTES);
    let store = own.path().join("store");
    let data = runtime.block_on(Dataset::append(&store, &workload, records, Sync::Os))?;
    let bench = Bench {
        runtime,
        file: PlainFile::write(own.path(), &workload, records)?,
        data,
        workload,
        folder: own.path(),
        rounds,
        cores,
    };
    for &name in NAMES.iter().filter(|name| is_wanted(name)) {
        show(bench.row(name)?);
    }
    runtime.block_on(bench.data.store.close())?;
    Ok(())
}

impl Bench<'_> {
    fn row(&self, name: &str) -> Result<Measured> {
        match name {
            "scan-hashed" => self.scan_hashed(),
            "scan-raw" => self.scan_raw(),
            "scan-cheap" => self.scan_cheap(),
            "verify" => self.verify(),
            "get" => self.get(),
            "consumer-os" => self.consumer_os(),
            "consumer-always" => self.consumer_always(1),
            _ => self.consumer_always(consumers::WORKERS),
        }
    }

    fn measure(&self, name: &str, goal: Option<f64>, lanes: Vec<Lane<'_>>) -> Result<Measured> {
        let row = Row {
            name: format!("{name} of {} x 1 KiB", self.data.records),
            goal,
            held: EFFLUX,
            lanes,
        };
        measure(row, self.rounds)
    }

    fn get(&self) -> Result<Measured> {
        let numbers = || scattered(self.data.records, GETS);
        let pread = || {
            Outcome::timed(|| {
                for number in numbers() {
                    std::hint::black_box(self.file.read(number)?);
                }
                Ok(GETS)
            })
        };
        let efflux = || {
            Outcome::timed(|| {
                self.runtime.block_on(async {
                    for number in numbers() {
                        let found = self.data.topic.get(Sequence::new(number)).await?;
                        found.ok_or("a record is missing")?;
                    }
                    Ok(GETS)
                })
            })
        };
        let lanes = vec![Lane::new("pread", pread), Lane::new(EFFLUX, efflux)];
        self.measure("get", Some(0.5), lanes)
    }
}

/// Numbers of records, all over the topic.
pub(crate) fn scattered(records: u64, count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |at| 1 + at.wrapping_mul(STEP) % records)
}
