//! The statements that write rows.

use super::catalogue::Column;
use crate::port::table::{TableName, WriteMode, quoted};

/// The table that a COPY goes to first, where rows have a key.
const STAGED: &str = "efflux_rows";

/// Writes the statements for rows that have some of a table's columns.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub(super) table: &'a TableName,
    /// The columns that the rows have.
    pub(super) columns: Vec<&'a Column>,
    /// The columns of the key.
    pub(super) key: Vec<&'a Column>,
    pub(super) mode: WriteMode,
}

impl Statement<'_> {
    /// Adds rows that are given as one array of texts a column.
    pub(super) fn insert(&self) -> String {
        let (mut arrays, mut values) = (Vec::new(), Vec::new());
        for at in 1..=self.columns.len() {
            arrays.push(format!("${at}::text[]"));
            values.push(format!("v{at}"));
        }
        self.insert_from(&format!(
            "unnest({}) WITH ORDINALITY AS x({}, n)",
            arrays.join(", "),
            values.join(", ")
        ))
    }

    /// Takes rows as the text format of COPY has them: into the table, or first into one of this
    /// transaction.
    pub(super) fn copy(&self) -> String {
        match self.key.is_empty() {
            true => format!("COPY {} ({}) FROM STDIN", self.table.sql(), self.names()),
            false => format!("COPY {STAGED} ({}) FROM STDIN", self.staged_values()),
        }
    }

    /// Makes the table that a COPY goes to first. It is gone with the transaction.
    pub(super) fn stage(&self) -> Option<String> {
        let texts: Vec<_> = (1..=self.columns.len())
            .map(|at| format!("v{at} text"))
            .collect();
        (!self.key.is_empty()).then(|| {
            format!(
                "CREATE TEMPORARY TABLE {STAGED} ({}, n bigint GENERATED ALWAYS AS IDENTITY) \
                 ON COMMIT DROP",
                texts.join(", ")
            )
        })
    }

    /// Adds the rows that were copied there.
    pub(super) fn unstage(&self) -> Option<String> {
        let from = format!("{STAGED} AS x");
        (!self.key.is_empty()).then(|| format!("{}; DROP TABLE {STAGED}", self.insert_from(&from)))
    }

    fn insert_from(&self, from: &str) -> String {
        let casts: Vec<_> = self
            .columns
            .iter()
            .zip(1_usize..)
            .map(|(column, at)| format!("x.v{at}::{}", column.cast))
            .collect();
        let keys: Vec<_> = self
            .columns
            .iter()
            .zip(&casts)
            .filter(|(column, _)| self.key.iter().any(|key| key.name == column.name))
            .map(|(_, cast)| cast.as_str())
            .collect();
        let (distinct, order) = match keys.is_empty() {
            true => (String::new(), "x.n".to_owned()),
            // Of rows with one key in a batch, the last one counts; for `insert` the first one does.
            false => {
                let keys = keys.join(", ");
                let order = match self.mode {
                    WriteMode::Insert => "",
                    WriteMode::Upsert | WriteMode::Copy => " DESC",
                };
                (
                    format!("DISTINCT ON ({keys}) "),
                    format!("{keys}, x.n{order}"),
                )
            }
        };
        format!(
            "INSERT INTO {} ({}) SELECT {distinct}{} FROM {from} ORDER BY {order}{}",
            self.table.sql(),
            self.names(),
            casts.join(", "),
            self.conflict()
        )
    }

    fn conflict(&self) -> String {
        if self.key.is_empty() {
            return String::new();
        }
        let key: Vec<_> = self.key.iter().map(|key| quoted(&key.name)).collect();
        let is_key = |column: &Column| self.key.iter().any(|key| key.name == column.name);
        let sets: Vec<_> = self
            .columns
            .iter()
            .filter(|column| self.mode != WriteMode::Insert && !is_key(column))
            .map(|column| quoted(&column.name))
            .map(|name| format!("{name} = EXCLUDED.{name}"))
            .collect();
        let then = match sets.is_empty() {
            true => "NOTHING".to_owned(),
            false => format!("UPDATE SET {}", sets.join(", ")),
        };
        format!(" ON CONFLICT ({}) DO {then}", key.join(", "))
    }

    fn names(&self) -> String {
        let names = self.columns.iter().map(|column| quoted(&column.name));
        names.collect::<Vec<_>>().join(", ")
    }

    fn staged_values(&self) -> String {
        let values = (1..=self.columns.len()).map(|at| format!("v{at}"));
        values.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::postgres::fit::Fit;

    #[test]
    fn an_upsert_takes_the_last_of_the_rows_with_one_key() {
        let column = |name: &str, cast: &str| Column {
            name: name.to_owned(),
            cast: cast.to_owned(),
            fit: Fit::Other,
        };
        let (id, total) = (column("id", "integer"), column("to\"tal", "numeric"));
        let table: TableName = "sales.orders".parse().unwrap();
        let statement = Statement {
            table: &table,
            columns: vec![&id, &total],
            key: vec![&id],
            mode: WriteMode::Upsert,
        };
        let expect = "INSERT INTO \"sales\".\"orders\" (\"id\", \"to\"\"tal\") SELECT DISTINCT ON \
                      (x.v1::integer) x.v1::integer, x.v2::numeric FROM unnest($1::text[], \
                      $2::text[]) WITH ORDINALITY AS x(v1, v2, n) ORDER BY x.v1::integer, x.n DESC \
                      ON CONFLICT (\"id\") DO UPDATE SET \"to\"\"tal\" = EXCLUDED.\"to\"\"tal\"";
        assert_eq!(statement.insert(), expect);
    }
}
