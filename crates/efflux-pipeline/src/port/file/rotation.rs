//! When a file is full, and what it is called then.

use std::path::{Path, PathBuf};
use std::{fs, io};

use efflux_storage::particle::Timestamp;

use super::FilePortSettings;
use super::record::{Length, sync_folder_of};

/// Whether a file takes no more messages.
pub(super) fn is_full(settings: &FilePortSettings, length: Length, now: Timestamp) -> bool {
    if length.bytes == 0 {
        return false;
    }
    let age = now.since(Timestamp::from_nanos(length.begun));
    settings
        .rotate_bytes
        .is_some_and(|max| length.bytes >= max.0)
        || settings.rotate_after.is_some_and(|max| age >= max.0)
}

/// Gives a file the next number that is free behind its name.
pub(super) fn set_aside(path: &Path) -> io::Result<()> {
    fs::rename(path, next_free(path)?)?;
    sync_folder_of(path)
}

/// One more than the highest number behind the name.
fn next_free(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut highest = 0_u64;
    for entry in fs::read_dir(folder)? {
        let other = entry?.file_name();
        let number = other
            .to_string_lossy()
            .strip_prefix(&name)
            .and_then(|rest| rest.strip_prefix('.')?.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(folder.join(format!("{name}.{}", highest + 1)))
}
