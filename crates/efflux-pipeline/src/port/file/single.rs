//! Files that hold one message each.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::FilePortSettings;
use super::fault::fault;
use super::place::{OWN, beneath, checked};
use super::record::{make_folders, sync_folder_of};
use crate::derived_id::derived_id;
use crate::parcel::Parcel;
use crate::port::Failed;
use crate::stage_error::StageError;

/// Writes each message into a file of its own, which is there whole or not at all.
pub(super) fn deliver(settings: &FilePortSettings, parcels: &[Parcel]) -> Result<(), Failed> {
    let mut failed: Vec<(usize, StageError)> = Vec::new();
    let mut written: BTreeSet<PathBuf> = BTreeSet::new();
    for (at, parcel) in parcels.iter().enumerate() {
        let path = settings.path.render(parcel).and_then(checked);
        match path.and_then(|path| write(settings, &path, parcel)) {
            Ok(path) => {
                written.insert(path);
            }
            Err(error @ StageError::Rejected(_)) => failed.push((at, error)),
            Err(error) if written.is_empty() && failed.is_empty() => return Err(error.into()),
            Err(error) => {
                // What is wrong with the disk is so for those behind it too.
                let reason = error.reason();
                failed.push((at, error));
                let behind = at + 1..parcels.len();
                failed.extend(behind.map(|at| (at, StageError::untried(reason.clone()))));
                break;
            }
        }
    }
    let folders: BTreeSet<_> = written.iter().filter_map(|path| path.parent()).collect();
    for folder in folders {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| fault(folder, &error))?;
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failed::Parts(failed)),
    }
}

fn write(settings: &FilePortSettings, name: &str, parcel: &Parcel) -> Result<PathBuf, StageError> {
    let content = parcel.content()?;
    let path = beneath(&settings.folder, name)?;
    let at = |error| fault(&path, &error);
    make_folders(&settings.folder, name).map_err(at)?;
    if is_delivered(&path, &content)? {
        return Ok(path);
    }
    let beside = path.with_file_name(format!("{OWN}-{}.tmp", derived_id(&[name.as_bytes()])));
    let draft = draft(&beside).map_err(at)?;
    let placed = match is_delivered(&path, &content) {
        Ok(false) => place(&draft, &beside, &path, &content).map_err(at),
        // Somebody else was quicker.
        other => other.map(drop),
    };
    // Nothing torn is left. If it cannot be removed, the next one writes over it.
    let _ = fs::remove_file(&beside);
    placed.map(|()| path)
}

/// Whether the file is there with this content, durably.
///
/// # Errors
/// `Rejected` when it is there with another one.
fn is_delivered(path: &Path, content: &[u8]) -> Result<bool, StageError> {
    match is_there(path, content) {
        Ok(false) => Ok(false),
        // A crash before the sync may have come after the name: it is synced once more.
        Ok(true) => {
            let synced = File::open(path).and_then(|file| file.sync_all());
            synced.map_err(|error| fault(path, &error))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(StageError::rejected(
            format!("{} is there with another content", path.display()),
        )),
        Err(error) => Err(fault(path, &error)),
    }
}

/// The file to write to, which nobody else does meanwhile: a delivery that was given up goes on, and
/// two processes may deliver the same message.
///
/// # Errors
/// `WouldBlock` when somebody else does.
fn draft(beside: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let draft = options.create(true).append(true).open(beside)?;
    match draft.try_lock() {
        Ok(()) => (),
        Err(TryLockError::WouldBlock) => return Err(is_written()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // It may have got its final name before it was locked here: then it is to stay as it is.
    let number = |found: fs::Metadata| (found.dev(), found.ino());
    let named = fs::symlink_metadata(beside).map(number);
    match named.is_ok_and(|named| draft.metadata().is_ok_and(|own| number(own) == named)) {
        true => Ok(draft),
        false => Err(is_written()),
    }
}

fn is_written() -> io::Error {
    let told = "another delivery writes it at this moment";
    io::Error::new(ErrorKind::WouldBlock, told)
}

fn place(mut draft: &File, beside: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    draft.set_len(0)?;
    draft.write_all(content)?;
    draft.sync_all()?;
    fs::rename(beside, path)?;
    sync_folder_of(path)
}

/// Whether the file is there with this content.
///
/// # Errors
/// `AlreadyExists` when it is there with another one.
fn is_there(path: &Path, content: &[u8]) -> io::Result<bool> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if !found.is_file() {
        return Err(ErrorKind::IsADirectory.into());
    }
    match found.len() == content.len() as u64 && fs::read(path)? == content {
        true => Ok(true),
        false => Err(ErrorKind::AlreadyExists.into()),
    }
}
