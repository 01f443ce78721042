//! What an error of the file system means for the pipeline.

use std::io::{Error, ErrorKind};
use std::path::Path;

use crate::stage_error::StageError;

/// What follows from an error at a path.
pub(super) fn fault(path: &Path, error: &Error) -> StageError {
    let told = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::InvalidFilename | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            StageError::rejected(told)
        }
        ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::ReadOnlyFilesystem => {
            StageError::fatal(told)
        }
        // A full disk, a file that may grow no further, a device that failed.
        _ => StageError::unavailable(told),
    }
}
