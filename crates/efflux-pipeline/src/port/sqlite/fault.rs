//! What SQLite's errors mean for the pipeline.

use rusqlite::{Error, ErrorCode};

use crate::stage_error::StageError;

/// What follows from an error that concerns no row.
pub(super) fn fault(error: &Error) -> StageError {
    match code(error) {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted
            | ErrorCode::CannotOpen
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::SchemaChanged,
        ) => StageError::unavailable(format!("SQLite: {error}")),
        _ => StageError::fatal(format!("SQLite: {error}")),
    }
}

/// What follows from an error of one row: none when the row alone is at fault.
pub(super) fn fault_of_row(error: &Error) -> Result<StageError, StageError> {
    match code(error) {
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
            Ok(StageError::rejected(format!("SQLite: {error}")))
        }
        _ => Err(fault(error)),
    }
}

fn code(error: &Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}
