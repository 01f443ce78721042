//! Stores that a program could embed instead, given the same records and the same durability.
//!
//! None of them hashes a record, links it to the one before, or says what altered it.

mod fjall;
mod redb;
mod sqlite;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::append::Work;
use crate::measure::Outcome;
use crate::workload::Record;

pub(crate) use self::fjall::Places;
pub(crate) use self::sqlite::Searchable;

pub(crate) const NAMES: &[&str] = &["fjall", "redb", "sqlite"];

/// A slow store ends its run after this time; its rate is that of the appends it did.
const RUN_MAX: Duration = Duration::from_millis(500);

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
    let start = Instant::now();
    let mut outcome = Outcome::default();
    thread::scope(|scope| -> Result<()> {
        let callers = work.callers.iter();
        let callers: Vec<_> = callers
            .map(|batches| scope.spawn(move || append_all(store, batches, start)))
            .collect();
        for caller in callers {
            let (count, waits) = caller.join().map_err(|_| "a caller panicked")??;
            outcome.count += count;
            outcome.waits.extend(waits);
        }
        Ok(())
    })?;
    outcome.took = start.elapsed();
    Ok(outcome)
}

fn append_all(
    store: &dyn Appends,
    batches: &[Vec<Record>],
    start: Instant,
) -> Result<(u64, Vec<Duration>)> {
    let mut count = 0;
    let mut waits = Vec::with_capacity(batches.len());
    for batch in batches {
        let begun = Instant::now();
        store.append(batch)?;
        waits.push(begun.elapsed());
        count += batch.len() as u64;
        if start.elapsed() > RUN_MAX {
            break;
        }
    }
    Ok((count, waits))
}
