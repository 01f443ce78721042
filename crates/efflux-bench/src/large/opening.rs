//! Opening a store that was closed, and one whose process was killed, against fjall's own opening.

use std::time::{Duration, Instant};

use super::{Bench, EFFLUX};
use crate::dataset::{Dataset, get_id};
use crate::measure::{Lane, Measured, Outcome};
use crate::plain_file::PlainFile;
use crate::{Result, alternatives, child};

/// What issue 3 allows besides fjall's own opening.
const ALLOWED: Duration = Duration::from_millis(50);
/// Records that no sync has confirmed when the process is killed, in a large topic.
const TAIL_MAX: u64 = 50_000;
const LIMIT: &str = "fjall open + 50 ms";
const LIMIT_KILLED: &str = "the same + hash the tail";

/// How many records that is in a topic of so many.
pub(super) fn tail(records: u64) -> u64 {
    TAIL_MAX.min(records / 2)
}

impl Bench<'_> {
    /// Opens the store in each round, after `tail` more records were appended and the process that
    /// did was killed; with none, after it was closed. The lane that is held opens the index too, by
    /// getting a record by its id.
    pub(super) fn open(&self, tail: u64) -> Result<Measured> {
        let places = self.places()?;
        let own = tempfile::tempdir_in(self.folder)?;
        let file = PlainFile::write(own.path(), &self.workload, tail)?;
        let limit = || {
            let start = Instant::now();
            file.hash_all();
            // Closed once the clock has stopped.
            let _opened = alternatives::Places::open(&places)?;
            Ok(one(start.elapsed() + ALLOWED))
        };
        let lanes = vec![
            Lane::new(if tail > 0 { LIMIT_KILLED } else { LIMIT }, limit),
            Lane::new(EFFLUX, || self.opened(tail, true)),
            Lane::new("efflux, without index", || self.opened(tail, false)),
        ];
        match tail {
            0 => self.measure("open", 1.0, lanes),
            tail => {
                let name = format!("open-killed, tail of {tail},");
                self.measure(&name, 1.0, lanes)
            }
        }
    }

    fn opened(&self, tail: u64, with_index: bool) -> Result<Outcome> {
        if tail > 0 {
            child::append_and_kill(&self.store(), tail)?;
        }
        let id = self.workload.record(self.records / 2).id;
        let start = Instant::now();
        let data = self.runtime.block_on(async {
            let data = Dataset::open(&self.store(), self.records).await?;
            if with_index {
                get_id(&data.topic, id).await?;
            }
            Ok::<_, Box<dyn std::error::Error + Send + std::marker::Sync>>(data)
        })?;
        let took = start.elapsed();
        self.runtime.block_on(data.store.close())?;
        Ok(one(took))
    }
}

fn one(took: Duration) -> Outcome {
    Outcome {
        count: 1,
        took,
        ..Outcome::default()
    }
}
