//! SQLite: a table of records, without and with an index on each field.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, params};

use super::Appends;
use crate::Result;
use crate::workload::{Record, Second, Workload, data_type};

const FILE: &str = "records.sqlite";
const TABLE: &str = "CREATE TABLE records (number INTEGER PRIMARY KEY, id BLOB, created INTEGER, \
    timestamp INTEGER, data_type TEXT, message_group TEXT, kind TEXT, order_id TEXT, payload BLOB)";
const INSERT: &str = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
/// Finds by the type and one more field.
const fn find_statement(second: Second) -> &'static str {
    match second {
        Second::Group => {
            "SELECT * FROM records WHERE data_type = ? AND message_group = ? ORDER BY number LIMIT ?"
        }
        Second::Kind => {
            "SELECT * FROM records WHERE data_type = ? AND kind = ? ORDER BY number LIMIT ?"
        }
    }
}

const INDEXED: &[&str] = &[
    "id",
    "created",
    "timestamp",
    "data_type",
    "message_group",
    "kind",
    "order_id",
];
/// Records that are written together.
const RECORDS_TOGETHER: u64 = 10_000;

pub(super) struct Log {
    connection: Mutex<Connection>,
}

impl Log {
    pub(super) fn open(folder: &Path, is_durable: bool) -> Result<Self> {
        let connection = open(folder, is_durable)?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }
}

impl Appends for Log {
    fn append(&self, records: &[Record]) -> Result<()> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        insert(&mut connection, records.iter())
    }
}

fn open(folder: &Path, is_durable: bool) -> Result<Connection> {
    let connection = Connection::open(folder.join(FILE))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = if is_durable { "FULL" } else { "OFF" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute(TABLE, ())?;
    Ok(connection)
}

fn insert<R: std::borrow::Borrow<Record>>(
    connection: &mut Connection,
    records: impl Iterator<Item = R>,
) -> Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare_cached(INSERT)?;
        for record in records {
            let it = record.borrow();
            insert.execute(params![
                it.number.cast_signed(),
                it.id,
                it.created,
                it.timestamp,
                it.data_type,
                it.group,
                it.kind,
                it.order,
                &*it.payload
            ])?;
        }
    }
    Ok(transaction.commit()?)
}

/// Records with an index on each field.
pub(crate) struct Searchable {
    connection: Connection,
}

impl Searchable {
    /// Opens the database in that folder, and makes it when it is not there.
    pub(crate) fn open(folder: &Path, workload: &Workload, records: u64) -> Result<Self> {
        if folder.exists() {
            return Ok(Self {
                connection: Connection::open(folder.join(FILE))?,
            });
        }
        std::fs::create_dir(folder)?;
        let mut connection = open(folder, false)?;
        for first in (1..=records).step_by(usize::try_from(RECORDS_TOGETHER)?) {
            let last = records.min(first + RECORDS_TOGETHER - 1);
            insert(
                &mut connection,
                (first..=last).map(|it| workload.record(it)),
            )?;
        }
        for field in INDEXED {
            let index = format!("CREATE INDEX by_{field} ON records ({field})");
            connection.execute(&index, ())?;
        }
        connection.execute_batch("ANALYZE")?;
        Ok(Self { connection })
    }

    /// The first records that have two fields in common with the record `like`; how many.
    pub(crate) fn find(&self, like: u64, second: Second, limit: usize) -> Result<u64> {
        let mut find = self.connection.prepare_cached(find_statement(second))?;
        let limit = i64::try_from(limit)?;
        let mut rows = find.query(params![data_type(like), second.of(like), limit])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let payload: Vec<u8> = row.get(8)?;
            std::hint::black_box(payload);
            count += 1;
        }
        Ok(count)
    }
}
