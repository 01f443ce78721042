//! What is done with files that are delivered.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::identity::Identity;
use super::limits::{MARK_BYTES_MAX, SUFFIXED_NAME_BYTES_MAX};
use super::root::Root;
use super::settings::{FilesDone, FilesSettings};
use crate::derived_id::derived_id;
use crate::stage_error::StageError;

/// What is done with files that are delivered.
#[derive(Debug)]
pub(super) enum Disposal {
    Move(Root),
    Delete,
    /// Marks beside the files.
    Mark,
    /// Marks in a folder of their own.
    Keep(Root),
}

/// What became of a file that was to be put away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PutAway {
    Done,
    /// It is another one than was delivered: this.
    Changed(Identity),
}

impl Disposal {
    /// Opens the folder that it needs, and makes it where it is not there.
    pub(super) fn open(settings: &FilesSettings, root: &Root) -> Result<Self, StageError> {
        let Some(folder) = settings.done_folder() else {
            return Ok(match settings.done {
                FilesDone::Delete => Self::Delete,
                _ => Self::Mark,
            });
        };
        let told = |error: io::Error| {
            StageError::fatal(format!(
                "the folder {} for files that are done: {error}",
                folder.display()
            ))
        };
        std::fs::create_dir_all(&folder).map_err(told)?;
        let opened = Root::open(&folder).map_err(told)?;
        if opened.path() == root.path() {
            return Err(StageError::fatal(format!(
                "{} cannot be the folder for files that are done: it is the one they are in",
                folder.display()
            )));
        }
        if matches!(settings.done, FilesDone::Keep(_)) {
            return Ok(Self::Keep(opened));
        }
        match opened.is_beside(root).map_err(told)? {
            true => Ok(Self::Move(opened)),
            false => Err(StageError::fatal(format!(
                "{} is in another file system than {}: a file cannot be moved there in one step",
                folder.display(),
                root.path().display()
            ))),
        }
    }

    /// The folder in which the lock lies.
    pub(super) fn lock_folder<'a>(&'a self, root: &'a Root) -> &'a Path {
        match self {
            Self::Keep(folder) => folder.path(),
            Self::Move(_) | Self::Delete | Self::Mark => root.path(),
        }
    }

    /// Whether a mark says that this version of a file was delivered.
    pub(super) fn is_taken(&self, root: &Root, path: &Path, identity: Identity) -> bool {
        let folder = match self {
            Self::Move(_) | Self::Delete => return false,
            Self::Mark => root,
            Self::Keep(folder) => folder,
        };
        let Ok(Some((file, _))) = folder.file(&suffixed(path, ".taken")) else {
            return false;
        };
        let mut text = String::new();
        let read = file.take(MARK_BYTES_MAX).read_to_string(&mut text);
        read.is_ok() && Identity::read(&text) == Some(identity)
    }

    /// Puts a file away that is delivered.
    pub(super) fn put_away(
        &self,
        root: &Root,
        path: &Path,
        identity: Identity,
        is_refused: bool,
    ) -> io::Result<PutAway> {
        match root.identity(path)? {
            Some(found) if found != identity => return Ok(PutAway::Changed(found)),
            Some(_) => {}
            // Who took it away had no need to wait for us.
            None => return Ok(PutAway::Done),
        }
        let other = match self {
            Self::Move(folder) => {
                let wanted = place_in(folder, path)?;
                root.rename(path, folder, wanted, identity)?.1
            }
            Self::Delete if is_refused => {
                let wanted = suffixed(path, ".refused");
                root.rename(path, root, &wanted, identity)?.1
            }
            Self::Delete => root.remove(path, identity)?,
            Self::Mark => {
                root.write(&suffixed(path, ".taken"), &identity.told())?;
                None
            }
            Self::Keep(folder) => {
                folder.make_folders(path)?;
                folder.write(&suffixed(path, ".taken"), &identity.told())?;
                None
            }
        };
        Ok(other.map_or(PutAway::Done, PutAway::Changed))
    }

    /// The folder of its own that it needs.
    const fn folder(&self) -> Option<&Root> {
        match self {
            Self::Move(folder) | Self::Keep(folder) => Some(folder),
            Self::Delete | Self::Mark => None,
        }
    }

    /// Whether that folder is still what its path names.
    pub(super) fn is_there(&self) -> bool {
        self.folder().is_none_or(Root::is_there)
    }

    /// Whether a path in the folder of files leads to what was put away.
    pub(super) fn holds(&self, root: &Root, relative: &Path) -> bool {
        let within = self
            .folder()
            .and_then(|folder| folder.path().strip_prefix(root.path()).ok());
        within.is_some_and(|within| relative.starts_with(within))
    }
}

/// Where a file is moved to. Where a file has the name that a folder on the way has to have, it goes
/// to the topmost one.
fn place_in<'a>(folder: &Root, path: &'a Path) -> io::Result<&'a Path> {
    match folder.make_folders(path) {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Ok(path.file_name().map_or(path, Path::new))
        }
        Err(error) => Err(error),
    }
}

/// The path with a suffix; one that would be too long is told by a hash in place of its name.
fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let mut suffixed = match name.len() <= SUFFIXED_NAME_BYTES_MAX {
        true => name.to_os_string(),
        false => OsString::from(derived_id(&[name.as_encoded_bytes()]).to_string()),
    };
    suffixed.push(suffix);
    path.with_file_name(suffixed)
}
