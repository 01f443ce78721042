//! A disk in memory that fails in the ways that real ones do, by seed.
//!
//! ```text
//!            write            sync              power cut
//!  program ─────────▶ live ─────────▶ durable ─────────────▶ the next SimDisk
//!                       │                                        ▲
//!                       └─ what was not synced: any part of it ──┘
//! ```
//!
//! A name in a folder is as much a thing to be synced as the bytes of a file. Sectors of 512 bytes
//! are written all or not at all; names of one folder get durable in the order of their changes.

mod contents;
mod files;
mod guard;
mod image;
mod machine;
mod random;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use self::guard::{Guard, Without};
use self::machine::{Machine, State};
pub use self::random::Random;

/// A disk in memory with a live and a durable image, faults, crashes and power cuts.
///
/// Clones are the same disk. After [`SimDisk::kill`] and [`SimDisk::power_cut`] every handle from
/// before fails, as a process that is gone does nothing more.
///
/// An operation is what changes the disk: making, writing, cutting and syncing files, and making,
/// renaming, removing and syncing names. Tables of offsets (`.off`) do not count: they are derived
/// and written in the background, so that counting them would make numbers differ from run to run.
#[derive(Clone, Debug)]
pub struct SimDisk {
    machine: Arc<Machine>,
    life: u64,
}

impl SimDisk {
    /// An empty disk. What is left to chance follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            machine: Arc::new(Machine::new(State::new(seed))),
            life: 0,
        }
    }

    /// Operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.machine.look().operations
    }

    /// The number of the operation that was the last successful sync of a segment in this folder.
    #[must_use]
    pub fn segments_synced_at(&self, folder: &Path) -> u64 {
        let synced = self.machine.look().segments_synced_at.get(folder).copied();
        synced.unwrap_or(0)
    }

    /// The machine stops at that operation, which may be done in part; later ones all fail.
    pub fn crash_at(&self, operation: u64) {
        self.machine.look().crash_at = Some(operation);
    }

    /// That operation fails with an input or output error. A write may be done in part; a sync
    /// loses what it was to make durable, and the next one knows nothing of it.
    pub fn fail_at(&self, operation: u64) {
        self.machine.look().fail_at.insert(operation);
    }

    /// The next sync of a file whose name ends so fails as [`SimDisk::fail_at`] says.
    pub fn fail_next_sync_of(&self, end: &'static str) {
        self.machine.look().fail_next_sync_of = Some(end);
    }

    /// Forgets the crash and the failures that were planned.
    pub fn plan_nothing(&self) {
        let mut state = self.machine.look();
        state.crash_at = None;
        state.fail_at.clear();
        state.fail_next_sync_of = None;
    }

    /// No more than that many bytes fit from now on in all files that [`SimDisk::bytes`] counts.
    pub fn set_room(&self, bytes: Option<usize>) {
        self.machine.look().room = bytes;
    }

    /// Whether reads may return fewer bytes than were asked for, one at least.
    pub fn set_short_reads(&self, are_on: bool) {
        self.machine.look().has_short_reads = are_on;
    }

    /// Operations that failed so far: planned failures, crashes, and writes that found no space.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.machine.look().faults
    }

    /// Whether the planned crash has come.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.machine.look().is_down
    }

    /// The process is gone and another begins: what was written is there, synced or not.
    #[must_use]
    pub fn kill(&self) -> Self {
        let mut state = self.machine.look();
        state.begin_life();
        self.next_life(state.life)
    }

    /// The power fails and comes back: what was synced is there, and any part of what was not.
    #[must_use]
    pub fn power_cut(&self) -> Self {
        let mut state = self.machine.look();
        state.lose_power();
        self.next_life(state.life)
    }

    fn next_life(&self, life: u64) -> Self {
        self.machine.wake();
        let machine = Arc::clone(&self.machine);
        Self { machine, life }
    }

    /// A disk of its own that is now as this one is.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut state = self.machine.look().clone();
        state.begin_life();
        let life = state.life;
        Self {
            machine: Arc::new(Machine::new(state)),
            life,
        }
    }

    /// All files by path, with their lengths in bytes.
    #[must_use]
    pub fn files(&self) -> Vec<(String, usize)> {
        self.machine.look().image.list_files()
    }

    /// The bytes of all files together, tables of offsets left out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.machine.look().image.bytes()
    }

    /// Turns one bit of a file, as rot on the platter does.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is no such file.
    pub fn flip(&self, path: &Path, offset: usize, bit: u32) -> io::Result<()> {
        let mut state = self.machine.look();
        let node = state.image.find_file(path)?;
        state.image.file(node)?.flip(offset, bit);
        Ok(())
    }

    /// Makes every write and sync wait until [`SimDisk::release`].
    pub fn hold(&self) {
        self.machine.look().held_back = &["write", "sync"];
    }

    /// Makes every sync wait until [`SimDisk::release`]; writes are done.
    pub fn hold_syncs(&self) {
        self.machine.look().held_back = &["sync"];
    }

    /// Waits until a write or sync waits, or an operation fails instead.
    pub fn wait_until_held(&self) {
        self.machine.wait_until_held();
    }

    /// Lets writes and syncs go on.
    pub fn release(&self) {
        self.machine.look().held_back = &[];
        self.machine.wake();
    }

    /// The newest operations, one line each, oldest first.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        self.machine.look().trace.iter().cloned().collect()
    }
}
