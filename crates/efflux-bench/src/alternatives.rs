//! Stores that a program could embed instead, given the same records and the same durability.
//!
//! None of them hashes a record, links it to the one before, or says what altered it.

mod fjall;
mod redb;
mod sqlite;

use std::path::Path;

use crate::append::Work;
use crate::measure::Outcome;
use crate::workload::Record;
use crate::{Result, callers};

pub(crate) use self::fjall::Places;
pub(crate) use self::sqlite::Searchable;

pub(crate) const NAMES: &[&str] = &["fjall", "redb", "sqlite"];

/// What every alternative does: appends records together, durable or not as it was opened.
trait Appends: Sync {
    fn append(&self, records: &[Record]) -> Result<()>;
}

/// Appends the work to the alternative of that name, each caller on a thread of its own.
pub(crate) fn append(name: &str, folder: &Path, work: &Work) -> Result<Outcome> {
    let store: Box<dyn Appends> = match name {
        "fjall" => Box::new(fjall::Log::open(folder, work.is_durable)?),
        "redb" => Box::new(redb::Log::open(folder, work.is_durable)?),
        _ => Box::new(sqlite::Log::open(folder, work.is_durable)?),
    };
    let store = &*store;
    let caller = |_| |records: &[Record]| store.append(records);
    callers::run(work, work.callers.iter().map(caller))
}
