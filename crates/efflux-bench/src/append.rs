//! The append rows: Efflux, its limit program and the alternatives on the same records.

pub(crate) mod efflux;

use std::path::Path;

use tokio::runtime::Runtime;

use self::efflux::Caller;
use crate::measure::{Figure, Lane, Measured, Outcome, Row, measure};
use crate::workload::{Record, Workload};
use crate::{Result, alternatives, limit};

/// Bytes of payloads in one batch: large payloads stand in batches of fewer.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes that one run may append.
const RUN_BYTES_MAX: usize = 192 * 1024 * 1024;
/// How much longer than a write and sync of such a group one append in a hundred may take.
const P99_MOST: f64 = 4.0;

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
/// One record of each caller, written and synced together.
const GROUP: &str = "write+sync of a group";
const EFFLUX: &str = "efflux";
const BLOCKING: &str = "efflux blocking";

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

    /// Measures the row: its limit program, Efflux, then the alternatives.
    pub(crate) fn measure(
        &self,
        work: &Work,
        payload_bytes: usize,
        rounds: usize,
        (folder, runtime): (&Path, &Runtime),
    ) -> Result<Measured> {
        let row = Row {
            name: format!("append {} {}", self.name, size(payload_bytes)),
            goal: Some(self.goal),
            held: self.held(),
            lanes: self.lanes(work, folder, runtime),
        };
        let mut measured = measure(row, rounds)?;
        let waited = measured.lane(measured.held).and_then(|lane| lane.p99);
        let group = measured.lane(GROUP).and_then(|lane| lane.p50);
        if let Some((waited, group)) = waited.zip(group) {
            let times = waited.as_secs_f64() / group.as_secs_f64().max(1e-9);
            let figure = Figure::new("p99 / write+sync of a group, p50", times, "times");
            measured.figures.push(figure.at_most(P99_MOST));
        }
        Ok(measured)
    }

    /// What suits one caller is a thread that waits, and what suits many are tasks.
    const fn held(&self) -> &'static str {
        if self.callers == 1 { BLOCKING } else { EFFLUX }
    }

    fn lanes<'a>(&self, work: &'a Work, folder: &'a Path, runtime: &'a Runtime) -> Vec<Lane<'a>> {
        let (name, limit) = self.limit;
        let mut lanes = vec![
            lane(name, folder, move |own| limit(own, work)),
            lane(EFFLUX, folder, |own| {
                efflux::append(own, work, Caller::Task, runtime)
            }),
        ];
        if self.held() == BLOCKING {
            let blocking = |own: &Path| efflux::append(own, work, Caller::Thread, runtime);
            lanes.push(lane(BLOCKING, folder, blocking));
        }
        if (self.callers, self.batch) == (64, 1) {
            let groups = |own: &Path| limit::group_by_group(own, work);
            lanes.push(lane(GROUP, folder, groups));
        }
        lanes.extend(alternatives::NAMES.iter().map(|&name| {
            lane(name, folder, move |own| {
                alternatives::append(name, own, work)
            })
        }));
        lanes
    }
}

/// A program that gets an empty folder for each run and leaves nothing behind.
pub(crate) fn lane<'a>(
    name: &'static str,
    folder: &'a Path,
    run: impl Fn(&Path) -> Result<Outcome> + 'a,
) -> Lane<'a> {
    Lane::new(name, move || {
        let own = tempfile::tempdir_in(folder)?;
        run(own.path())
    })
}

/// Bytes as they are told in the name of a row.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        _ => format!("{} KiB", bytes / 1024),
    }
}
