//! A table on disk: the one file that names fjall.
//!
//! ```text
//! <folder>/opening     there while the database is being opened: when found, all is deleted
//! <folder>/v2/         the database, of this layout version: one keyspace for each space
//! ```
//!
//! Nothing in it is precious. Whatever goes wrong with it, the folder is deleted and the index is
//! built anew from the log.

use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;

use ::fjall::compaction::Leveled;
use ::fjall::config::{
    BlockSizePolicy, BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry,
    RestartIntervalPolicy,
};
use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Changes, Entry, Held, POINT_KEY_BYTES, Space, Table, Value, Visit};
use crate::error::{Error, Result};

/// A stored value.
pub(super) type Bytes = ::fjall::Slice;

/// Name of the database's folder; another layout gets another name.
const LAYOUT: &str = "v2";

/// Marks that the database is being opened; a crash of the process then leaves it behind.
const OPENING: &str = "opening";

/// Bytes of blocks kept in memory: 32 MiB.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes of the newest entries kept in memory for each keyspace: 8 MiB.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes of journals at which memory is written out: 64 MiB, the least the library allows.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of a table of short keys: 16 MiB. A small one costs less when it is written anew.
const POINT_TABLE_BYTES: u64 = 16 * 1024 * 1024;

/// Threads that write out and merge tables. With more than one the library keeps its first free for
/// writing out: while another merges, that one hands the next merge back to the queue and takes it
/// again without a pause, and so takes a whole core.
const WORKERS: usize = 1;

/// A table on disk.
pub(crate) struct DiskTable {
    // The keyspaces stand before the database, so that they are dropped first.
    groups: Keyspace,
    runs: Keyspace,
    database: Database,
}

impl DiskTable {
    /// Opens the table in `folder`, or makes it anew when it is not there or cannot be used.
    ///
    /// # Errors
    /// `Unavailable`, `Full`, `Invalid` when a new one cannot be made either.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let marker = folder.join(OPENING);
        if marker.exists() || only_other_layouts(folder) {
            Self::delete(folder)?;
        }
        fs::create_dir_all(folder).map_err(|e| failed("making the index folder", e))?;
        fs::write(&marker, b"").map_err(|e| failed("marking the index as being opened", e))?;
        let opened = match Self::open_database(&folder.join(LAYOUT)) {
            Ok(table) => table,
            Err(_) => {
                Self::delete(folder)?;
                fs::create_dir_all(folder).map_err(|e| failed("making the index folder", e))?;
                Self::open_database(&folder.join(LAYOUT))?
            }
        };
        match fs::remove_file(&marker) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("removing the mark of an index being opened", error))
            }
            _ => Ok(opened),
        }
    }

    /// Deletes the table in `folder`, if there is one.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn delete(folder: &Path) -> Result<()> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("deleting the index", error))
            }
            _ => Ok(()),
        }
    }

    fn open_database(folder: &Path) -> Result<Self> {
        if !super::preflight::is_sound(folder) {
            return Err(Error::new(
                crate::ErrorKind::Unavailable,
                "the index is damaged",
            ));
        }
        guarded("opening the index", || {
            let database = Database::builder(folder)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES)
                .worker_threads(WORKERS)
                .open()?;
            let groups = database.keyspace("groups", point_options)?;
            let runs = database.keyspace("runs", run_options)?;
            Ok(Self {
                groups,
                runs,
                database,
            })
        })
    }

    const fn space(&self, space: Space) -> &Keyspace {
        match space {
            Space::Groups => &self.groups,
            Space::Runs => &self.runs,
        }
    }

    fn write_batch(&self, changes: Changes) -> ::fjall::Result<()> {
        let mut batch = self.database.batch();
        for entry in changes.groups {
            put(&mut batch, &self.groups, entry);
        }
        for entry in changes.runs {
            put(&mut batch, &self.runs, entry);
        }
        batch.commit()
    }

    fn ingest(&self, space: Space, entries: Vec<Entry>) -> ::fjall::Result<()> {
        let mut ingestion = self.space(space).start_ingestion()?;
        for entry in entries {
            match entry.value {
                Some(value) => ingestion.write(entry.key, value)?,
                None => ingestion.write_tombstone(entry.key)?,
            }
        }
        ingestion.finish()
    }
}

fn put(batch: &mut ::fjall::OwnedWriteBatch, space: &Keyspace, entry: Entry) {
    match entry.value {
        Some(value) => batch.insert(space, entry.key, value),
        None => batch.remove(space, entry.key),
    }
}

impl Table for DiskTable {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>> {
        guarded("reading the index", || {
            Ok(self
                .space(space)
                .get(key)?
                .map(|value| Value(Held::Disk(value))))
        })
    }

    fn scan(&self, space: Space, from: &[u8], until: &[u8], visit: Visit<'_>) -> Result<()> {
        if from >= until {
            return Ok(());
        }
        guarded("reading the index", || {
            for guard in self.space(space).range(from..until) {
                let (key, value) = guard.into_inner()?;
                if visit(&key, &value).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn write(&self, changes: Changes) -> Result<()> {
        guarded("writing the index", || {
            if !changes.bulk {
                return self.write_batch(changes);
            }
            if !changes.groups.is_empty() {
                self.ingest(Space::Groups, changes.groups)?;
            }
            self.ingest(Space::Runs, changes.runs)
        })
    }

    fn remove(&self, space: Space, keys: Vec<Vec<u8>>) -> Result<()> {
        guarded("writing the index", || {
            self.ingest(space, keys.into_iter().map(Entry::remove).collect())
        })
    }

    fn persist(&self) -> Result<()> {
        guarded("syncing the index", || {
            self.database.persist(PersistMode::SyncData)
        })
    }
}

impl std::fmt::Debug for DiskTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskTable").finish_non_exhaustive()
    }
}

/// Short keys in no order, mostly asked for in vain: a filter answers those.
fn point_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .compaction_strategy(Arc::new(
            Leveled::default().with_table_target_size(POINT_TABLE_BYTES),
        ))
        .data_block_size_policy(BlockSizePolicy::all(4096))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(16))
        .filter_policy(FilterPolicy::all(FilterPolicyEntry::Bloom(
            BloomConstructionPolicy::BitsPerKey(8.0),
        )))
}

/// Longer values, of which neighbours are read together.
fn run_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(8192))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(16))
}

/// Whether the folder holds something, but no database of this layout.
fn only_other_layouts(folder: &Path) -> bool {
    !folder.join(LAYOUT).exists()
        && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Runs what calls the library, whose answer to damaged files is at times a panic.
fn guarded<T>(what: &str, call: impl FnOnce() -> ::fjall::Result<T>) -> Result<T> {
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => answer.map_err(|error| broken(what, error)),
        Err(_) => Err(Error::new(
            crate::ErrorKind::Unavailable,
            format!("{what} failed; it is derived and will be built anew"),
        )),
    }
}

fn broken(what: &str, error: ::fjall::Error) -> Error {
    match error {
        ::fjall::Error::Io(error) => failed(what, error),
        ::fjall::Error::Storage(::fjall::LsmError::Io(error)) => failed(what, error),
        other => {
            Error::new(crate::ErrorKind::Unavailable, format!("{what}: {other}")).with_source(other)
        }
    }
}

fn failed(what: &str, error: io::Error) -> Error {
    Error::io(what, error)
}

const _: () = assert!(POINT_KEY_BYTES <= 20);
