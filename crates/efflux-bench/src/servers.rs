//! Servers that a program could use instead, where they are installed: NATS, Redis, PostgreSQL.
//!
//! Each is started on a free port of this machine with a folder of its own and ended at the row's
//! end. Each is spoken to in its own protocol, as plainly as it goes, and acknowledges a record when
//! it is synced. They stand beside Efflux in the program, which has no network in between: the ratio
//! is told, and no goal is held against it.

mod nats;
mod postgres;
mod process;
mod redis;

use std::path::Path;

use tokio::runtime::Runtime;

use crate::append::efflux::{self, Caller};
use crate::append::{Work, lane};
use crate::measure::{Lane, Measured, Outcome, Row, measure};
use crate::workload::{Record, Workload};
use crate::{Result, append, callers};

pub(crate) const NAME: &str = "servers";

const EFFLUX: &str = "efflux, embedded";
const PAYLOAD_BYTES: usize = 1024;
/// Publishers, and records that each of them waits for together.
const SHAPES: &[(usize, usize)] = &[(1, 1), (16, 1), (64, 1), (1, 64)];
/// Records of each publisher in one run; the run ends sooner when its time is over.
const RECORDS: usize = 2000;

/// A server that runs.
trait Server: Sync {
    fn connect(&self) -> Result<Box<dyn Publisher>>;
}

/// A connection to it.
trait Publisher: Send {
    /// Publishes records, and returns when all of them are durable.
    fn publish(&mut self, records: &[Record]) -> Result<()>;
}

/// How a server is started in a folder.
type Start = fn(&Path) -> Result<Box<dyn Server>>;

const SERVERS: &[(&str, Start)] = &[
    ("nats", nats::start),
    ("redis", redis::start),
    ("postgresql", postgres::start),
];

/// Measures a row for each number of publishers, and says which servers are absent.
pub(crate) fn rows(
    (folder, runtime): (&Path, &Runtime),
    rounds: usize,
    show: &mut dyn FnMut(Measured),
) -> Result<()> {
    let own = tempfile::tempdir_in(folder)?;
    let mut servers = Vec::new();
    for (name, start) in SERVERS {
        let folder = own.path().join(name);
        std::fs::create_dir(&folder)?;
        match start(&folder) {
            Ok(server) => servers.push((*name, server)),
            Err(reason) => println!("{NAME}: {name} is left out: {reason}"),
        }
    }
    if servers.is_empty() {
        return Ok(());
    }
    let workload = Workload::new(PAYLOAD_BYTES);
    for &(publishers, batch) in SHAPES {
        let work = work(&workload, publishers, batch);
        let caller = match publishers {
            1 => Caller::Thread,
            _ => Caller::Task,
        };
        let mut lanes = vec![lane(EFFLUX, folder, |own| {
            efflux::append(own, &work, caller, runtime)
        })];
        for (name, server) in &servers {
            lanes.push(Lane::new(name, || publish(&**server, &work)));
        }
        let size = append::size(PAYLOAD_BYTES);
        let row = Row {
            name: format!("{NAME} always-{publishers}x{batch} {size}"),
            goal: None,
            held: EFFLUX,
            lanes,
        };
        show(measure(row, rounds)?);
    }
    Ok(())
}

fn work(workload: &Workload, publishers: usize, batch: usize) -> Work {
    let mut numbers = 1_u64..;
    let mut record = || workload.record(numbers.next().unwrap_or_default());
    let mut batch_of = || (0..batch).map(|_| record()).collect();
    let mut caller = || {
        (0..RECORDS.div_ceil(publishers))
            .map(|_| batch_of())
            .collect()
    };
    Work {
        callers: (0..publishers).map(|_| caller()).collect(),
        is_durable: true,
        has_own_ids: false,
    }
}

/// Publishes the work, each publisher on a thread and a connection of its own.
fn publish(server: &dyn Server, work: &Work) -> Result<Outcome> {
    let connections: Result<Vec<_>> = work.callers.iter().map(|_| server.connect()).collect();
    let publishers = connections?.into_iter();
    callers::run(
        work,
        publishers.map(|mut connection| move |records: &[Record]| connection.publish(records)),
    )
}
