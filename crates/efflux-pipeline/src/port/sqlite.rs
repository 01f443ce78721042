//! A port to a table of an SQLite database.

mod affinity;
mod fault;
mod session;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;

use super::blocking::Threads;
use super::table::{Before, ColumnSource, Doubt, TableName, WriteMode, faults};
use super::{Advance, Batch, Failed, Kept, Port, Reader};
use crate::parcel::Parcel;
use crate::quantity::Period;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use session::Session;

/// Writes rows into a table of an SQLite database.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct SqlitePortSettings {
    /// The database's file. It must be there, with the table in it.
    pub path: PathBuf,
    /// The table, as it is named in the database.
    pub table: String,
    /// Where the values of the columns come from. Without it, the keys of the JSON object that are
    /// columns of the table.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnSource>,
    /// How rows get into the table: `insert` or `upsert`.
    #[serde(default)]
    pub mode: WriteMode,
    /// The columns by which a row is known again; they must have a unique index.
    #[serde(default)]
    pub key: Vec<String>,
    /// How long to wait for another process that writes to the database.
    #[serde(default = "five_seconds")]
    pub timeout: Period,
}

fn five_seconds() -> Period {
    Period(std::time::Duration::from_secs(5))
}

impl SqlitePortSettings {
    /// All that is wrong, without looking at the database.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let mut faults = faults(&self.table, &self.columns, self.mode, &self.key);
        let has_path = !self.path.as_os_str().is_empty();
        faults.extend(SettingFault::unless(has_path, "path", "no file is named"));
        let is_known = self.mode != WriteMode::Copy;
        let what = "SQLite has no COPY: set mode to insert or upsert";
        faults.extend(SettingFault::unless(is_known, "mode", what));
        faults
    }
}

/// Writes each message as a row of a table, a batch in one transaction with the pipeline's position,
/// so that each is there exactly once.
///
/// The position lies in the table `efflux_position`, which is made at the first opening. A batch that
/// is acknowledged has been synced to the disk (`synchronous = FULL`).
#[derive(Clone, Debug)]
pub struct SqlitePort {
    shared: Arc<Shared>,
    /// One at a time: a transaction that was given up is waited for.
    threads: Arc<Threads>,
}

#[derive(Debug)]
struct Shared {
    settings: SqlitePortSettings,
    table: TableName,
    /// Only the thread whose turn it is takes the lock.
    session: Mutex<Option<Session>>,
    doubt: Doubt,
}

impl SqlitePort {
    /// Writes as the settings say. The database is looked at when the port is opened.
    ///
    /// # Errors
    /// `Fatal` when the settings contradict each other.
    pub fn new(settings: SqlitePortSettings) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        let table = settings.table.parse().map_err(StageError::fatal)?;
        Ok(Self {
            shared: Arc::new(Shared {
                settings,
                table,
                session: Mutex::new(None),
                doubt: Doubt::default(),
            }),
            threads: Arc::new(Threads::new(1)),
        })
    }
}

impl Shared {
    fn open(&self, reader: &Reader) -> Result<Kept, StageError> {
        let mut held = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        // A session that failed is not used again.
        *held = None;
        let session = Session::open(&self.settings, &self.table, reader)?;
        let position = session.position()?;
        *held = Some(session);
        Ok(Kept::Position(position))
    }

    fn deliver(
        &self,
        parcels: &[Parcel],
        advance: Option<Advance>,
        before: Before,
    ) -> Result<(), Failed> {
        let mut held = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(session) = held.as_mut() else {
            return Err(StageError::unavailable("the database is not open").into());
        };
        session.deliver(parcels, advance, before)
    }
}

#[async_trait]
impl Port for SqlitePort {
    async fn open(&self, reader: &Reader) -> Result<Kept, StageError> {
        let reader = reader.clone();
        let opening = move |shared: &Shared| shared.open(&reader);
        self.threads.run(&self.shared, opening).await
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let parcels = batch.parcels.to_vec();
        let advance = batch.position;
        let before = self.shared.doubt.begins(advance);
        // The thread goes on when this is dropped, and may commit: then the doubt stays.
        let delivery = move |shared: &Shared| shared.deliver(&parcels, advance, before);
        let outcome = self.threads.run(&self.shared, delivery).await;
        self.shared.doubt.ends(&outcome);
        outcome
    }

    fn keeps_position(&self) -> bool {
        true
    }

    async fn close(&self) -> Result<(), StageError> {
        let closing = |shared: &Shared| {
            let mut held = shared
                .session
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *held = None;
            Ok(())
        };
        self.threads.run(&self.shared, closing).await
    }
}

#[cfg(test)]
mod tests;
