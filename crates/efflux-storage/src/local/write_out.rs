//! Syncing in the background what its topic does not sync at once.
//!
//! A topic that leaves writing to the operating system must still sync a segment before it begins
//! the next one: what recovery finds then is whole up to there. Done in one go, the appends would
//! wait for a whole segment to reach the disk. Done piece by piece beside them, they wait for the
//! last piece.

use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::head_record::Place;
use crate::disk::DiskFile;
use crate::workers::Workers;

/// At most one sync in the background, and what came of it.
#[derive(Debug, Default)]
pub(super) struct WriteOut {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    /// A thread will come to it. Whoever cannot wait for that takes it back.
    Asked(Arc<dyn DiskFile>, Place),
    Running,
    /// Everything up to here is synced.
    Done(Place),
    /// What the disk holds is unknown.
    Failed(io::Error),
}

impl WriteOut {
    /// Asks for a sync of `file`, which ends at `through`, unless one is on its way.
    pub(super) fn ask_for(&self, file: &Arc<dyn DiskFile>, through: Place, workers: &Workers) {
        let mut state = self.shared.state.lock();
        if !matches!(*state, State::Idle) {
            return;
        }
        *state = State::Asked(Arc::clone(file), through);
        drop(state);
        let shared = Arc::clone(&self.shared);
        workers.submit(move || shared.run());
    }

    /// What came of the sync, if one has ended.
    ///
    /// # Errors
    /// Those of the sync. The system tells of a failed write once only, so it must not be passed over.
    pub(super) fn take(&self) -> io::Result<Option<Place>> {
        take(&mut self.shared.state.lock())
    }

    /// As [`WriteOut::take`], after waiting for a sync that has begun. One that has not is called
    /// off: whoever asks this is about to sync by itself.
    pub(super) fn finish(&self) -> io::Result<Option<Place>> {
        let mut state = self.shared.state.lock();
        while matches!(*state, State::Running) {
            self.shared.ended.wait(&mut state);
        }
        if matches!(*state, State::Asked(..)) {
            *state = State::Idle;
        }
        take(&mut state)
    }
}

fn take(state: &mut State) -> io::Result<Option<Place>> {
    match std::mem::take(state) {
        State::Done(place) => Ok(Some(place)),
        State::Failed(error) => Err(error),
        other => {
            *state = other;
            Ok(None)
        }
    }
}

impl Shared {
    /// Does what was asked for last, if that was not taken back.
    fn run(&self) {
        let (file, through) = {
            let mut state = self.state.lock();
            match std::mem::replace(&mut *state, State::Running) {
                State::Asked(file, through) => (file, through),
                other => {
                    *state = other;
                    return;
                }
            }
        };
        let ended = match file.sync() {
            Ok(()) => State::Done(through),
            Err(error) => State::Failed(error),
        };
        *self.state.lock() = ended;
        self.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use efflux_particle::Sequence;

    use super::*;

    /// A file whose sync begins when told to, and ends as told.
    #[derive(Debug)]
    struct Told {
        begun: SyncSender<()>,
        ends: Mutex<Receiver<io::Result<()>>>,
    }

    impl DiskFile for Told {
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn sync(&self) -> io::Result<()> {
            self.begun.send(()).unwrap();
            self.ends.lock().recv().unwrap()
        }

        fn len(&self) -> io::Result<u64> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn set_len(&self, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    type Asked = (WriteOut, Workers, Receiver<()>, SyncSender<io::Result<()>>);

    /// A sync that was asked for up to byte 7, of a store with one thread.
    fn asked() -> Asked {
        let (begun, has_begun) = sync_channel(1);
        let (end, ends) = sync_channel(1);
        let ends = Mutex::new(ends);
        let file: Arc<dyn DiskFile> = Arc::new(Told { begun, ends });
        let workers = Workers::start("test", 1).unwrap();
        let write_out = WriteOut::default();
        write_out.ask_for(&file, byte(7), &workers);
        (write_out, workers, has_begun, end)
    }

    fn byte(byte: u64) -> Place {
        let segment = Sequence::ROOT;
        Place { segment, byte }
    }

    #[test]
    fn a_sync_that_ended_says_how_far_once() {
        let (write_out, workers, has_begun, end) = asked();
        has_begun.recv().unwrap();
        assert_eq!(write_out.take().unwrap(), None);
        end.send(Ok(())).unwrap();
        assert_eq!(write_out.finish().unwrap(), Some(byte(7)));
        assert_eq!(write_out.take().unwrap(), None);
        drop(workers);
    }

    #[test]
    fn a_sync_that_failed_is_told_to_whoever_finishes() {
        let (write_out, workers, has_begun, end) = asked();
        has_begun.recv().unwrap();
        end.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        drop(workers);
        let error = write_out.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_sync_that_has_not_begun_is_called_off_by_whoever_cannot_wait() {
        let (release, released) = sync_channel::<()>(1);
        let workers = Workers::start("test", 1).unwrap();
        workers.submit(move || {
            let _ = released.recv();
        });
        let (begun, has_begun) = sync_channel(1);
        let (_end, ends) = sync_channel(1);
        let ends = Mutex::new(ends);
        let file: Arc<dyn DiskFile> = Arc::new(Told { begun, ends });
        let write_out = WriteOut::default();
        write_out.ask_for(&file, byte(7), &workers);
        assert_eq!(write_out.finish().unwrap(), None);
        // What is asked for next is done, although an earlier job comes to it.
        let (next_begun, next_has_begun) = sync_channel(1);
        let (end, ends) = sync_channel(1);
        end.send(Ok(())).unwrap();
        let next: Arc<dyn DiskFile> = Arc::new(Told {
            begun: next_begun,
            ends: Mutex::new(ends),
        });
        write_out.ask_for(&next, byte(9), &workers);
        drop(release);
        next_has_begun.recv().unwrap();
        drop((workers, file));
        assert!(
            has_begun.recv().is_err(),
            "the file was synced all the same"
        );
        assert_eq!(write_out.take().unwrap(), Some(byte(9)));
    }
}
