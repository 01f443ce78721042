//! A journal in a file.
//!
//! ```text
//! append ─┐
//! append ─┼─▶ queue ─▶ one worker at a time: write, sync once, mark, answer all
//! replace ┘
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use efflux_particle::TopicName;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::format::{self, End};
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};
use crate::log::Journal;
use crate::workers::Workers;

/// Most requests that wait to be written. Further callers wait before they ask.
const QUEUE_MAX: usize = 1024;

/// A journal in a file.
///
/// The first write of a newly opened journal copies what there is into a new file: after a failed
/// sync the page cache may show bytes that the disk does not have.
pub(crate) struct FileJournal {
    shared: Arc<Shared>,
    workers: Arc<Workers>,
    room: Arc<Semaphore>,
    is_writable: bool,
}

struct Shared {
    place: Place,
    queue: Mutex<Queue>,
    writer: Mutex<Writer>,
}

struct Place {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    topic: TopicName,
}

#[derive(Default)]
struct Queue {
    requests: VecDeque<Request>,
    is_served: bool,
}

struct Request {
    work: Work,
    answer: oneshot::Sender<Result<()>>,
    _room: OwnedSemaphorePermit,
}

enum Work {
    Append { record: Vec<u8>, durable: bool },
    Replace { record: Vec<u8> },
    Delete,
}

#[derive(Default)]
struct Writer {
    open: Option<Open>,
    /// Why nothing more is written.
    closed: Option<String>,
}

/// The file that is written.
struct Open {
    file: Arc<dyn DiskFile>,
    end: End,
    marks: u64,
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
            queue: Mutex::default(),
            writer: Mutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            workers,
            room: Arc::new(Semaphore::new(QUEUE_MAX)),
            is_writable: writable,
        })
    }

    async fn ask(&self, work: Work) -> Result<()> {
        let gone = || Error::closed(format!("{} is closed", self.shared.place.path.display()));
        if !self.is_writable {
            return Err(Error::invalid(format!(
                "{} cannot be written: the store was opened for reading",
                self.shared.place.path.display()
            )));
        }
        let room = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .map_err(|_| gone())?;
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut queue = self.shared.queue.lock();
            queue.requests.push_back(Request {
                work,
                answer,
                _room: room,
            });
            !std::mem::replace(&mut queue.is_served, true)
        };
        if is_first {
            let shared = Arc::clone(&self.shared);
            self.workers.submit(move || shared.serve());
        }
        answered.await.map_err(|_| gone().with_may_have_applied())?
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

    async fn append(&self, record: Vec<u8>, durable: bool) -> Result<()> {
        self.ask(Work::Append { record, durable }).await
    }

    async fn replace(&self, record: Vec<u8>) -> Result<()> {
        self.ask(Work::Replace { record }).await
    }

    async fn delete(&self) -> Result<()> {
        self.ask(Work::Delete).await
    }
}

impl Drop for FileJournal {
    /// Writes nothing more: what waits is given up, and what is under way is waited for. Another
    /// may open the file after this.
    fn drop(&mut self) {
        let given_up = std::mem::take(&mut self.shared.queue.lock().requests);
        drop(given_up);
        drop(self.shared.writer.lock());
    }
}

impl Shared {
    /// Does what is asked for until nothing more is.
    fn serve(&self) {
        loop {
            let mut writer = self.writer.lock();
            let requests = {
                let mut queue = self.queue.lock();
                if queue.requests.is_empty() {
                    queue.is_served = false;
                    return;
                }
                queue.next_group()
            };
            let (works, answers): (Vec<Work>, Vec<_>) = requests
                .into_iter()
                .map(|request| (request.work, request.answer))
                .unzip();
            let done = writer.write(&self.place, works);
            drop(writer);
            for answer in answers {
                let _ = answer.send(match &done {
                    Ok(()) => Ok(()),
                    Err(failure) => Err(failure.error()),
                });
            }
        }
    }
}

impl Queue {
    /// What is done next: a replacement or deletion alone, appends together.
    fn next_group(&mut self) -> Vec<Request> {
        let appends = |request: &Request| matches!(request.work, Work::Append { .. });
        let count = self
            .requests
            .iter()
            .take_while(|request| appends(request))
            .count()
            .max(1);
        self.requests
            .drain(..count.min(self.requests.len()))
            .collect()
    }
}

/// An error that is told to several callers.
struct Failure {
    kind: ErrorKind,
    message: String,
    may_have_applied: bool,
}

impl Failure {
    fn error(&self) -> Error {
        let error = Error::new(self.kind, self.message.clone());
        if self.may_have_applied {
            error.with_may_have_applied()
        } else {
            error
        }
    }
}

impl Writer {
    fn write(&mut self, place: &Place, works: Vec<Work>) -> Result<(), Failure> {
        if let Some(reason) = &self.closed {
            let message = format!("{} is closed: {reason}", place.path.display());
            return Err(Failure {
                kind: ErrorKind::Closed,
                message,
                may_have_applied: false,
            });
        }
        self.work(place, works).map_err(|error| {
            self.open = None;
            self.closed = Some(format!("{error}; open the consumer again"));
            Failure {
                kind: error.kind(),
                message: error.to_string(),
                may_have_applied: true,
            }
        })
    }

    fn work(&mut self, place: &Place, works: Vec<Work>) -> Result<()> {
        let mut records = Vec::with_capacity(works.len());
        let mut is_durable = false;
        for work in works {
            match work {
                Work::Append { record, durable } => {
                    records.push(record);
                    is_durable |= durable;
                }
                Work::Replace { record } => return self.replace(place, record),
                Work::Delete => return self.delete(place),
            }
        }
        let open = match &mut self.open {
            Some(open) => open,
            closed => {
                let loaded = place.load()?;
                let generation = loaded.as_ref().map_or(0, |loaded| loaded.generation);
                let there = loaded.map(|loaded| loaded.records).unwrap_or_default();
                closed.insert(place.write_new(generation + 1, &there)?)
            }
        };
        open.append(&records, is_durable)
            .map_err(|fault| fault.into_error(&place.path))
    }

    fn replace(&mut self, place: &Place, record: Vec<u8>) -> Result<()> {
        let generation = match &self.open {
            Some(open) => open.end.generation,
            None => place.load()?.map_or(0, |loaded| loaded.generation),
        };
        self.open = Some(place.write_new(generation + 1, &[record])?);
        Ok(())
    }

    fn delete(&mut self, place: &Place) -> Result<()> {
        let delete = || {
            for path in [&place.path, &place.beside()] {
                match place.disk.remove(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            place.disk.sync_folder(place.folder())
        };
        self.open = None;
        if place.disk.exists(place.folder()) {
            delete()
                .map_err(|error| Error::io(format!("deleting {}", place.path.display()), error))?;
        }
        self.closed = Some("it was deleted".to_owned());
        Ok(())
    }
}

/// Why records were not appended.
enum Fault {
    Refused(Error),
    Failed(io::Error),
}

impl Fault {
    fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Failed(error) => Error::io(format!("writing {}", path.display()), error),
        }
    }
}

impl Open {
    fn append(&mut self, records: &[Vec<u8>], durable: bool) -> Result<(), Fault> {
        let mut bytes = Vec::new();
        let mut end = self.end;
        for record in records {
            end = end.encode(record, &mut bytes).map_err(Fault::Refused)?;
        }
        self.file
            .write_at(&bytes, self.end.offset)
            .map_err(Fault::Failed)?;
        self.end = end;
        if durable {
            self.file.sync().map_err(Fault::Failed)?;
            let (at, mark) = end.mark(self.marks);
            self.marks += 1;
            self.file.write_at(&mark, at).map_err(Fault::Failed)?;
        }
        Ok(())
    }
}

impl Place {
    fn load(&self) -> Result<Option<format::Loaded>> {
        format::load(&*self.disk, &self.path, &self.topic)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    fn beside(&self) -> PathBuf {
        self.path.with_extension("new")
    }

    /// Puts a new file with these records in place of the old one, durably.
    fn write_new(&self, generation: u64, records: &[Vec<u8>]) -> Result<Open> {
        let (bytes, end) = format::encode_file(generation, records)?;
        let file = self
            .put_in_place(&bytes)
            .map_err(|error| Error::io(format!("writing {}", self.path.display()), error))?;
        Ok(Open {
            file,
            end,
            marks: 0,
        })
    }

    fn put_in_place(&self, bytes: &[u8]) -> io::Result<Arc<dyn DiskFile>> {
        let (folder, beside) = (self.folder(), self.beside());
        // Also when it is there: whoever made it may have gone away before its name was durable.
        self.disk.create_folder(folder)?;
        self.disk.sync_folder(folder.parent().unwrap_or(folder))?;
        let file = self.disk.create(&beside)?;
        file.set_len(0)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        self.disk.rename(&beside, &self.path)?;
        self.disk.sync_folder(folder)?;
        Ok(file)
    }
}

impl fmt::Debug for FileJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileJournal")
            .field("path", &self.shared.place.path)
            .finish_non_exhaustive()
    }
}
