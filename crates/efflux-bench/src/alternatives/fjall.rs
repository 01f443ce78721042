//! fjall: a log of records, and ids to places in a file.

use std::path::Path;

use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::Appends;
use crate::Result;
use crate::workload::Record;

/// Places that are written together.
const PLACES_TOGETHER: usize = 10_000;

pub(super) struct Log {
    records: Keyspace,
    database: Database,
    mode: PersistMode,
}

impl Log {
    pub(super) fn open(folder: &Path, is_durable: bool) -> Result<Self> {
        let database = Database::builder(folder).open()?;
        Ok(Self {
            records: database.keyspace("records", KeyspaceCreateOptions::default)?,
            database,
            mode: if is_durable {
                PersistMode::SyncData
            } else {
                PersistMode::Buffer
            },
        })
    }
}

impl Appends for Log {
    fn append(&self, records: &[Record]) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(self.mode));
        for record in records {
            batch.insert(&self.records, key(record.number), record.value());
        }
        Ok(batch.commit()?)
    }
}

/// Keys sort, so their numbers begin with the highest byte.
fn key(number: u64) -> [u8; 8] {
    let mut key = number.to_le_bytes();
    key.reverse();
    key
}

/// Where the frame of each id stands, as Efflux's index knows it.
pub(crate) struct Places {
    places: Keyspace,
    database: Database,
}

impl Places {
    pub(crate) fn build(
        folder: &Path,
        places: impl Iterator<Item = ([u8; 16], u64)>,
    ) -> Result<()> {
        let Self {
            places: keyspace,
            database,
        } = Self::open(folder)?;
        let mut batch = database.batch();
        for (number, (id, at)) in places.enumerate() {
            batch.insert(&keyspace, id, at.to_le_bytes());
            if number % PLACES_TOGETHER == 0 {
                batch.commit()?;
                batch = database.batch();
            }
        }
        batch.commit()?;
        keyspace.rotate_memtable_and_wait()?;
        Ok(())
    }

    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let database = Database::builder(folder).open()?;
        Ok(Self {
            places: database.keyspace("places", KeyspaceCreateOptions::default)?,
            database,
        })
    }

    pub(crate) fn get(&self, id: &[u8; 16]) -> Result<u64> {
        let found = self.places.get(id)?.ok_or("fjall lost an id")?;
        let bytes: &[u8] = &found;
        Ok(u64::from_le_bytes(bytes.try_into()?))
    }
}
