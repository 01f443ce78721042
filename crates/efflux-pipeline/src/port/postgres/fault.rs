//! What PostgreSQL's errors mean for the pipeline.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::stage_error::StageError;

/// Why a statement failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// Because of a row, of which the server need not say which.
    Row(String),
    /// Because of something that concerns no row.
    Other(StageError),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            Some(told) if is_of_a_row(told.code().code()) => Self::Row(text(told)),
            _ => Self::Other(fault(&error)),
        }
    }
}

/// What follows from an error that concerns no row.
pub(super) fn fault(error: &Error) -> StageError {
    let Some(told) = error.as_db_error() else {
        return StageError::unavailable(format!("PostgreSQL: {}", chain(error)));
    };
    match is_for_later(told.code().code()) {
        true => StageError::unavailable(text(told)),
        false => StageError::fatal(text(told)),
    }
}

/// What follows from an error while connecting.
pub(super) fn fault_of_connecting(error: &Error) -> StageError {
    if error.as_db_error().is_some() {
        return fault(error);
    }
    let told = format!("PostgreSQL: {}", chain(error));
    match chain(error).contains("certificate") || error.to_string().starts_with("authentication") {
        true => StageError::fatal(told),
        false => StageError::unavailable(told),
    }
}

/// SQLSTATEs that lie with the data of a row: data exceptions, violated constraints, two rows of a
/// statement that are one, a condition that a trigger raised, a view's check, a row that is too large.
fn is_of_a_row(code: &str) -> bool {
    code.starts_with("22")
        || code.starts_with("23")
        || code.starts_with("54")
        || matches!(code, "21000" | "44000" | "P0001")
}

/// SQLSTATEs that pass: lost connections, deadlocks and serialization, resources (a full disk, too
/// many connections), an administrator, a lock that is held, a standby that was asked to write.
fn is_for_later(code: &str) -> bool {
    ["08", "40", "53", "57", "58", "XX"]
        .iter()
        .any(|class| code.starts_with(class))
        || matches!(code, "55P03" | "55006" | "25006" | "25P03")
}

fn text(told: &DbError) -> String {
    let mut text = format!("PostgreSQL: {}", told.message());
    if let Some(detail) = told.detail() {
        text.push_str(": ");
        text.push_str(detail);
    }
    if let Some(column) = told.column() {
        text.push_str(&format!(" (column {column:?})"));
    }
    format!("{text} [{}]", told.code().code())
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_apart_by_what_follows() {
        for code in ["22P02", "23505", "22003", "P0001", "54000"] {
            assert!(is_of_a_row(code) && !is_for_later(code), "{code}");
        }
        for code in [
            "08006", "40001", "40P01", "53100", "53300", "57P01", "57014",
        ] {
            assert!(is_for_later(code) && !is_of_a_row(code), "{code}");
        }
        for code in ["28P01", "3D000", "42501", "42P01"] {
            assert!(!is_for_later(code) && !is_of_a_row(code), "{code}");
        }
    }
}
