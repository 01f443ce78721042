//! Servers that a program could use instead, where they are installed: NATS, Redis, PostgreSQL.
//!
//! Each is started on a free port of this machine with a folder of its own, and ended when the rows
//! that speak to it are over. Each is spoken to in its own protocol, as plainly as it goes, and
//! acknowledges a record when it is as durable as the row says.

mod nats;
mod postgres;
mod redis;

use std::path::Path;

use tempfile::TempDir;

use crate::append::Work;
use crate::measure::{Lane, Outcome};
use crate::workload::Record;
use crate::{Result, callers};

/// Connections that each of them is asked for at most: PostgreSQL has a process for each.
const CONNECTIONS_MAX: usize = 64;

/// A server that runs.
trait Server: Sync {
    fn connect(&self) -> Result<Box<dyn Publisher>>;
}

/// A connection to it.
trait Publisher: Send {
    /// Publishes records, and returns when all of them are acknowledged.
    fn publish(&mut self, records: &[Record]) -> Result<()>;
}

/// How a server is started in a folder, and whether it syncs before it acknowledges.
type Start = fn(&Path, bool) -> Result<Box<dyn Server>>;

const SERVERS: &[(&str, Start)] = &[
    ("nats", nats::start),
    ("redis", redis::start),
    ("postgresql", postgres::start),
];

/// The servers that are installed, running.
pub(crate) struct Servers {
    running: Vec<(&'static str, Box<dyn Server>)>,
    /// What they keep; removed once they have ended.
    _folder: TempDir,
}

impl Servers {
    /// Starts those that are installed, and says which are left out.
    pub(crate) fn start(folder: &Path, is_durable: bool) -> Result<Self> {
        let own = tempfile::tempdir_in(folder)?;
        let mut running = Vec::new();
        for (name, start) in SERVERS {
            let folder = own.path().join(name);
            std::fs::create_dir(&folder)?;
            match start(&folder, is_durable) {
                Ok(server) => running.push((*name, server)),
                Err(reason) => println!("{name} is left out: {reason}"),
            }
        }
        Ok(Self {
            running,
            _folder: own,
        })
    }

    /// The work, done by each of them; by none when it has more callers than they may be asked for.
    pub(crate) fn lanes<'a>(&'a self, work: &'a Work) -> Vec<Lane<'a>> {
        if work.callers.len() > CONNECTIONS_MAX {
            return Vec::new();
        }
        let lanes = self.running.iter();
        lanes
            .map(|(name, server)| Lane::new(name, move || publish(&**server, work)))
            .collect()
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
