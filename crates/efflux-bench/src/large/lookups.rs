//! Look-ups by id and finds, against fjall and SQLite.

use std::cell::Cell;

use super::{Bench, EFFLUX};
use crate::dataset::{FIND_LIMIT, find_like, get_id};
use crate::measure::{Lane, Measured, Outcome};
use crate::plain_file::PlainFile;
use crate::reads::{GETS, scattered};
use crate::workload::Second;
use crate::{Result, alternatives};

/// Finds of one run.
const FINDS: u64 = 50;
const GET_ID_GOAL: f64 = 0.67;
const FIND_GOAL: f64 = 20.0;

impl Bench<'_> {
    pub(super) fn get_id(&self) -> Result<Measured> {
        let places = alternatives::Places::open(&self.places()?)?;
        let own = tempfile::tempdir_in(self.folder)?;
        let file = PlainFile::write(own.path(), &self.workload, self.records)?;
        let ids = || scattered(self.records, GETS).map(|number| self.workload.record(number).id);
        let asked: Vec<_> = ids().collect();
        let plain = || {
            Outcome::timed(|| {
                for id in &asked {
                    std::hint::black_box(file.read(places.get(id)?)?);
                }
                Ok(GETS)
            })
        };
        self.with_data(|data| {
            let efflux = || {
                Outcome::timed(|| {
                    self.runtime.block_on(async {
                        for id in &asked {
                            get_id(&data.topic, *id).await?;
                        }
                        Ok(GETS)
                    })
                })
            };
            // Both databases have in memory what they were asked for before.
            plain()?;
            efflux()?;
            let lanes = vec![
                Lane::new("fjall get + pread", plain),
                Lane::new(EFFLUX, efflux),
            ];
            self.measure("get-id", GET_ID_GOAL, lanes)
        })
    }

    pub(super) fn find(&self, name: &str, second: Second) -> Result<Measured> {
        let sqlite = self.folder.join("sqlite");
        let sqlite = alternatives::Searchable::open(&sqlite, &self.workload, self.records)?;
        let found = (Cell::new(0), Cell::new(0));
        let count = |sum: &Cell<u64>, find: &dyn Fn(u64) -> Result<u64>| {
            Outcome::timed(|| {
                sum.set(0);
                for like in scattered(self.records, FINDS) {
                    sum.set(sum.get() + find(like)?);
                }
                Ok(FINDS)
            })
        };
        let measured = self.with_data(|data| {
            let topic = &data.topic;
            let plain = || count(&found.0, &|like| sqlite.find(like, second, FIND_LIMIT));
            let efflux = |like| self.runtime.block_on(find_like(topic, like, second));
            let efflux = || count(&found.1, &efflux);
            plain()?;
            efflux()?;
            let lanes = vec![
                Lane::new("sqlite, indexed", plain),
                Lane::new(EFFLUX, efflux),
            ];
            self.measure(name, FIND_GOAL, lanes)
        })?;
        match (found.0.get(), found.1.get()) {
            (sqlite, efflux) if sqlite == efflux => Ok(measured),
            (sqlite, efflux) => {
                Err(format!("{name}: SQLite found {sqlite} records, Efflux {efflux}").into())
            }
        }
    }
}
