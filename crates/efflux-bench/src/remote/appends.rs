//! Appends over the wire, against the same appends in the program and against other servers.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::node::Node;
use super::{EMBEDDED, PAYLOAD_BYTES, REMOTE, Size, echo};
use crate::Result;
use crate::append::efflux::{self, Caller};
use crate::append::{Work, lane, size};
use crate::measure::{Figure, Measured, Row, measure};
use crate::servers::Servers;
use crate::workload::Workload;

/// An append row: how many callers append batches of how many records, and how durably.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    callers: usize,
    batch: usize,
    /// Records of one run; three times as many when it is no quick run.
    records: usize,
    goal: Option<f64>,
    is_durable: bool,
}

/// What issue 4 asks of batches.
const GOAL: f64 = 0.5;
/// Round trips that issue 4 allows an append to take longer than in the program.
const ROUND_TRIPS_MOST: f64 = 1.0;

const fn singles(name: &'static str, callers: usize, records: usize) -> Shape {
    Shape {
        name,
        callers,
        batch: 1,
        records,
        goal: None,
        is_durable: true,
    }
}

const fn batches(name: &'static str, (callers, batch): (usize, usize), records: usize) -> Shape {
    Shape {
        batch,
        goal: Some(GOAL),
        ..singles(name, callers, records)
    }
}

const fn os(shape: Shape) -> Shape {
    Shape {
        is_durable: false,
        ..shape
    }
}

pub(super) const SHAPES: &[Shape] = &[
    singles("remote-always-1x1", 1, 1500),
    singles("remote-always-64x1", 64, 10_000),
    singles("remote-always-1024x1", 1024, 40_000),
    batches("remote-always-1x64", (1, 64), 20_000),
    batches("remote-always-16x64", (16, 64), 40_000),
    batches("remote-always-1x1000", (1, 1000), 40_000),
    os(singles("remote-os-64x1", 64, 10_000)),
    os(batches("remote-os-1x64", (1, 64), 20_000)),
    os(batches("remote-os-16x64", (16, 64), 40_000)),
    os(batches("remote-os-1x1000", (1, 1000), 40_000)),
    os(batches("remote-os-4x1000", (4, 1000), 60_000)),
];

/// Measures the rows of which `is_wanted` tells: first those that sync each append.
pub(super) fn measure_all(
    place: (&Path, &Runtime),
    size: Size,
    is_wanted: &dyn Fn(&str) -> bool,
    show: &mut dyn FnMut(Measured),
) -> Result<()> {
    let workload = Workload::new(PAYLOAD_BYTES);
    for is_durable in [true, false] {
        let wanted = |shape: &&Shape| shape.is_durable == is_durable && is_wanted(shape.name);
        let shapes: Vec<_> = SHAPES.iter().filter(wanted).collect();
        let is_any = size.has_servers && !shapes.is_empty();
        let servers = is_any
            .then(|| Servers::start(place.0, is_durable))
            .transpose()?;
        for shape in shapes {
            show(shape.measure(&workload, size, place, servers.as_ref())?);
        }
    }
    Ok(())
}

impl Shape {
    fn work(&self, workload: &Workload, is_quick: bool) -> Work {
        let records = if is_quick {
            self.records
        } else {
            self.records * 3
        };
        let batches = (records / self.batch / self.callers).max(1);
        let mut numbers = 1_u64..;
        let mut record = || workload.record(numbers.next().unwrap_or_default());
        let mut batch = || (0..self.batch).map(|_| record()).collect();
        let mut caller = || (0..batches).map(|_| batch()).collect();
        Work {
            callers: (0..self.callers).map(|_| caller()).collect(),
            is_durable: self.is_durable,
            has_own_ids: false,
        }
    }

    fn measure(
        &self,
        workload: &Workload,
        Size {
            is_quick, rounds, ..
        }: Size,
        (folder, runtime): (&Path, &Runtime),
        servers: Option<&Servers>,
    ) -> Result<Measured> {
        let work = self.work(workload, is_quick);
        // What suits one caller is a thread that waits, and what suits many are tasks.
        let caller = match self.callers {
            1 => Caller::Thread,
            _ => Caller::Task,
        };
        let mut lanes = vec![
            lane(EMBEDDED, folder, |own| {
                efflux::append(own, &work, caller, runtime)
            }),
            lane(REMOTE, folder, |own| {
                let node = Node::start(&own.join("store"))?;
                efflux::append_at(&node.url(), &work, caller, runtime)
            }),
        ];
        lanes.extend(servers.iter().flat_map(|servers| servers.lanes(&work)));
        let row = Row {
            name: format!("{} {}", self.name, size(PAYLOAD_BYTES)),
            goal: self.goal,
            held: REMOTE,
            lanes,
        };
        let mut measured = measure(row, rounds)?;
        if (self.callers, self.batch) == (1, 1) {
            let figures = latency(&measured, echo::round_trip()?);
            measured.figures.extend(figures);
        }
        let best = best_server(&measured);
        measured.figures.extend(best);
        Ok(measured)
    }
}

/// What an append takes longer than in the program, beside a round trip of bytes.
fn latency(measured: &Measured, round_trip: Duration) -> Vec<Figure> {
    let p50 = |name| measured.lane(name).and_then(|lane| lane.p50);
    let Some((remote, embedded)) = p50(REMOTE).zip(p50(EMBEDDED)) else {
        return Vec::new();
    };
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let (added, bare) = (micros(remote) - micros(embedded), micros(round_trip));
    vec![
        Figure::new("a bare round trip, p50", bare, "µs"),
        Figure::new("added by the node, p50", added, "µs"),
        Figure::new("added, in bare round trips", added / bare, "times").at_most(ROUND_TRIPS_MOST),
    ]
}

/// The fastest of the other servers, held against the node.
fn best_server(measured: &Measured) -> Option<Figure> {
    let node = measured.lane(REMOTE)?;
    let others = measured.lanes.iter();
    let others = others.filter(|lane| ![EMBEDDED, REMOTE].contains(&lane.name));
    let best = others.max_by(|one, other| one.rate.total_cmp(&other.rate))?;
    let name = format!("the fastest server, {}, / node", best.name);
    Some(Figure::new(name, best.rate / node.rate, "times").at_most(1.0))
}
