//! The folder of a backup: its lock, its manifest, and what a crash left in it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use efflux_flow::particle::TopicName;
use efflux_flow::storage::{Clock, Disk, Error, ErrorKind, LockGuard, RealDisk, Result};

use super::entry::{FRAMES_SUFFIX, TopicEntry};
use super::limits::{FILE_BYTES, FILE_BYTES_MIN, MANIFEST_BYTES_MAX};
use super::manifest::Manifest;
use super::writing::UNFINISHED_SUFFIX;

const MANIFEST_FILE: &str = "MANIFEST.json";
const MANIFEST_BESIDE: &str = "MANIFEST.new";
const LOCK_FILE: &str = "LOCK";
const TOPICS_FOLDER: &str = "topics";

/// A backup: topics in a folder of frames.
///
/// `check` and `restore` write nothing into it; `take` adds to it.
pub struct Backup {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) manifest: Manifest,
    /// Bytes of a file of frames after which the next one is begun.
    pub(super) file_bytes: u64,
    /// Held by who adds to it.
    lock: Option<Box<dyn LockGuard>>,
}

impl Backup {
    /// Opens the backup in this folder to check and restore it.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Invalid` when it is of another version; `Corrupt` when its
    /// manifest is damaged or names what it must not.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_in(folder, Arc::new(RealDisk))
    }

    /// Opens the backup in this folder to add to it, and makes it when it is not there.
    ///
    /// # Errors
    /// As for [`Backup::open`]; `Invalid` when the folder holds something else; `Conflict` when
    /// another process adds to it.
    pub fn open_or_create(folder: &Path) -> Result<Self> {
        Self::open_or_create_in(folder, Arc::new(RealDisk))
    }

    /// As [`Backup::open`], on that disk.
    ///
    /// # Errors
    /// As for [`Backup::open`].
    pub fn open_in(folder: &Path, disk: Arc<dyn Disk>) -> Result<Self> {
        let manifest = load(&*disk, folder)?.ok_or_else(|| {
            let shown = folder.display();
            Error::not_found(format!("there is no backup at {shown}: no {MANIFEST_FILE}"))
        })?;
        Ok(Self {
            disk,
            folder: folder.to_owned(),
            manifest,
            file_bytes: FILE_BYTES,
            lock: None,
        })
    }

    /// As [`Backup::open_or_create`], on that disk.
    ///
    /// # Errors
    /// As for [`Backup::open_or_create`].
    pub fn open_or_create_in(folder: &Path, disk: Arc<dyn Disk>) -> Result<Self> {
        refuse_foreign(&*disk, folder)?;
        let made = disk.create_folder(&folder.join(TOPICS_FOLDER));
        made.map_err(|error| unwritable(folder, error))?;
        let path = folder.join(LOCK_FILE);
        let note = format!("process {}\n", std::process::id());
        let lock = disk.lock(&path, &note);
        let lock = lock.map_err(|error| unwritable(&path, error))?;
        let lock = lock.ok_or_else(|| {
            Error::conflict(format!(
                "another process adds to the backup {}: wait until it has ended",
                folder.display()
            ))
        })?;
        let mut backup = Self {
            manifest: Manifest::default(),
            file_bytes: FILE_BYTES,
            folder: folder.to_owned(),
            disk,
            lock: Some(lock),
        };
        match load(&*backup.disk, folder)? {
            Some(manifest) => backup.manifest = manifest,
            None => {
                backup.write_manifest()?;
                let synced = backup.sync_names();
                synced.map_err(|error| unwritable(folder, error))?;
            }
        }
        backup
            .remove_unfinished()
            .map_err(|error| unwritable(folder, error))?;
        Ok(backup)
    }

    /// Sets the bytes of a file of frames after which the next one is begun, and of all files after
    /// which the manifest is replaced: 256 MiB, at least 1 KiB.
    #[must_use]
    pub fn with_file_bytes(mut self, bytes: u64) -> Self {
        self.file_bytes = bytes.max(FILE_BYTES_MIN);
        self
    }

    /// The topics that it holds, in ascending order.
    pub fn topics(&self) -> impl Iterator<Item = &TopicName> {
        self.manifest.topics.keys()
    }

    pub(super) fn topic_folder(&self, topic: &TopicName) -> PathBuf {
        self.folder.join(TOPICS_FOLDER).join(topic.as_str())
    }

    /// The entries of these topics, of all when none is named.
    pub(super) fn entries(&self, topics: &[TopicName]) -> Result<Vec<&TopicEntry>> {
        if topics.is_empty() {
            return Ok(self.manifest.topics.values().collect());
        }
        let entry = |name: &TopicName| {
            let missing = || {
                let folder = self.folder.display();
                Error::not_found(format!("the backup {folder} holds no topic {name}"))
            };
            self.manifest.topics.get(name).ok_or_else(missing)
        };
        topics.iter().map(entry).collect()
    }

    pub(super) fn refuse_unlocked(&self) -> Result<()> {
        match self.lock {
            Some(_) => Ok(()),
            None => Err(Error::invalid(
                "the backup was opened to be read: open it with open_or_create to add to it",
            )),
        }
    }

    /// Puts the manifest in place of the one that is there, durably.
    pub(super) fn write_manifest(&mut self) -> Result<()> {
        let bytes = self.manifest.encode()?;
        let beside = self.folder.join(MANIFEST_BESIDE);
        let write = || {
            let file = self.disk.create(&beside)?;
            file.set_len(0)?;
            file.write_at(&bytes, 0)?;
            file.sync()?;
            self.disk
                .rename(&beside, &self.folder.join(MANIFEST_FILE))?;
            self.disk.sync_folder(&self.folder)
        };
        write().map_err(|error| unwritable(&beside, error))
    }

    /// Writes the manifest with the time of the clock.
    pub(super) fn checkpoint(&mut self, clock: &dyn Clock) -> Result<()> {
        self.manifest.written = Some(clock.now());
        self.write_manifest()
    }

    /// Makes the names of the folders durable in which this one lies.
    fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_folder(&self.folder)?;
        let absolute = std::path::absolute(&self.folder)?;
        for above in absolute.ancestors().skip(1) {
            match self.disk.sync_folder(above) {
                // A folder that may not be opened was not made here, and so it was there before.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
                synced => synced?,
            }
        }
        Ok(())
    }

    /// Removes what a run that was cut off left: files of frames that the manifest does not name.
    fn remove_unfinished(&self) -> io::Result<()> {
        for folder in self.disk.list(&self.folder.join(TOPICS_FOLDER))? {
            let Ok(topic) = folder.parse::<TopicName>() else {
                continue;
            };
            let entry = self.manifest.topics.get(&topic);
            let folder = self.topic_folder(&topic);
            for name in self.disk.list(&folder)? {
                let is_ours = name.ends_with(FRAMES_SUFFIX) || name.ends_with(UNFINISHED_SUFFIX);
                let mut files = entry.iter().flat_map(|entry| &entry.files);
                if is_ours && !files.any(|file| file.name() == name) {
                    self.disk.remove(&folder.join(name))?;
                }
            }
        }
        Ok(())
    }
}

pub(super) fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot write {}", path.display()), error)
}

/// Refuses a folder that holds something else than a backup.
fn refuse_foreign(disk: &dyn Disk, folder: &Path) -> Result<()> {
    let names = match disk.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => {
            listed.map_err(|error| Error::io(format!("cannot list {}", folder.display()), error))?
        }
    };
    let is_begun = |name: &String| match name.as_str() {
        LOCK_FILE | MANIFEST_BESIDE => true,
        TOPICS_FOLDER => disk
            .list(&folder.join(name))
            .is_ok_and(|all| all.is_empty()),
        _ => false,
    };
    let has_manifest = names.iter().any(|name| name == MANIFEST_FILE);
    if has_manifest || names.iter().all(is_begun) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{} is no backup: it has other files and no {MANIFEST_FILE}; name an empty or a new folder",
        folder.display()
    )))
}

/// The manifest in this folder, if there is one.
fn load(disk: &dyn Disk, folder: &Path) -> Result<Option<Manifest>> {
    let path = folder.join(MANIFEST_FILE);
    let unreadable = |error| Error::io(format!("cannot read {}", path.display()), error);
    let file = match disk.open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(unreadable)?,
    };
    let bytes = file.len().map_err(unreadable)?;
    if bytes > MANIFEST_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!(
                "{} has {bytes} bytes, more than {MANIFEST_BYTES_MAX}: it is no manifest",
                path.display()
            ),
        ));
    }
    let mut content = vec![0; usize::try_from(bytes).unwrap_or(0)];
    let mut done = 0;
    while let Some(space) = content.get_mut(done..).filter(|space| !space.is_empty()) {
        match file.read_at(space, done as u64).map_err(unreadable)? {
            0 => break,
            read => done += read,
        }
    }
    content.truncate(done);
    Manifest::decode(&content).map(Some)
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup")
            .field("folder", &self.folder)
            .field("is_locked", &self.lock.is_some())
            .finish_non_exhaustive()
    }
}
