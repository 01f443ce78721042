//! A store in a folder: its lock, its topics.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use efflux_particle::{ConsumerName, Head, TopicName};
use parking_lot::Mutex;

use super::files::{
    CONSUMERS_FOLDER, HEAD_FILE, INDEX_FOLDER, JOURNAL_SUFFIX, LOCK_FILE, STORE_FILE,
    TOPICS_FOLDER, TopicFiles, check_store_file, read_topic_file, segment_name, topic_folder,
    write_store_file, write_topic_file,
};
use super::head_record::{HeadRecord, Place};
use super::log::{Core, LocalLog};
use super::open_writers::OpenWriters;
use super::reader::ReaderLog;
use super::restoring::{LocalRestoring, Target};
use super::shared::Shared;
use crate::disk::{Disk, LockGuard, read_file};
use crate::error::{Error, Result};
use crate::ids::IdSource;
use crate::journal::FileJournal;
use crate::limits::TEXT_FILE_BYTES_MAX;
use crate::log::{Backend, Journal, Restoring, TopicLog};
use crate::options::{Access, StoreOptions, TopicOptions};

/// What a topic's folder is called while it is made or deleted: no topic can have such a name.
const MAKING_SUFFIX: &str = ".making.";
const DELETING_SUFFIX: &str = ".deleting.";
pub(super) const RESTORING_SUFFIX: &str = ".restoring.";

/// A store in a folder.
#[derive(Debug)]
pub(crate) struct LocalBackend {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    access: Access,
    ids: Arc<IdSource>,
    shared: Shared,
    open_writers: Arc<OpenWriters>,
    /// Held while topics are made and deleted.
    names: Arc<Mutex<()>>,
    /// How many topics were begun to be restored: each in a folder of its own.
    restorings: AtomicU64,
    /// The logs that are open, so that none writes when its topic is opened anew, or when the lock
    /// is let go, whoever still holds a handle to it.
    logs: Mutex<BTreeMap<TopicName, Weak<Core>>>,
    lock: Mutex<Option<Box<dyn LockGuard>>>,
}

impl LocalBackend {
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        options: &StoreOptions,
        ids: Arc<IdSource>,
    ) -> Result<Self> {
        let lock = match options.access {
            Access::Write => Some(open_to_write(&*disk, &folder, options.create, &ids)?),
            Access::Read => {
                if !disk.exists(&folder.join(STORE_FILE)) {
                    return Err(no_store(&*disk, &folder));
                }
                None
            }
        };
        check_store_file(&*disk, &folder)?;
        let shared = Shared::start().map_err(|error| Error::io("cannot start threads", error))?;
        let backend = Self {
            disk,
            folder,
            access: options.access,
            ids,
            shared,
            open_writers: Arc::new(OpenWriters::within_limits()),
            names: Arc::default(),
            restorings: AtomicU64::new(0),
            logs: Mutex::default(),
            lock: Mutex::new(lock),
        };
        if backend.is_writable() {
            backend.remove_unfinished()?;
        }
        Ok(backend)
    }

    fn topics_folder(&self) -> PathBuf {
        self.folder.join(TOPICS_FOLDER)
    }

    /// Removes topics whose making, restoring or deleting a crash interrupted.
    fn remove_unfinished(&self) -> Result<()> {
        for name in self.list_folder(&self.topics_folder())? {
            let suffixes = [MAKING_SUFFIX, DELETING_SUFFIX, RESTORING_SUFFIX];
            if suffixes.iter().any(|suffix| name.ends_with(suffix)) {
                let path = self.topics_folder().join(&name);
                self.disk
                    .remove_folder(&path)
                    .map_err(|error| unwritable(&path, error))?;
            }
        }
        Ok(())
    }

    fn list_folder(&self, path: &Path) -> Result<Vec<String>> {
        match self.disk.list(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => {
                listed.map_err(|error| Error::io(format!("cannot list {}", path.display()), error))
            }
        }
    }

    fn files(&self, topic: &TopicName) -> Arc<TopicFiles> {
        let folder = topic_folder(&self.folder, topic);
        Arc::new(TopicFiles::new(
            Arc::clone(&self.disk),
            folder,
            topic.clone(),
        ))
    }

    /// Closes the log of a topic that somebody may still hold.
    fn end_log(&self, name: &TopicName) {
        let open = self.logs.lock().remove(name).and_then(|log| log.upgrade());
        if let Some(open) = open {
            // A failure was told to whoever waited; recovery finds what it left.
            let _ = open.close();
        }
    }

    fn end_logs(&self) {
        let names: Vec<TopicName> = self.logs.lock().keys().cloned().collect();
        names.iter().for_each(|name| self.end_log(name));
    }

    fn open_log(&self, name: &TopicName) -> Result<Arc<dyn TopicLog>> {
        let files = self.files(name);
        let options = read_topic_file(&*self.disk, &files.folder, name)?;
        Ok(match self.access {
            Access::Write => {
                // The process or the call that made the topic may have failed before this.
                let topics = self.topics_folder();
                let synced = self.disk.sync_folder(&topics);
                synced.map_err(|error| unwritable(&topics, error))?;
                self.end_log(name);
                let log =
                    LocalLog::open(files, options, &self.shared, Arc::clone(&self.open_writers))?;
                self.logs.lock().insert(name.clone(), log.core());
                Arc::new(log)
            }
            Access::Read => {
                let clock = Arc::clone(self.ids.clock());
                Arc::new(ReaderLog::open(
                    files,
                    clock,
                    Arc::clone(&self.shared.tables),
                )?)
            }
        })
    }

    /// Makes a topic's folder under another name, whole and durable, then gives it its own.
    fn make(&self, name: &TopicName, options: &TopicOptions) -> io::Result<()> {
        let topics = self.topics_folder();
        let folder = topics.join(format!("{name}{MAKING_SUFFIX}"));
        if self.disk.exists(&folder) {
            self.disk.remove_folder(&folder)?;
        }
        self.disk.create_folder(&folder.join(CONSUMERS_FOLDER))?;
        write_topic_file(&*self.disk, &folder, options)?;
        let (head, root) = Head::root(name, &self.ids.stamp(false)).map_err(io::Error::other)?;
        let segment = self
            .disk
            .create(&folder.join(segment_name(head.sequence)))?;
        segment.write_at(root.frame(), 0)?;
        segment.sync()?;
        let end = Place {
            segment: head.sequence,
            byte: root.frame().len() as u64,
        };
        let boot = self.disk.boot().unwrap_or_default();
        let record = HeadRecord {
            counter: 1,
            head,
            end,
            synced: end,
            boot,
            is_clean: true,
        };
        let head_file = self.disk.create(&folder.join(HEAD_FILE))?;
        head_file.write_at(&record.new_file(), 0)?;
        head_file.sync()?;
        self.disk.sync_folder(&folder)?;
        self.disk
            .rename(&folder, &topic_folder(&self.folder, name))?;
        self.disk.sync_folder(&topics)
    }
}

impl Drop for LocalBackend {
    /// Closes what is still open before the lock is let go.
    fn drop(&mut self) {
        self.end_logs();
    }
}

pub(super) fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot write {}", path.display()), error)
}

fn no_store(disk: &dyn Disk, folder: &Path) -> Error {
    let shown = folder.display();
    match disk.list(folder) {
        Ok(names) if !names.is_empty() => Error::invalid(format!(
            "{shown} is no Efflux store: it has no file {STORE_FILE}"
        )),
        _ => Error::not_found(format!("there is no store at {shown}")),
    }
}

/// Makes the folder a store where there is none, and takes its lock.
fn open_to_write(
    disk: &dyn Disk,
    folder: &Path,
    create: bool,
    ids: &IdSource,
) -> Result<Box<dyn LockGuard>> {
    let is_store = disk.exists(&folder.join(STORE_FILE));
    if !is_store {
        let names = disk.list(folder).unwrap_or_default();
        let is_foreign = |name: &String| !is_of_unfinished_store(disk, folder, name);
        if !create || names.iter().any(is_foreign) {
            return Err(no_store(disk, folder));
        }
        disk.create_folder(folder)
            .map_err(|error| unwritable(folder, error))?;
    }
    let path = folder.join(LOCK_FILE);
    let program = std::env::current_exe().ok();
    let program = program
        .as_ref()
        .and_then(|path| path.file_name())
        .unwrap_or_default();
    let note = format!(
        "process {} ({}), since {}\n",
        std::process::id(),
        program.to_string_lossy(),
        ids.clock().now()
    );
    let lock = disk
        .lock(&path, &note)
        .map_err(|error| unwritable(&path, error))?;
    let lock = lock.ok_or_else(|| {
        let holder = read_file(disk, &path, TEXT_FILE_BYTES_MAX).unwrap_or_default();
        let holder = String::from_utf8_lossy(&holder);
        let holder = if holder.trim().is_empty() {
            "another process"
        } else {
            holder.trim()
        };
        Error::conflict(format!(
            "the store {} is open for writing: {holder} holds it; end that process, or open the \
             store for reading",
            folder.display()
        ))
    })?;
    if !is_store {
        let topics = folder.join(TOPICS_FOLDER);
        disk.create_folder(&topics)
            .map_err(|error| unwritable(&topics, error))?;
        write_store_file(disk, folder).map_err(|error| unwritable(folder, error))?;
    }
    // Also when the store is there: the process that made it may have ended before this.
    sync_names(disk, folder).map_err(|error| unwritable(folder, error))?;
    Ok(lock)
}

/// Whether a store that a crash left half made can have this in its folder.
fn is_of_unfinished_store(disk: &dyn Disk, folder: &Path, name: &str) -> bool {
    match name {
        LOCK_FILE | "STORE.new" => true,
        TOPICS_FOLDER => disk
            .list(&folder.join(name))
            .is_ok_and(|topics| topics.is_empty()),
        _ => false,
    }
}

/// Makes the names in the store's folder durable, and the names of the folders it lies in.
fn sync_names(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    disk.sync_folder(folder)?;
    for below in folder
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty())
    {
        let Some(above) = below.parent() else { break };
        match disk.sync_folder(above) {
            // A folder that may not be opened was not made here, and so it was there before.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            synced => synced?,
        }
    }
    Ok(())
}

#[async_trait]
impl Backend for LocalBackend {
    async fn create(&self, name: &TopicName, options: &TopicOptions) -> Result<Arc<dyn TopicLog>> {
        options.check()?;
        let _names = self.names.lock();
        let folder = topic_folder(&self.folder, name);
        if self.disk.exists(&folder) {
            return Err(Error::conflict(format!("topic {name} exists already")));
        }
        self.make(name, options)
            .map_err(|error| unwritable(&folder, error))?;
        self.open_log(name)
    }

    async fn open(&self, name: &TopicName) -> Result<Arc<dyn TopicLog>> {
        self.open_log(name)
    }

    async fn options(&self, name: &TopicName) -> Result<TopicOptions> {
        read_topic_file(&*self.disk, &topic_folder(&self.folder, name), name)
    }

    async fn restore(
        &self,
        name: &TopicName,
        options: &TopicOptions,
    ) -> Result<Box<dyn Restoring>> {
        options.check()?;
        let number = self.restorings.fetch_add(1, Ordering::Relaxed);
        let target = Target {
            disk: Arc::clone(&self.disk),
            name: name.clone(),
            topics: self.topics_folder(),
            folder: self
                .topics_folder()
                .join(format!("{name}.{number}{RESTORING_SUFFIX}")),
            names: Arc::clone(&self.names),
            workers: Arc::clone(&self.shared.workers),
        };
        Ok(Box::new(LocalRestoring::begin(target, options)?))
    }

    async fn list(&self) -> Result<Vec<TopicName>> {
        let names = self.list_folder(&self.topics_folder())?;
        let mut names: Vec<TopicName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        names.sort();
        Ok(names)
    }

    async fn delete(&self, name: &TopicName) -> Result<()> {
        let _names = self.names.lock();
        let folder = topic_folder(&self.folder, name);
        if !self.disk.exists(&folder) {
            return Err(Error::not_found(format!("there is no topic {name}")));
        }
        self.end_log(name);
        let topics = self.topics_folder();
        let going = topics.join(format!("{name}{DELETING_SUFFIX}"));
        let delete = || {
            if self.disk.exists(&going) {
                self.disk.remove_folder(&going)?;
            }
            self.disk.rename(&folder, &going)?;
            self.disk.sync_folder(&topics)?;
            // The topic is gone by now; what is left of it goes at the next opening at the latest.
            let _ = self.disk.remove_folder(&going);
            Ok(())
        };
        delete().map_err(|error| unwritable(&folder, error))
    }

    async fn consumers(&self, topic: &TopicName) -> Result<Vec<ConsumerName>> {
        let folder = topic_folder(&self.folder, topic);
        read_topic_file(&*self.disk, &folder, topic)?;
        let names = self.list_folder(&folder.join(CONSUMERS_FOLDER))?;
        let consumer = |name: &String| name.strip_suffix(JOURNAL_SUFFIX)?.parse().ok();
        let mut names: Vec<ConsumerName> = names.iter().filter_map(consumer).collect();
        names.sort();
        Ok(names)
    }

    async fn journal(
        &self,
        topic: &TopicName,
        consumer: &ConsumerName,
    ) -> Result<Arc<dyn Journal>> {
        let folder = topic_folder(&self.folder, topic);
        read_topic_file(&*self.disk, &folder, topic)?;
        let path = folder
            .join(CONSUMERS_FOLDER)
            .join(format!("{consumer}{JOURNAL_SUFFIX}"));
        let (disk, workers) = (Arc::clone(&self.disk), Arc::clone(&self.shared.workers));
        let journal = FileJournal::open(disk, path, topic, workers, self.is_writable())?;
        Ok(Arc::new(journal))
    }

    async fn close(&self) {
        self.end_logs();
        *self.lock.lock() = None;
    }

    fn index_folder(&self) -> Option<PathBuf> {
        self.disk.real_path(&self.folder.join(INDEX_FOLDER))
    }

    fn is_writable(&self) -> bool {
        self.access == Access::Write
    }
}
