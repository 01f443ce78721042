//! The file of a segment to come, filled with zeros in the background.
//!
//! A sync of bytes written over zeros that are on the disk already writes these bytes and nothing
//! else. A sync of a file that grew writes its length and its place on the disk too, which takes
//! two thirds longer. Zeros take the disk's time as well, so they are only written for topics that
//! need them: those that sync large groups.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::files::TopicFiles;
use super::shared::Shared;
use super::spare_bytes::Counted;
use crate::disk::DiskFile;
use crate::workers::Queue;

/// Bytes of zeros written and synced at a time, so that other work of the thread need not wait long.
const STEP_BYTES: u64 = 1024 * 1024;
/// A spare of at most that many bytes is made at once: handing it over would take as long.
const SMALL_BYTES: u64 = 64 * 1024;
/// The disk keeps at least that many times the spare's bytes free for what is to be kept.
const ROOM_FACTOR: u64 = 8;

/// The file of a segment to come. A crash leaves a file whose name tells recovery to remove it.
pub(super) struct Spare {
    making: Arc<Making>,
    shared: Shared,
}

/// A finished spare: its file, and how many bytes of zeros it holds.
#[derive(Debug)]
pub(super) struct Zeroed {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) counted: Counted,
}

struct Making {
    files: Arc<TopicFiles>,
    path: PathBuf,
    state: Mutex<State>,
}

enum State {
    Absent,
    /// Being made; nobody else touches the file.
    Begun,
    Ready(Zeroed),
    /// None is made until the next segment begins: the disk has no room, or it failed.
    Refused,
    /// None is made any more.
    Ended,
}

impl Spare {
    /// A spare for one opening of a topic. `number` is another one for each opening in which
    /// something is written, so that no two touch the same file.
    pub(super) fn new(files: Arc<TopicFiles>, shared: &Shared, number: u64) -> Self {
        let path = files.path(&format!("spare-{number}.new"));
        let state = Mutex::new(State::Absent);
        Self {
            making: Arc::new(Making { files, path, state }),
            shared: shared.clone(),
        }
    }

    /// Begins to make one of that many bytes, unless there is one or there can be none.
    pub(super) fn ask_for(&self, bytes: u64) {
        let mut state = self.making.state.lock();
        if !matches!(*state, State::Absent) {
            return;
        }
        let Some(counted) = self.shared.spare_bytes.count(bytes) else {
            return;
        };
        *state = State::Begun;
        drop(state);
        let (making, workers) = (Arc::clone(&self.making), &self.shared.workers);
        let queue = workers.queue();
        if bytes <= SMALL_BYTES {
            making.begin(counted, &queue);
        } else {
            workers.submit(move || making.begin(counted, &queue));
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(*self.making.state.lock(), State::Ready(_))
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.making.path
    }

    /// The spare, if it is finished; another one may then be asked for.
    pub(super) fn take(&self) -> Option<Zeroed> {
        let mut state = self.making.state.lock();
        match std::mem::replace(&mut *state, State::Absent) {
            State::Ready(zeroed) => Some(zeroed),
            State::Absent | State::Refused => None,
            other @ (State::Begun | State::Ended) => {
                *state = other;
                None
            }
        }
    }
}

impl Spare {
    /// Removes the file; another one may be asked for.
    pub(super) fn remove(&self) {
        let mut state = self.making.state.lock();
        if matches!(*state, State::Ready(_)) {
            *state = State::Absent;
            self.making.remove();
        }
    }

    /// Removes the file, and makes none any more. One that is being made removes itself.
    pub(super) fn end(&self) {
        let before = std::mem::replace(&mut *self.making.state.lock(), State::Ended);
        if matches!(before, State::Ready(_)) {
            self.making.remove();
        }
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.end();
    }
}

impl Making {
    fn begin(self: Arc<Self>, counted: Counted, queue: &Arc<Queue>) {
        let mut state = self.state.lock();
        if !matches!(*state, State::Begun) {
            return;
        }
        match self.create(counted.bytes()) {
            Ok(file) => {
                drop(state);
                self.go_on(Zeroed { file, counted }, 0, queue);
            }
            Err(_) => {
                *state = State::Refused;
                self.remove();
            }
        }
    }

    fn create(&self, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let disk = &self.files.disk;
        if disk.room(&self.files.folder)? / ROOM_FACTOR < bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = disk.create(&self.path)?;
        file.set_len(0)?;
        Ok(file)
    }

    /// Writes one step of zeros; the next step comes after the work that waits meanwhile.
    fn go_on(self: Arc<Self>, zeroed: Zeroed, at: u64, queue: &Arc<Queue>) {
        let bytes = zeroed.counted.bytes();
        let step = STEP_BYTES.min(bytes - at);
        let written = write_zeros(&*zeroed.file, at, step).and_then(|()| zeroed.file.sync());
        let mut state = self.state.lock();
        if written.is_err() || !matches!(*state, State::Begun) {
            if matches!(*state, State::Begun) {
                *state = State::Refused;
            }
            self.remove();
        } else if at + step == bytes {
            *state = State::Ready(zeroed);
        } else {
            drop(state);
            let next = Arc::clone(queue);
            queue.submit_next(move || self.go_on(zeroed, at + step, &next));
        }
    }

    /// Removes the file. What cannot be removed is when the topic is opened the next time.
    fn remove(&self) {
        let _ = self.files.disk.remove(&self.path);
    }
}

fn write_zeros(file: &dyn DiskFile, at: u64, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(bytes).unwrap_or(0)];
    file.write_at(&zeros, at)
}

impl std::fmt::Debug for Spare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spare")
            .field("path", &self.making.path)
            .finish_non_exhaustive()
    }
}
