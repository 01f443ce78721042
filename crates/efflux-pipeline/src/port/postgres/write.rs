//! How a batch is written: at once, and when the server refuses it, by halves.

use tokio_postgres::types::ToSql;

use super::copying::Copying;
use super::fault::{Fault, fault};
use super::session::Session;
use crate::limits::REFUSED_ROWS_MAX;
use crate::port::table::{Before, Row, WriteMode};
use crate::port::{Batch, Failed};
use crate::stage_error::StageError;

type Values = Vec<Option<String>>;

/// Rows that have the same columns, one behind the other.
#[derive(Debug)]
struct Run {
    columns: Vec<usize>,
    /// Places in the batch, and the values.
    rows: Vec<(usize, Values)>,
}

impl Session {
    pub(super) async fn deliver(&mut self, batch: Batch<'_>, before: Before) -> Result<(), Failed> {
        if !self.begin(batch, before).await? {
            return Ok(());
        }
        let refused = match self.write_batch(batch).await {
            Ok(refused) => refused,
            Err(Fault::Other(error)) => return Err(error.into()),
            Err(Fault::Row(_)) => {
                self.end("ROLLBACK").await?;
                if !self.begin(batch, before).await? {
                    return Ok(());
                }
                let (runs, mut refused) = self.runs(batch);
                refused.extend(self.search(&runs).await?);
                refused.sort_by_key(|(at, _)| *at);
                refused
            }
        };
        if refused.is_empty() {
            return Ok(self.end("COMMIT").await?);
        }
        self.end("ROLLBACK").await?;
        Err(Failed::Refused(refused))
    }

    /// Writes a batch at once. Answers which messages can be no row.
    async fn write_batch(&mut self, batch: Batch<'_>) -> Result<Vec<(usize, StageError)>, Fault> {
        if self.mode != WriteMode::Copy {
            let (runs, refused) = self.runs(batch);
            for run in &runs {
                self.insert(&run.columns, &run.rows).await?;
            }
            return Ok(refused);
        }
        let mut refused = Vec::new();
        let mut under_way: Option<Copying> = None;
        for (at, parcel) in batch.parcels.iter().enumerate() {
            let row = self.mapping.row(parcel).and_then(|row| self.fitted(row));
            let (columns, values) = match row {
                Ok(row) => row,
                Err(error) => {
                    refused.push((at, error));
                    continue;
                }
            };
            let mut copying = match under_way.take() {
                Some(copying) if copying.columns == columns => copying,
                other => {
                    if let Some(other) = other {
                        other.end(self).await?;
                    }
                    Copying::begin(self, columns).await?
                }
            };
            copying.add(&values).await?;
            under_way = Some(copying);
        }
        if let Some(copying) = under_way {
            copying.end(self).await?;
        }
        Ok(refused)
    }

    /// Begins a transaction and moves the position in it. Answers whether anything is left to do.
    async fn begin(&mut self, batch: Batch<'_>, before: Before) -> Result<bool, StageError> {
        // A constraint that waited for the commit would not tell which row it refuses.
        self.end("BEGIN; SET CONSTRAINTS ALL IMMEDIATE").await?;
        let Some(advance) = batch.position else {
            return Ok(true);
        };
        let has_moved = self.moves(advance, before).await?;
        if !has_moved {
            self.end("ROLLBACK").await?;
        }
        Ok(has_moved)
    }

    async fn end(&self, sql: &str) -> Result<(), StageError> {
        let done = self.connection.batch_execute(sql).await;
        done.map_err(|error| fault(&error))
    }

    /// The rows of a batch, and the messages that are none.
    fn runs(&self, batch: Batch<'_>) -> (Vec<Run>, Vec<(usize, StageError)>) {
        let mut refused = Vec::new();
        let mut runs: Vec<Run> = Vec::new();
        for (at, parcel) in batch.parcels.iter().enumerate() {
            match self.mapping.row(parcel).and_then(|row| self.fitted(row)) {
                Err(error) => refused.push((at, error)),
                Ok((columns, values)) => match runs.last_mut() {
                    Some(run) if run.columns == columns => run.rows.push((at, values)),
                    _ => runs.push(Run {
                        columns,
                        rows: vec![(at, values)],
                    }),
                },
            }
        }
        (runs, refused)
    }

    fn fitted(&self, row: Row) -> Result<(Vec<usize>, Values), StageError> {
        let mut columns = Vec::with_capacity(row.len());
        let mut values = Values::with_capacity(row.len());
        for (at, cell) in row {
            let Some(column) = self.columns.get(at) else {
                continue;
            };
            values.push(column.fit.text(cell).map_err(|why| {
                StageError::rejected(format!("the column {:?}: {why}", column.name))
            })?);
            columns.push(at);
        }
        if let Some(at) = self.key.iter().find(|at| !columns.contains(at)) {
            let name = self.columns.get(*at).map_or("", |column| &column.name);
            let told = format!("the message has no value for {name:?}, which is of the key");
            return Err(StageError::rejected(told));
        }
        Ok((columns, values))
    }

    /// Finds the rows that the server refuses, by halves. The others are written meanwhile: a row may
    /// need one before it.
    async fn search(&mut self, runs: &[Run]) -> Result<Vec<(usize, StageError)>, StageError> {
        let mut refused = Vec::new();
        for run in runs {
            let mut parts = vec![run.rows.as_slice()];
            while let Some(part) = parts.pop() {
                if refused.len() >= REFUSED_ROWS_MAX {
                    return Ok(refused);
                }
                self.end("SAVEPOINT efflux").await?;
                match self.write(&run.columns, part).await {
                    Ok(()) => self.end("RELEASE efflux").await?,
                    Err(Fault::Other(error)) => return Err(error),
                    Err(Fault::Row(told)) => {
                        self.end("ROLLBACK TO efflux; RELEASE efflux").await?;
                        match part {
                            [(at, _)] => refused.push((*at, StageError::rejected(told))),
                            _ => {
                                let (first, behind) = part.split_at(part.len() / 2);
                                parts.push(behind);
                                parts.push(first);
                            }
                        }
                    }
                }
            }
        }
        Ok(refused)
    }

    async fn write(&mut self, columns: &[usize], rows: &[(usize, Values)]) -> Result<(), Fault> {
        match self.mode {
            WriteMode::Copy => self.copy(columns, rows).await,
            WriteMode::Insert | WriteMode::Upsert => self.insert(columns, rows).await,
        }
    }

    async fn insert(&mut self, columns: &[usize], rows: &[(usize, Values)]) -> Result<(), Fault> {
        let statement = self.prepared(columns, |it| it.insert()).await?;
        let arrays: Vec<Vec<Option<&str>>> = (0..columns.len())
            .map(|at| {
                let values = rows.iter().map(|(_, values)| values.get(at));
                values.map(|value| value?.as_deref()).collect()
            })
            .collect();
        let parameters: Vec<&(dyn ToSql + Sync)> = arrays
            .iter()
            .map(|array| array as &(dyn ToSql + Sync))
            .collect();
        self.connection.execute(&statement, &parameters).await?;
        Ok(())
    }

    async fn copy(&mut self, columns: &[usize], rows: &[(usize, Values)]) -> Result<(), Fault> {
        let mut copying = Copying::begin(self, columns.to_vec()).await?;
        for (_, values) in rows {
            copying.add(values).await?;
        }
        copying.end(self).await
    }
}
