//! What is kept of a pipeline that appends to files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How far the pipeline has come, and how long its files are there. It is one small file, replaced
/// as a whole: what it says is so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The last sequence that is done of each topic that the pipeline reads, or read: its own, and
    /// that of its dead letters.
    pub(super) positions: BTreeMap<String, u64>,
    /// The files that may have a tail to cut off, by their path beneath the folder.
    pub(super) files: BTreeMap<String, Length>,
}

/// How long a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Length {
    pub(super) bytes: u64,
    /// When it was begun, in nanoseconds since 1970.
    pub(super) begun: i64,
}

impl Record {
    /// What was stored; a beginning when nothing was.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Replaces what was stored, durably.
    pub(super) fn store(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("tmp");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder_of(path)
    }
}

/// Makes the names in a path's folder durable.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Makes the folders on the way to a file, durably.
pub(super) fn make_folders(base: &Path, path: &str) -> io::Result<()> {
    let Some((folders, _)) = path.rsplit_once('/') else {
        return Ok(());
    };
    let mut folder = base.to_owned();
    for name in folders.split('/') {
        folder.push(name);
        match fs::create_dir(&folder) {
            Ok(()) => sync_folder_of(&folder)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => (),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(ErrorKind::NotADirectory.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
