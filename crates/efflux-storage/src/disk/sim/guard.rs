//! A disk without one of the guards that a store relies on: crash tests must fail on it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile, LockGuard};

/// Bytes of a whole new HEAD file; its records are shorter.
const HEAD_FILE_BYTES: usize = 1024;
/// Bytes of a mark of what is durable in a consumer's journal; a new journal has its marks already.
const MARK_BYTES: usize = 20;
/// What lies in the folder of this name is kept of consumers.
const CONSUMERS: &str = "consumers";

/// A guard against the loss of what was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Syncing files before anything is acknowledged.
    Sync,
    /// Syncing folders after names changed.
    FolderSync,
    /// Acknowledging after the sync, not before it: each sync is only done with the next one.
    LateAcknowledgement,
    /// Taking a failed sync for a failure.
    SyncError,
    /// Taking a failed sync for a failure, instead of trying again until it succeeds.
    NoRetriedSync,
    /// The record of where the chain or a journal stands: it is only written when those are made.
    Head,
    /// The lock that keeps a second writer out.
    Lock,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Sync,
        Self::FolderSync,
        Self::LateAcknowledgement,
        Self::SyncError,
        Self::NoRetriedSync,
        Self::Head,
        Self::Lock,
    ];
}

/// A disk without one of the guards.
#[derive(Debug)]
pub struct Without {
    guard: Guard,
    /// Whether the guard is only missing where something is kept of consumers.
    is_of_consumers: bool,
    disk: Arc<dyn Disk>,
    /// The sync that was acknowledged and is still to be done.
    due: Arc<Mutex<Option<Arc<dyn DiskFile>>>>,
}

impl Without {
    /// That disk without that guard.
    #[must_use]
    pub fn new(guard: Guard, disk: Arc<dyn Disk>) -> Self {
        Self {
            guard,
            is_of_consumers: false,
            disk,
            due: Arc::default(),
        }
    }

    /// That disk without that guard where something is kept of consumers, and nowhere else.
    #[must_use]
    pub fn new_for_consumers(guard: Guard, disk: Arc<dyn Disk>) -> Self {
        Self {
            is_of_consumers: true,
            ..Self::new(guard, disk)
        }
    }

    /// The guard that is missing at this place.
    fn missing_at(&self, path: &Path) -> Option<Guard> {
        let is_here = !self.is_of_consumers || path.iter().any(|part| part == CONSUMERS);
        is_here.then_some(self.guard)
    }

    fn wrap(&self, path: &Path, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let Some(guard) = self.missing_at(path) else {
            return file;
        };
        Arc::new(UnguardedFile {
            guard,
            is_head: path.ends_with("HEAD"),
            is_journal: path.iter().any(|part| part == CONSUMERS),
            file,
            due: Arc::clone(&self.due),
        })
    }
}

#[derive(Debug)]
struct NoLock;

impl LockGuard for NoLock {}

#[deny(clippy::missing_trait_methods)]
impl Disk for Without {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(path, self.disk.open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(path, self.disk.create(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_folder(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.create_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        match self.missing_at(path) {
            Some(Guard::FolderSync) => Ok(()),
            _ => self.disk.sync_folder(path),
        }
    }

    fn exists(&self, path: &Path) -> bool {
        self.disk.exists(path)
    }

    fn lock(&self, path: &Path, note: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        match self.guard {
            Guard::Lock => Ok(Some(Box::new(NoLock))),
            _ => self.disk.lock(path, note),
        }
    }

    fn room(&self, folder: &Path) -> io::Result<u64> {
        self.disk.room(folder)
    }

    fn boot(&self) -> Option<[u8; 16]> {
        self.disk.boot()
    }

    fn real_path(&self, path: &Path) -> Option<PathBuf> {
        self.disk.real_path(path)
    }
}

#[derive(Debug)]
struct UnguardedFile {
    guard: Guard,
    is_head: bool,
    is_journal: bool,
    file: Arc<dyn DiskFile>,
    due: Arc<Mutex<Option<Arc<dyn DiskFile>>>>,
}

#[deny(clippy::missing_trait_methods)]
impl DiskFile for UnguardedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let is_record = self.is_head && bytes.len() < HEAD_FILE_BYTES;
        let is_mark = self.is_journal && bytes.len() == MARK_BYTES;
        if self.guard == Guard::Head && (is_record || is_mark) {
            return Ok(());
        }
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        match self.guard {
            Guard::Sync => Ok(()),
            Guard::LateAcknowledgement => {
                let due = self.due.lock().replace(Arc::clone(&self.file));
                due.map_or(Ok(()), |due| due.sync())
            }
            Guard::SyncError => self.file.sync().or(Ok(())),
            Guard::NoRetriedSync => self.file.sync().or_else(|_| self.file.sync()),
            _ => self.file.sync(),
        }
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn is_empty(&self) -> io::Result<bool> {
        self.file.is_empty()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
}
