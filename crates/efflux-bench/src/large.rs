//! The rows on a large topic of small payloads: look-ups, expectations, opening.

mod expecting;
mod lookups;
mod opening;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use crate::dataset::Dataset;
use crate::measure::{Lane, Measured, Row, measure};
use crate::workload::{Second, Workload};
use crate::{Result, alternatives, growth};

const EFFLUX: &str = "efflux";

pub(crate) const NAMES: &[&str] = &[
    growth::NAME,
    "get-id",
    "find-kind",
    "find-group",
    "expect",
    "open",
    "open-killed",
];

/// What the rows share while they are measured.
struct Bench<'a> {
    runtime: &'a Runtime,
    workload: Workload,
    /// Where the store is, and beside it what the rows are held against.
    folder: &'a Path,
    records: u64,
    rounds: usize,
    /// Whether fjall's map from ids to places was built.
    places: OnceCell<()>,
}

/// Measures the rows of which `is_wanted` tells. A child lets the topic grow, which is a row too.
pub(crate) fn measure_all(
    (folder, runtime): (&Path, &Runtime),
    (records, rounds): (u64, usize),
    is_wanted: &dyn Fn(&str) -> bool,
    show: &mut dyn FnMut(Measured),
) -> Result<()> {
    if !NAMES.iter().any(|name| is_wanted(name)) {
        return Ok(());
    }
    let own = tempfile::tempdir_in(folder)?;
    let bench = Bench {
        runtime,
        workload: Workload::new(growth::PAYLOAD_BYTES),
        folder: own.path(),
        records,
        rounds,
        places: OnceCell::new(),
    };
    growth::rows(&bench.store(), records, &mut |row| {
        if is_wanted(growth::NAME) {
            show(row);
        }
    })?;
    let has_alternatives = !alternatives::NAMES.is_empty();
    let mut wanted = NAMES.iter().filter(|name| is_wanted(name));
    while let Some(name) = wanted.next().filter(|_| has_alternatives) {
        if let Some(measured) = bench.row(name)? {
            show(measured);
        }
    }
    Ok(())
}

impl Bench<'_> {
    fn row(&self, name: &str) -> Result<Option<Measured>> {
        match name {
            "get-id" => self.get_id().map(Some),
            "find-kind" => self.find("find-kind", Second::Kind).map(Some),
            "find-group" => self.find("find-group", Second::Group).map(Some),
            "expect" => self.expect().map(Some),
            "open" => self.open(0).map(Some),
            "open-killed" => self.open(opening::tail(self.records)).map(Some),
            _ => Ok(None),
        }
    }

    fn measure(&self, name: &str, goal: f64, lanes: Vec<Lane<'_>>) -> Result<Measured> {
        let row = Row {
            name: format!("{name} of {} x 100 B", self.records),
            goal: Some(goal),
            held: EFFLUX,
            lanes,
        };
        measure(row, self.rounds)
    }

    fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// Opens the store, lets `work` have it, and closes it.
    fn with_data<T>(&self, work: impl FnOnce(&Dataset) -> Result<T>) -> Result<T> {
        let data = self
            .runtime
            .block_on(Dataset::open(&self.store(), self.records))?;
        let done = work(&data);
        self.runtime.block_on(data.store.close())?;
        done
    }

    /// The folder where fjall keeps the place of each id, built when it is first asked for.
    fn places(&self) -> Result<PathBuf> {
        let folder = self.folder.join("places");
        if self.places.get().is_none() {
            let id = |number| (self.workload.record(number).id, number);
            alternatives::Places::build(&folder, (1..=self.records).map(id))?;
            let _ = self.places.set(());
        }
        Ok(folder)
    }
}
