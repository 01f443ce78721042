//! The state of a simulated machine, and what becomes of each operation.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::image::Image;
use super::random::Random;

/// Operations that [`SimDisk::trace`](super::SimDisk::trace) remembers.
const TRACE_MAX: usize = 80;
/// How long a test waits for a write before it goes on without: a fault in the test itself.
const HELD_WAIT_MAX: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Machine {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) life: u64,
    pub(super) boots: u64,
    pub(super) image: Image,
    pub(super) random: Random,
    /// Of its own, because reads of several threads come in any order.
    pub(super) random_of_reads: Random,
    pub(super) operations: u64,
    pub(super) segments_synced_at: BTreeMap<PathBuf, u64>,
    pub(super) crash_at: Option<u64>,
    pub(super) fail_at: BTreeSet<u64>,
    pub(super) fail_next_sync_of: Option<&'static str>,
    pub(super) is_down: bool,
    /// Operations that failed, for whatever reason, and the crash.
    pub(super) faults: u64,
    pub(super) room: Option<usize>,
    pub(super) has_short_reads: bool,
    pub(super) locks: BTreeSet<PathBuf>,
    /// The operations that wait until the disk is released.
    pub(super) held_back: &'static [&'static str],
    held: usize,
    pub(super) trace: VecDeque<String>,
}

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    Fails,
    Crashes,
}

impl Fate {
    /// The answer to the program: an error unless the operation was done.
    pub(super) fn answer(self) -> io::Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::Fails => Err(io::Error::other("input/output error (simulated)")),
            Self::Crashes => Err(stopped()),
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("the simulated machine has stopped")
}

/// Whether a file is derived and written in the background.
pub(super) fn is_derived(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".off") || name.ends_with(".off.new")
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            life: 0,
            boots: 1,
            image: Image::default(),
            random: Random::new(seed),
            random_of_reads: Random::new(!seed),
            operations: 0,
            segments_synced_at: BTreeMap::new(),
            crash_at: None,
            fail_at: BTreeSet::new(),
            fail_next_sync_of: None,
            is_down: false,
            faults: 0,
            room: None,
            has_short_reads: false,
            locks: BTreeSet::new(),
            held_back: &[],
            held: 0,
            trace: VecDeque::new(),
        }
    }

    pub(super) fn begin_life(&mut self) {
        self.life += 1;
        self.is_down = false;
        self.crash_at = None;
        self.fail_at.clear();
        self.fail_next_sync_of = None;
        self.locks.clear();
        self.held_back = &[];
        self.held = 0;
    }

    pub(super) fn lose_power(&mut self) {
        self.begin_life();
        self.boots += 1;
        let mut random = self.random.split();
        self.image = self.image.after_power_cut(&mut random);
        self.remember("power cut".to_owned());
    }

    fn remember(&mut self, line: String) {
        if self.trace.len() == TRACE_MAX {
            self.trace.pop_front();
        }
        self.trace.push_back(line);
    }

    /// Counts an operation and decides what becomes of it.
    fn next_fate(&mut self, what: &str, path: &Path) -> Fate {
        if is_derived(path) {
            return Fate::Done;
        }
        self.operations += 1;
        let number = self.operations;
        let fate = if self.crash_at.is_some_and(|crash| crash <= number) {
            self.is_down = true;
            Fate::Crashes
        } else if self.fail_at.remove(&number) || self.is_sync_to_fail(what, path) {
            Fate::Fails
        } else {
            Fate::Done
        };
        self.faults += u64::from(fate != Fate::Done);
        let outcome = match fate {
            Fate::Done => "",
            Fate::Fails => ": fails",
            Fate::Crashes => ": the machine stops",
        };
        self.remember(format!("{number} {what} {}{outcome}", path.display()));
        fate
    }

    fn is_sync_to_fail(&mut self, what: &str, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let fails = self
            .fail_next_sync_of
            .filter(|end| what == "sync" && name.ends_with(end));
        if fails.is_some() {
            self.fail_next_sync_of = None;
        }
        fails.is_some()
    }

    /// Bytes that a file of `length` may still get when it grows to `wanted`.
    pub(super) fn room_to_grow(&self, length: usize, wanted: usize) -> usize {
        let Some(room) = self.room else { return wanted };
        let free = room.saturating_sub(self.image.bytes());
        wanted.min(length.max(length + free))
    }

    /// No space is left: told to the program, and counted.
    pub(super) fn refuse_space(&mut self) -> io::Error {
        self.faults += 1;
        io::ErrorKind::StorageFull.into()
    }
}

impl Machine {
    pub(super) const fn new(state: State) -> Self {
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// The state, for tests.
    pub(super) fn look(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn wake(&self) {
        self.changed.notify_all();
    }

    /// The state, for a program that began in this life and reads.
    pub(super) fn read(&self, life: u64) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state.lock();
        if state.life != life || state.is_down {
            return Err(stopped());
        }
        Ok(state)
    }

    /// The state, for a program that began in this life and changes the disk.
    pub(super) fn change(
        &self,
        life: u64,
        what: &str,
        path: &Path,
    ) -> io::Result<(MutexGuard<'_, State>, Fate)> {
        let mut state = self.read(life)?;
        while !is_derived(path) && state.held_back.contains(&what) {
            state.held += 1;
            self.changed.notify_all();
            self.changed.wait(&mut state);
            if state.life != life || state.is_down {
                return Err(stopped());
            }
            state.held = state.held.saturating_sub(1);
        }
        let fate = state.next_fate(what, path);
        if fate != Fate::Done {
            self.changed.notify_all();
        }
        Ok((state, fate))
    }

    pub(super) fn wait_until_held(&self) {
        let mut state = self.state.lock();
        let faults = state.faults;
        while !state.held_back.is_empty()
            && state.held == 0
            && !state.is_down
            && state.faults == faults
        {
            if self.changed.wait_for(&mut state, HELD_WAIT_MAX).timed_out() {
                return;
            }
        }
    }
}
