//! The folder as it is open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;

use super::disposal::Disposal;
use super::root::Root;
use super::settings::FilesSettings;
use super::watch::Watch;
use crate::derived_id::derived_id;
use crate::stage_error::StageError;

/// The folder as it is open: this process alone takes files from it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) root: Root,
    pub(super) disposal: Disposal,
    pub(super) watch: Option<Watch>,
    _lock: File,
}

impl Place {
    /// Opens the folder. One that is not there is `Fatal`, unless it was there before.
    pub(super) fn open(
        settings: &FilesSettings,
        was_there: bool,
        wake: &Arc<Notify>,
    ) -> Result<Self, StageError> {
        let root = Root::open(&settings.folder).map_err(|error| {
            let told = format!("the folder {}: {error}", settings.folder.display());
            match was_there {
                true => StageError::unavailable(told),
                false => StageError::fatal(told),
            }
        })?;
        let disposal = Disposal::open(settings, &root)?;
        let lock = lock(disposal.lock_folder(&root), settings)?;
        let watch = settings
            .watch
            .then(|| Watch::begin(root.path(), settings.recursive, Arc::clone(wake)));
        let watch = match watch {
            Some(Err(error)) => {
                tracing::warn!(
                    folder = %root.path().display(),
                    %error,
                    "the platform tells of no files: the folder is looked through from time to time"
                );
                None
            }
            Some(Ok(watch)) => Some(watch),
            None => None,
        };
        Ok(Self {
            root,
            disposal,
            watch,
            _lock: lock,
        })
    }
}

/// Takes the lock of who takes these files from this folder. It falls with the process.
fn lock(folder: &Path, settings: &FilesSettings) -> Result<File, StageError> {
    let mut parts: Vec<&[u8]> = vec![settings.folder.as_os_str().as_encoded_bytes()];
    let is_kept = matches!(settings.done, super::settings::FilesDone::Keep(_));
    if !is_kept {
        // Who reaches the folder by another path must meet the same lock.
        parts.clear();
    }
    parts.extend(settings.patterns.iter().map(String::as_bytes));
    let path = folder.join(format!(".efflux-{}.lock", derived_id(&parts)));
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options
        .open(&path)
        .map_err(|error: io::Error| StageError::unavailable(told(&error)))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StageError::unavailable(format!(
            "another pipeline takes the same files from {}",
            settings.folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(StageError::unavailable(told(&error))),
    }
}
