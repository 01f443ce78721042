//! A journal in a file.
//!
//! ```text
//! append ──▶ written by the caller ─────────────┐
//! replace, delete, the first append ─▶ a worker ├─▶ file
//! sync ─┐                                       │
//! sync ─┼─▶ one worker: sync once, mark, answer all
//! sync ─┘
//! ```
//!
//! Writing a short record into the page cache takes less time than handing it to another thread, so
//! the caller does it. A sync goes on beside appends: it answers for what was written when it began.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use efflux_particle::TopicName;
use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, oneshot};

use super::writer::{Failure, Place, Writer};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::log::Journal;
use crate::workers::Workers;

/// Longest record that the caller writes: 64 KiB, some 15 µs. Longer ones go to a worker.
const CALLER_BYTES_MAX: usize = 64 * 1024;

/// A journal in a file.
///
/// The first write of a newly opened journal copies what there is into a new file: after a failed
/// sync the page cache may show bytes that the disk does not have.
pub(crate) struct FileJournal {
    shared: Arc<Shared>,
    workers: Arc<Workers>,
    /// Whoever changes the file has the turn: calls are served in the order in which they came.
    turn: Arc<Turn<()>>,
    is_writable: bool,
}

struct Shared {
    place: Place,
    /// Held for long only by who has the turn, or when the journal is dropped.
    writer: Mutex<Writer>,
    syncs: Mutex<Syncs>,
}

/// Who waits for the next sync.
#[derive(Default)]
struct Syncs {
    waiting: Vec<oneshot::Sender<Result<()>>>,
    is_served: bool,
}

impl FileJournal {
    /// The journal in this file, which need not be there. It is neither read nor written yet.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        topic: &TopicName,
        workers: Arc<Workers>,
        writable: bool,
    ) -> Result<Self> {
        let place = Place {
            disk,
            path,
            topic: topic.clone(),
        };
        let shared = Shared {
            place,
            writer: Mutex::default(),
            syncs: Mutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            workers,
            turn: Arc::default(),
            is_writable: writable,
        })
    }

    fn gone(&self) -> Error {
        Error::closed(format!("{} is closed", self.shared.place.path.display()))
    }

    /// Waits for the turn to change the file.
    async fn turn(&self) -> Result<OwnedMutexGuard<()>> {
        if !self.is_writable {
            return Err(Error::invalid(format!(
                "{} cannot be written: the store was opened for reading",
                self.shared.place.path.display()
            )));
        }
        Ok(Arc::clone(&self.turn).lock_owned().await)
    }

    /// Does on a worker what takes long, and keeps the turn until it is done, also when the caller
    /// has gone away.
    async fn work(
        &self,
        turn: OwnedMutexGuard<()>,
        work: impl FnOnce(&mut Writer, &Place) -> Result<(), Failure> + Send + 'static,
    ) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let done = self.workers.run(move || {
            let done = work(&mut shared.writer.lock(), &shared.place);
            drop(turn);
            done.map_err(|failure| failure.error())
        });
        done.await
            .ok_or_else(|| self.gone().with_may_have_applied())?
    }
}

#[async_trait]
impl Journal for FileJournal {
    async fn load(&self) -> Result<Vec<Vec<u8>>> {
        let shared = Arc::clone(&self.shared);
        let loaded = self.workers.run(move || shared.place.load()).await;
        let loaded = loaded.ok_or_else(|| Error::closed("the store is closed"))??;
        Ok(loaded.map(|loaded| loaded.records).unwrap_or_default())
    }

    async fn append(&self, record: Vec<u8>) -> Result<()> {
        let turn = self.turn().await?;
        if record.len() <= CALLER_BYTES_MAX {
            let mut writer = self.shared.writer.lock();
            if writer.is_ready() {
                let done = writer.append(&self.shared.place, &record);
                return done.map_err(|failure| failure.error());
            }
        }
        self.work(turn, move |writer, place| writer.append(place, &record))
            .await
    }

    async fn sync(&self) -> Result<()> {
        // What came before this call and takes long is waited for.
        drop(self.turn().await?);
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut syncs = self.shared.syncs.lock();
            syncs.waiting.push(answer);
            !std::mem::replace(&mut syncs.is_served, true)
        };
        if is_first {
            let shared = Arc::clone(&self.shared);
            self.workers.submit(move || shared.serve_syncs());
        }
        answered
            .await
            .map_err(|_| self.gone().with_may_have_applied())?
    }

    async fn replace(&self, record: Vec<u8>) -> Result<()> {
        let turn = self.turn().await?;
        self.work(turn, move |writer, place| writer.replace(place, &record))
            .await
    }

    async fn delete(&self) -> Result<()> {
        let turn = self.turn().await?;
        self.work(turn, Writer::delete).await
    }
}

impl Drop for FileJournal {
    /// Writes nothing more: what waits is given up, and a write under way is waited for. Another may
    /// open the file after this.
    fn drop(&mut self) {
        self.shared.writer.lock().close("it was let go");
    }
}

impl Shared {
    /// Syncs until nobody waits for it. All who came while one was under way share the next.
    fn serve_syncs(&self) {
        loop {
            let waiting = {
                let mut syncs = self.syncs.lock();
                if syncs.waiting.is_empty() {
                    syncs.is_served = false;
                    return;
                }
                std::mem::take(&mut syncs.waiting)
            };
            let done = self.sync();
            for answer in waiting {
                let _ = answer.send(match &done {
                    Ok(()) => Ok(()),
                    Err(failure) => Err(failure.error()),
                });
            }
        }
    }

    /// The lock is free while the disk works, so that appends go on.
    fn sync(&self) -> Result<(), Failure> {
        let begun = self.writer.lock().begin_sync(&self.place)?;
        let synced = begun.file.sync();
        self.writer.lock().end_sync(&self.place, &begun, synced)
    }
}

impl fmt::Debug for FileJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileJournal")
            .field("path", &self.shared.place.path)
            .finish_non_exhaustive()
    }
}
