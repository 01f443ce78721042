//! How rows get into a table.

use serde::Deserialize;

/// How rows get into a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// Rows are added. With a `key`, a row whose key is there stays as it is; without one it is
    /// refused where the table has a unique index.
    #[default]
    Insert,
    /// Rows are added, or change the row that has the same `key`.
    Upsert,
    /// As `upsert` with a key and `insert` without one, through PostgreSQL's COPY.
    Copy,
}
