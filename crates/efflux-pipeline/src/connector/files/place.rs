//! The folder as it is open.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
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
        let lock = lock(&root, &disposal, settings)?;
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

    /// Opens the folder for files that are done again, if somebody took it away.
    pub(super) fn reopen_disposal(&mut self, settings: &FilesSettings) -> Result<(), StageError> {
        if !self.disposal.is_there() {
            self.disposal = Disposal::open(settings, &self.root)?;
        }
        Ok(())
    }

    /// Whether a path in the folder may be taken at all, whatever it is.
    pub(super) fn may_take(&self, settings: &FilesSettings, relative: &Path) -> bool {
        settings.may_take(relative) && !self.disposal.holds(&self.root, relative)
    }
}

/// Takes the lock of who takes these files from this folder. It falls with the process.
fn lock(root: &Root, disposal: &Disposal, settings: &FilesSettings) -> Result<File, StageError> {
    // Who reaches the folder by another path must meet the same lock. The marks of several folders
    // may lie in one.
    let mut parts = match disposal {
        Disposal::Keep(_) => vec![root.path().as_os_str().as_encoded_bytes()],
        Disposal::Move(_) | Disposal::Delete | Disposal::Mark => Vec::new(),
    };
    parts.extend(settings.patterns.iter().map(String::as_bytes));
    let path = disposal
        .lock_folder(root)
        .join(format!(".efflux-{}.lock", derived_id(&parts)));
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o644))
        .map_err(|error| StageError::unavailable(told(&error)))?;
    let file = File::from(file);
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StageError::unavailable(format!(
            "another pipeline takes the same files from {}",
            settings.folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(StageError::unavailable(told(&error))),
    }
}
