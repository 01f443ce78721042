//! redb: a log of records.

use std::path::Path;

use ::redb::{Database, Durability, TableDefinition};

use super::Appends;
use crate::Result;
use crate::workload::Record;

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

pub(super) struct Log {
    database: Database,
    durability: Durability,
}

impl Log {
    /// Not durable means in memory until a later commit: redb has nothing in between.
    pub(super) fn open(folder: &Path, is_durable: bool) -> Result<Self> {
        Ok(Self {
            database: Database::create(folder.join("records.redb"))?,
            durability: if is_durable {
                Durability::Immediate
            } else {
                Durability::None
            },
        })
    }
}

impl Appends for Log {
    fn append(&self, records: &[Record]) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability)?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for record in records {
                table.insert(record.number, record.value().as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }
}
