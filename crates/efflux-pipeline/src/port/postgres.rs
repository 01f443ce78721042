//! A port to a table of a PostgreSQL database.

mod catalogue;
mod connection;
mod copy_text;
mod copying;
mod fault;
mod fit;
mod secure;
mod session;
mod statement;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use super::table::{Before, ColumnSource, Doubt, TableName, WriteMode, faults};
use super::{Batch, Failed, Kept, Port, Reader};
use crate::quantity::Period;
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use connection::Target;
use session::Session;

/// Writes rows into a table of a PostgreSQL database.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct PostgresPortSettings {
    /// Where the database is: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Another host than this
    /// machine is spoken to through TLS, unless the URL says `sslmode=disable`.
    pub url: Secret,
    /// The password, where the URL does not hold it.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A file of authorities (PEM) that the server's certificate is believed by. Without it, those
    /// of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The table: `TABLE` or `SCHEMA.TABLE`, each as the database has it, capitals included.
    pub table: String,
    /// Where the values of the columns come from. Without it, the keys of the JSON object that are
    /// columns of the table.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnSource>,
    /// How rows get into the table: `insert`, `upsert` or `copy`.
    #[serde(default)]
    pub mode: WriteMode,
    /// The columns by which a row is known again; they must have a unique index.
    #[serde(default)]
    pub key: Vec<String>,
    /// How long the server may take for a batch.
    #[serde(default = "one_minute")]
    pub timeout: Period,
}

fn one_minute() -> Period {
    Period(Duration::from_secs(60))
}

impl PostgresPortSettings {
    /// All that is wrong, without asking the server. None tells the URL.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let mut faults = faults(&self.table, &self.columns, self.mode, &self.key);
        if let Err(error) = Target::new(self) {
            let is_url = self.url.expose().parse::<tokio_postgres::Config>().is_ok();
            let name = match is_url && self.ca_file.is_some() {
                true => "ca_file",
                false => "url",
            };
            faults.push(SettingFault::from(error).within(name));
        }
        let what = "a timeout of 0: no server answers in it";
        let is_some = !self.timeout.0.is_zero();
        faults.extend(SettingFault::unless(is_some, "timeout", what));
        faults
    }
}

/// Writes each message as a row of a table, a batch in one transaction with the pipeline's position,
/// so that each is there exactly once.
///
/// The position lies in the table `efflux_position` of the same schema, which is made at the first
/// opening. A commit is as durable as the server's `synchronous_commit` says.
pub struct PostgresPort {
    settings: PostgresPortSettings,
    table: TableName,
    target: Target,
    reader: Mutex<Option<Reader>>,
    /// Taken out by who works: a delivery that is given up leaves none, and its connection ends.
    session: AsyncMutex<Option<Session>>,
    doubt: Doubt,
}

impl PostgresPort {
    /// Writes as the settings say. The database is looked at when the port is opened.
    ///
    /// # Errors
    /// `Fatal` when the settings contradict each other, the URL is none, or the file of authorities
    /// cannot be read. It never tells the URL, which may hold a password.
    pub fn new(settings: PostgresPortSettings) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        let table = settings.table.parse().map_err(StageError::fatal)?;
        let target = Target::new(&settings)?;
        Ok(Self {
            settings,
            table,
            target,
            reader: Mutex::new(None),
            session: AsyncMutex::new(None),
            doubt: Doubt::default(),
        })
    }

    async fn connect(&self, reader: &Reader) -> Result<Session, StageError> {
        let connection = self.target.connect().await?;
        Session::open(connection, &self.settings, &self.table, reader).await
    }

    async fn in_time<T, E: From<StageError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let limit = self.settings.timeout.0;
        match timeout(limit, work).await {
            Ok(done) => done,
            Err(_) => {
                let told = format!("the database did not answer within {limit:?}");
                Err(StageError::unavailable(told).into())
            }
        }
    }

    async fn write(&self, batch: Batch<'_>, before: Before) -> Result<(), Failed> {
        let mut held = self.session.lock().await;
        let mut session = match held.take().filter(Session::is_usable) {
            Some(session) => session,
            None => {
                let reader = self.reader.lock().clone();
                let reader = reader
                    .ok_or_else(|| StageError::unavailable("the database was never opened"))?;
                self.connect(&reader).await?
            }
        };
        let written = session.deliver(batch, before).await;
        // After a failure of the whole, nobody knows what the connection is still good for.
        if !matches!(written, Err(Failed::Whole(_))) {
            *held = Some(session);
        }
        written
    }
}

#[async_trait]
impl Port for PostgresPort {
    async fn open(&self, reader: &Reader) -> Result<Kept, StageError> {
        *self.reader.lock() = Some(reader.clone());
        self.in_time(async {
            let mut held = self.session.lock().await;
            *held = None;
            let session = self.connect(reader).await?;
            let position = session.position().await?;
            *held = Some(session);
            Ok(Kept::Position(position))
        })
        .await
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let before = self.doubt.begins(batch.position);
        let outcome = self.in_time(self.write(batch, before)).await;
        self.doubt.ends(&outcome);
        outcome
    }

    fn keeps_position(&self) -> bool {
        true
    }

    async fn close(&self) -> Result<(), StageError> {
        *self.session.lock().await = None;
        Ok(())
    }
}

impl fmt::Debug for PostgresPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresPort")
            .field("table", &self.settings.table)
            .field("mode", &self.settings.mode)
            .finish_non_exhaustive()
    }
}
