//! A connection whose table is known, and the position that it keeps.

use std::collections::HashMap;
use std::fmt;

use tokio_postgres::error::SqlState;

use super::PostgresPortSettings;
use super::catalogue::{self, Column};
use super::connection::Connection;
use super::fault::fault;
use super::statement::Statement;
use crate::limits::STATEMENTS_MAX;
use crate::port::table::{
    Before, Mapping, POSITION_TABLE, TableName, WriteMode, elsewhere, no_such_column,
};
use crate::port::{Advance, Reader};
use crate::stage_error::StageError;

/// A connection whose table is known.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) table: TableName,
    pub(super) columns: Vec<Column>,
    pub(super) mapping: Mapping,
    /// Places of the key's columns.
    pub(super) key: Vec<usize>,
    pub(super) mode: WriteMode,
    /// Statements that write rows, by the columns that these have.
    prepared: HashMap<Vec<usize>, tokio_postgres::Statement>,
    reader: Reader,
    positions: String,
    /// The statement that moves the position, once it was needed.
    moving: Option<tokio_postgres::Statement>,
}

impl Session {
    pub(super) async fn open(
        connection: Connection,
        settings: &PostgresPortSettings,
        table: &TableName,
        reader: &Reader,
    ) -> Result<Self, StageError> {
        // What this process abandons ends by itself, and holds no lock for longer than it may take.
        let limit = settings.timeout.0.as_millis().max(1);
        connection
            .batch_execute(&format!(
                "SET statement_timeout = {limit}; SET lock_timeout = {limit}; \
                 SET idle_in_transaction_session_timeout = {limit}; \
                 SET standard_conforming_strings = on; SET client_encoding = 'UTF8'"
            ))
            .await
            .map_err(|error| fault(&error))?;
        let (table, columns) = catalogue::columns(&connection, table).await?;
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let no_such =
            |name: &str| StageError::fatal(no_such_column(&table.to_string(), name, &names));
        let mapping = Mapping::new(&settings.columns, &names).map_err(|name| no_such(&name))?;
        let key = settings.key.iter().map(|name| {
            let at = names.iter().position(|column| column == name);
            at.ok_or_else(|| no_such(name))
        });
        let key = key.collect::<Result<Vec<_>, _>>()?;
        let session = Self {
            positions: table.beside(POSITION_TABLE).sql(),
            connection,
            columns,
            mapping,
            key,
            mode: settings.mode,
            prepared: HashMap::new(),
            reader: reader.clone(),
            moving: None,
            table,
        };
        session.look().await?;
        Ok(session)
    }

    /// Makes the table of positions, and looks whether rows can be written as the settings say.
    async fn look(&self) -> Result<(), StageError> {
        let made = self
            .connection
            .batch_execute(&format!(
                "CREATE TABLE IF NOT EXISTS {} (pipeline text NOT NULL, source text NOT NULL, \
                 sequence bigint, moved timestamptz NOT NULL DEFAULT now(), \
                 PRIMARY KEY (pipeline, source))",
                self.positions
            ))
            .await;
        let begun = match made {
            Ok(()) => self.begin_position().await,
            Err(error) => Err(error),
        };
        match begun {
            Err(error) if is_beside_another(&error) => {
                // Another process makes it at this moment.
                self.begin_position().await.map_err(|error| fault(&error))?;
            }
            Err(error) if error.code().is_some_and(|code| code.code() == "42501") => {
                // It may be there and be writable though no table may be made.
                self.begin_position().await.map_err(|_| {
                    StageError::fatal(format!(
                        "the user may not make or write the table {}, which keeps the position: {}",
                        self.positions,
                        fault(&error).reason()
                    ))
                })?;
            }
            begun => begun.map_err(|error| fault(&error))?,
        }
        self.try_out().await.map_err(|error| match fault(&error) {
            StageError::Fatal(why) => {
                StageError::fatal(format!("no row can be written to {}: {why}", self.table))
            }
            other => other,
        })
    }

    /// Writes no rows, and takes it back: the server plans the statement, and looks at the rights and
    /// for the key's unique index.
    async fn try_out(&self) -> Result<(), tokio_postgres::Error> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let statement = self
            .connection
            .prepare(&self.statement(&all).insert())
            .await?;
        let empty: Vec<Option<&str>> = Vec::new();
        let parameters: Vec<_> = all
            .iter()
            .map(|_| &empty as &(dyn tokio_postgres::types::ToSql + Sync))
            .collect();
        self.connection.batch_execute("BEGIN").await?;
        self.connection.execute(&statement, &parameters).await?;
        self.connection.batch_execute("ROLLBACK").await
    }

    async fn begin_position(&self) -> Result<(), tokio_postgres::Error> {
        let sql = format!(
            "INSERT INTO {} (pipeline, source) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            self.positions
        );
        let pipeline = self.reader.pipeline.as_str();
        self.connection
            .execute(&sql, &[&pipeline, &self.reader.source])
            .await
            .map(drop)
    }

    /// Whether the server still listens.
    pub(super) fn is_usable(&self) -> bool {
        !self.connection.is_closed()
    }

    /// The sequence that is kept.
    pub(super) async fn position(&self) -> Result<Option<u64>, StageError> {
        let sql = format!(
            "SELECT sequence FROM {} WHERE pipeline = $1 AND source = $2",
            self.positions
        );
        let pipeline = self.reader.pipeline.as_str();
        let found = self
            .connection
            .query_opt(&sql, &[&pipeline, &self.reader.source])
            .await
            .map_err(|error| fault(&error))?;
        let sequence: Option<i64> = found.and_then(|row| row.get(0));
        sequence
            .map(|sequence| u64::try_from(sequence).map_err(StageError::fatal))
            .transpose()
    }

    /// Moves the position. Answers whether there is anything left to do.
    pub(super) async fn moves(
        &mut self,
        advance: Advance,
        before: Before,
    ) -> Result<bool, StageError> {
        let number = |sequence: u64| i64::try_from(sequence).map_err(StageError::fatal);
        let from = advance.from.map(number).transpose()?;
        let to = number(advance.to)?;
        let moving = self.moving().await.map_err(|error| fault(&error))?;
        let pipeline = self.reader.pipeline.as_str();
        let moved = self
            .connection
            .execute(&moving, &[&pipeline, &self.reader.source, &to, &from])
            .await
            .map_err(|error| fault(&error))?;
        if moved == 1 {
            return Ok(true);
        }
        let found = self.position().await?;
        match before.is_settled(advance, found) {
            true => Ok(false),
            false => Err(elsewhere(pipeline, advance, found)),
        }
    }

    async fn moving(&mut self) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
        if let Some(moving) = &self.moving {
            return Ok(moving.clone());
        }
        let sql = format!(
            "UPDATE {} SET sequence = $3, moved = now() WHERE pipeline = $1 AND source = $2 \
             AND sequence IS NOT DISTINCT FROM $4",
            self.positions
        );
        let moving = self.connection.prepare(&sql).await?;
        Ok(self.moving.insert(moving).clone())
    }

    /// A statement that is prepared for rows with these columns: `make` writes it the first time.
    pub(super) async fn prepared(
        &mut self,
        columns: &[usize],
        make: impl FnOnce(Statement<'_>) -> String,
    ) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
        if let Some(statement) = self.prepared.get(columns) {
            return Ok(statement.clone());
        }
        let sql = make(self.statement(columns));
        let statement = self.connection.prepare(&sql).await?;
        if self.prepared.len() >= STATEMENTS_MAX {
            self.prepared.clear();
        }
        self.prepared.insert(columns.to_vec(), statement.clone());
        Ok(statement)
    }

    /// The statements for rows with these columns.
    pub(super) fn statement(&self, columns: &[usize]) -> Statement<'_> {
        let some = |places: &[usize]| {
            let columns = places.iter().filter_map(|at| self.columns.get(*at));
            columns.collect()
        };
        Statement {
            table: &self.table,
            columns: some(columns),
            key: some(&self.key),
            mode: self.mode,
        }
    }
}

/// Whether a table could not be made because another process makes it.
fn is_beside_another(error: &tokio_postgres::Error) -> bool {
    let code = error.code().map(SqlState::code);
    matches!(code, Some("23505" | "42P07"))
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
