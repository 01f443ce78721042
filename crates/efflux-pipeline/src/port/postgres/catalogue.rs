//! What the server's catalogue tells of a table.

use super::connection::Connection;
use super::fault::fault;
use super::fit::Fit;
use crate::port::table::{TableName, did_you_mean};
use crate::stage_error::StageError;

/// A column that can be written.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// The type as it stands in a cast, without its length, so that nothing is cut off.
    pub(super) cast: String,
    /// What fits, as far as it is known here.
    pub(super) fit: Fit,
}

/// The columns that can be written, and the table with the schema that it was found in.
pub(super) async fn columns(
    connection: &Connection,
    table: &TableName,
) -> Result<(TableName, Vec<Column>), StageError> {
    let sql = table.sql();
    let found = connection
        .query_opt(
            "SELECT n.nspname::text, c.relname::text FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1::text)",
            &[&sql],
        )
        .await
        .map_err(|error| fault(&error))?;
    let Some(found) = found else {
        return Err(missing(connection, table).await);
    };
    let found = TableName {
        schema: Some(found.get(0)),
        name: found.get(1),
    };
    let rows = connection
        .query(
            "SELECT a.attname::text, format_type(a.atttypid, -1), t.typname::text, \
             t.typcategory::text, a.atttypmod FROM pg_attribute a \
             JOIN pg_type t ON t.oid = a.atttypid \
             WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped \
             AND a.attgenerated = '' AND a.attidentity <> 'a' ORDER BY a.attnum",
            &[&sql],
        )
        .await
        .map_err(|error| fault(&error))?;
    let columns = rows.iter().map(|row| {
        let (kind, category): (&str, &str) = (row.get(2), row.get(3));
        Column {
            name: row.get(0),
            cast: row.get(1),
            fit: Fit::of(kind, category, row.get(4)),
        }
    });
    Ok((found, columns.collect()))
}

/// The table is not there: says which is.
async fn missing(connection: &Connection, table: &TableName) -> StageError {
    let others = connection
        .query(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname = coalesce($1::text, \
             current_schema()) LIMIT 1000",
            &[&table.schema],
        )
        .await;
    let others = match others {
        Ok(others) => others,
        Err(error) => return fault(&error),
    };
    let names: Vec<&str> = others.iter().map(|row| row.get(0)).collect();
    let near = did_you_mean(&table.name, names);
    StageError::fatal(format!("there is no table {table}{near}"))
}
