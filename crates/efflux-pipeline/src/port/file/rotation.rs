//! When a file is full, and what it is called then.

use std::collections::BTreeSet;
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

/// One more than the highest number behind the name; where there is no higher one, the lowest that is
/// free.
fn next_free(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut taken: BTreeSet<u64> = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let other = entry?.file_name();
        let other = other.to_string_lossy();
        let rest = other
            .strip_prefix(&name)
            .and_then(|rest| rest.strip_prefix('.'));
        taken.extend(rest.and_then(|rest| rest.parse::<u64>().ok()));
    }
    let highest = taken.last().copied().unwrap_or(0);
    let next = highest
        .checked_add(1)
        .or_else(|| (1..highest).find(|number| !taken.contains(number)));
    let next = next.ok_or_else(|| io::Error::other("no number is free behind its name"))?;
    Ok(folder.join(format!("{name}.{next}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_the_number_behind_all_others_and_never_the_name_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["all", "all.1", "all.7", "all.x", "all.18446744073709551616"] {
            fs::write(path(name), name).unwrap();
        }
        assert_eq!(next_free(&path("all")).unwrap(), path("all.8"));
        fs::write(path("all.18446744073709551615"), "hostile").unwrap();
        set_aside(&path("all")).unwrap();
        assert_eq!(fs::read_to_string(path("all.2")).unwrap(), "all");
    }
}
