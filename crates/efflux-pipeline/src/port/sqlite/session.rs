//! An open database, and what is written to it.

use rusqlite::types::Value;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::SqlitePortSettings;
use super::affinity::Affinity;
use super::fault::{fault, fault_of_row};
use crate::limits::STATEMENTS_MAX;
use crate::parcel::Parcel;
use crate::port::table::{
    Before, Mapping, POSITION_TABLE, Row, TableName, WriteMode, did_you_mean, elsewhere,
    no_such_column, quoted,
};
use crate::port::{Advance, Failed, Reader};
use crate::stage_error::StageError;

/// An open database, with what is known of the table.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    reader: Reader,
    table: TableName,
    columns: Vec<Column>,
    mapping: Mapping,
    mode: WriteMode,
    /// Places of the key's columns.
    key: Vec<usize>,
}

#[derive(Debug)]
struct Column {
    name: String,
    affinity: Affinity,
}

impl Session {
    pub(super) fn open(
        settings: &SqlitePortSettings,
        table: &TableName,
        reader: &Reader,
    ) -> Result<Self, StageError> {
        let path = &settings.path;
        if !path.is_file() {
            let told = format!("there is no database {}: make it first", path.display());
            return Err(StageError::fatal(told));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| fault(&error))?;
        connection
            .busy_timeout(settings.timeout.0)
            .map_err(|error| fault(&error))?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            )
            .map_err(|error| fault(&error))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let columns = columns(&connection, table)?;
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
            key,
            mapping,
            columns,
            mode: settings.mode,
            table: table.clone(),
            reader: reader.clone(),
            connection,
        };
        session.look()?;
        Ok(session)
    }

    /// Makes the table of positions, and looks whether rows can be written as the settings say.
    fn look(&self) -> Result<(), StageError> {
        let positions = self.positions();
        self.connection
            .execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS {positions} (pipeline TEXT NOT NULL, source TEXT NOT \
                 NULL, sequence INTEGER, PRIMARY KEY (pipeline, source))"
            ))
            .map_err(|error| fault(&error))?;
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let prepared = self.connection.prepare_cached(&self.statement(&all));
        prepared.map_err(|error| {
            StageError::fatal(format!("no row can be written to {}: {error}", self.table))
        })?;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn execute(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    fn positions(&self) -> String {
        self.table.beside(POSITION_TABLE).sql()
    }

    /// The sequence that is kept.
    pub(super) fn position(&self) -> Result<Option<u64>, StageError> {
        position(&self.connection, &self.positions(), &self.reader)
    }

    pub(super) fn deliver(
        &mut self,
        parcels: &[Parcel],
        advance: Option<Advance>,
        before: Before,
    ) -> Result<(), Failed> {
        let mut refused = Vec::new();
        let mut rows = Vec::with_capacity(parcels.len());
        for (at, parcel) in parcels.iter().enumerate() {
            match self.mapping.row(parcel).and_then(|row| self.fitted(row)) {
                Ok(row) => rows.push((at, row)),
                Err(error) => refused.push((at, error)),
            }
        }
        let begun = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(|error| fault(&error))?;
        if let Some(advance) = advance
            && !self.moves(&transaction, advance, before)?
        {
            return Ok(());
        }
        for (at, row) in rows {
            let mut statement = transaction
                .prepare_cached(&self.statement(&row.columns))
                .map_err(|error| fault(&error))?;
            if let Err(error) = statement.execute(rusqlite::params_from_iter(row.values)) {
                refused.push((at, fault_of_row(&error)?));
            }
        }
        if !refused.is_empty() {
            refused.sort_by_key(|(at, _)| *at);
            return Err(Failed::Refused(refused));
        }
        match transaction.commit().map_err(|error| fault_of_row(&error)) {
            Ok(()) => Ok(()),
            // A constraint that is looked at when the transaction ends: SQLite does not tell the row.
            Err(Ok(error)) if parcels.len() == 1 => Err(Failed::Refused(vec![(0, error)])),
            Err(Ok(error) | Err(error)) => Err(error.into()),
        }
    }

    /// Moves the position. Answers whether there is anything left to do.
    fn moves(
        &self,
        transaction: &Transaction<'_>,
        advance: Advance,
        before: Before,
    ) -> Result<bool, StageError> {
        let positions = self.positions();
        let found = position(transaction, &positions, &self.reader)?;
        if before.is_settled(advance, found) {
            return Ok(false);
        }
        if found != advance.from {
            return Err(elsewhere(self.reader.pipeline.as_str(), advance, found));
        }
        let to = i64::try_from(advance.to).map_err(StageError::fatal)?;
        transaction
            .execute(
                &format!(
                    "INSERT INTO {positions} (pipeline, source, sequence) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (pipeline, source) DO UPDATE SET sequence = excluded.sequence"
                ),
                params![self.reader.pipeline.as_str(), self.reader.source, to],
            )
            .map_err(|error| fault(&error))?;
        Ok(true)
    }

    /// The row's values as the columns take them.
    fn fitted(&self, row: Row) -> Result<Fitted, StageError> {
        let mut fitted = Fitted::default();
        for (at, cell) in row {
            let Some(column) = self.columns.get(at) else {
                continue;
            };
            let value = column.affinity.fit(&cell).map_err(|why| {
                StageError::rejected(format!("the column {:?}: {why}", column.name))
            })?;
            fitted.columns.push(at);
            fitted.values.push(value);
        }
        if let Some(at) = self.key.iter().find(|at| !fitted.columns.contains(at)) {
            let name = self.columns.get(*at).map_or("", |column| &column.name);
            let told = format!("the message has no value for {name:?}, which is of the key");
            return Err(StageError::rejected(told));
        }
        Ok(fitted)
    }

    fn statement(&self, columns: &[usize]) -> String {
        let names = |places: &[usize]| -> Vec<String> {
            let columns = places.iter().filter_map(|at| self.columns.get(*at));
            columns.map(|column| quoted(&column.name)).collect()
        };
        let places: Vec<_> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
        let conflict = match (self.mode, self.key.is_empty()) {
            (_, true) => String::new(),
            (WriteMode::Insert, false) => {
                format!(" ON CONFLICT ({}) DO NOTHING", names(&self.key).join(", "))
            }
            (WriteMode::Upsert | WriteMode::Copy, false) => {
                let others: Vec<usize> = columns
                    .iter()
                    .copied()
                    .filter(|at| !self.key.contains(at))
                    .collect();
                let sets = names(&others).into_iter();
                let sets: Vec<_> = sets
                    .map(|name| format!("{name} = excluded.{name}"))
                    .collect();
                let then = match sets.is_empty() {
                    true => "NOTHING".to_owned(),
                    false => format!("UPDATE SET {}", sets.join(", ")),
                };
                format!(" ON CONFLICT ({}) DO {then}", names(&self.key).join(", "))
            }
        };
        format!(
            "INSERT INTO {} ({}) VALUES ({}){conflict}",
            self.table.sql(),
            names(columns).join(", "),
            places.join(", ")
        )
    }
}

/// A row as it is written.
#[derive(Debug, Default)]
struct Fitted {
    columns: Vec<usize>,
    values: Vec<Value>,
}

fn position(
    connection: &Connection,
    positions: &str,
    reader: &Reader,
) -> Result<Option<u64>, StageError> {
    let query = format!("SELECT sequence FROM {positions} WHERE pipeline = ?1 AND source = ?2");
    let found: Option<Option<i64>> = connection
        .query_row(
            &query,
            params![reader.pipeline.as_str(), reader.source],
            |row| row.get(0),
        )
        .optional()
        .map_err(|error| fault(&error))?;
    found
        .flatten()
        .map(|sequence| u64::try_from(sequence).map_err(StageError::fatal))
        .transpose()
}

/// The columns that can be written.
fn columns(connection: &Connection, table: &TableName) -> Result<Vec<Column>, StageError> {
    let schema = table.schema.as_deref().unwrap_or("main");
    // Hidden is 0 for columns that can be written; others are generated, or of virtual tables.
    let mut statement = connection
        .prepare("SELECT name, type FROM pragma_table_xinfo(?1, ?2) WHERE hidden = 0")
        .map_err(|error| fault(&error))?;
    let columns = statement
        .query_map(params![table.name, schema], |row| {
            let declared: String = row.get(1)?;
            Ok(Column {
                name: row.get(0)?,
                affinity: Affinity::of(&declared),
            })
        })
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(&error))?;
    if columns.is_empty() {
        let mut statement = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")
            .map_err(|error| fault(&error))?;
        let names = statement
            .query_map([], |row| row.get(0))
            .and_then(Iterator::collect::<Result<Vec<String>, _>>)
            .map_err(|error| fault(&error))?;
        let near = did_you_mean(&table.name, names.iter().map(String::as_str));
        return Err(StageError::fatal(format!(
            "there is no table {table}{near}"
        )));
    }
    Ok(columns)
}
