//! How a journal's file is changed, each step on one thread.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use efflux_particle::TopicName;

use super::format::{self, End};
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};

/// Zeros that are written past the records at once, 64 KiB: a sync is faster when the file's length
/// stays, and writing more of them at once would hold a sync up.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Where a journal is.
pub(super) struct Place {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
    pub(super) topic: TopicName,
}

/// Writes a journal's file.
#[derive(Default)]
pub(super) struct Writer {
    open: Option<Open>,
    /// Why nothing more is written.
    closed: Option<String>,
}

/// The file that is written.
struct Open {
    file: Arc<dyn DiskFile>,
    end: End,
    /// Where the zeros past the records end, or the file.
    zeros_end: u64,
    marks: u64,
}

/// A sync that is under way.
pub(super) struct Begun {
    pub(super) file: Arc<dyn DiskFile>,
    /// What was written when it began.
    end: End,
}

/// An error that is told to several callers.
#[derive(Debug)]
pub(super) struct Failure {
    kind: ErrorKind,
    message: String,
    may_have_applied: bool,
}

impl Failure {
    pub(super) fn error(&self) -> Error {
        let error = Error::new(self.kind, self.message.clone());
        if self.may_have_applied {
            error.with_may_have_applied()
        } else {
            error
        }
    }
}

impl Writer {
    /// Whether an append is one short write: the file is open, or nothing is written any more.
    pub(super) const fn is_ready(&self) -> bool {
        self.open.is_some() || self.closed.is_some()
    }

    /// Writes nothing more.
    pub(super) fn close(&mut self, reason: &str) {
        self.open = None;
        self.closed.get_or_insert_with(|| reason.to_owned());
    }

    /// Adds a record.
    pub(super) fn append(&mut self, place: &Place, record: &[u8]) -> Result<(), Failure> {
        self.attempt(place, |writer| writer.ready(place)?.append(place, record))
    }

    /// Puts one record, durably, in place of all there are.
    pub(super) fn replace(&mut self, place: &Place, record: &[u8]) -> Result<(), Failure> {
        self.attempt(place, |writer| {
            let generation = match &writer.open {
                Some(open) => open.end.generation,
                None => place.load()?.map_or(0, |loaded| loaded.generation),
            };
            writer.open = Some(place.write_new(generation + 1, &[record])?);
            Ok(())
        })
    }

    /// Deletes the file, durably, and closes.
    pub(super) fn delete(&mut self, place: &Place) -> Result<(), Failure> {
        self.attempt(place, |writer| {
            writer.open = None;
            place.delete()
        })?;
        self.close("it was deleted");
        Ok(())
    }

    /// What is to be synced, so that all that is written lasts.
    pub(super) fn begin_sync(&mut self, place: &Place) -> Result<Begun, Failure> {
        self.attempt(place, |writer| {
            let open = writer.ready(place)?;
            open.lengthen().map_err(|error| place.failed(error))?;
            Ok(Begun {
                file: Arc::clone(&open.file),
                end: open.end,
            })
        })
    }

    /// Marks what is durable after a sync. A failed one closes the journal.
    pub(super) fn end_sync(
        &mut self,
        place: &Place,
        begun: &Begun,
        synced: io::Result<()>,
    ) -> Result<(), Failure> {
        if let Err(error) = synced {
            return Err(self.fail(&place.failed(error)));
        }
        match &mut self.open {
            // A file that was replaced or let go meanwhile needs no mark.
            Some(open) if open.end.generation == begun.end.generation => {
                let marked = open.mark(begun.end);
                marked.map_err(|error| self.fail(&place.failed(error)))
            }
            _ => Ok(()),
        }
    }

    /// The open file; a newly opened journal is copied first.
    fn ready(&mut self, place: &Place) -> Result<&mut Open> {
        match &mut self.open {
            Some(open) => Ok(open),
            closed => {
                let loaded = place.load()?;
                let generation = loaded.as_ref().map_or(0, |loaded| loaded.generation);
                let there = loaded.map(|loaded| loaded.records).unwrap_or_default();
                Ok(closed.insert(place.write_new(generation + 1, &there)?))
            }
        }
    }

    /// Does something unless the journal is closed, and closes it when that fails.
    fn attempt<T>(
        &mut self,
        place: &Place,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T, Failure> {
        if let Some(reason) = &self.closed {
            let message = format!("{} is closed: {reason}", place.path.display());
            return Err(Failure {
                kind: ErrorKind::Closed,
                message,
                may_have_applied: false,
            });
        }
        work(self).map_err(|error| self.fail(&error))
    }

    fn fail(&mut self, error: &Error) -> Failure {
        self.close(&format!("{error}; open the consumer again"));
        Failure {
            kind: error.kind(),
            message: error.to_string(),
            may_have_applied: true,
        }
    }
}

impl Open {
    fn append(&mut self, place: &Place, record: &[u8]) -> Result<()> {
        let mut bytes = Vec::new();
        let end = self.end.encode(record, &mut bytes)?;
        let written = self.file.write_at(&bytes, self.end.offset);
        written.map_err(|error| place.failed(error))?;
        self.end = end;
        Ok(())
    }

    /// Lengthens the file with zeros when the records have reached its end.
    fn lengthen(&mut self) -> io::Result<()> {
        if self.end.offset <= self.zeros_end {
            return Ok(());
        }
        self.zeros_end = match self.file.write_at(&ZEROS, self.end.offset) {
            Ok(()) => self.end.offset + ZEROS.len() as u64,
            // What is to be kept may fit where zeros do not.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => self.end.offset,
            Err(error) => return Err(error),
        };
        Ok(())
    }

    fn mark(&mut self, end: End) -> io::Result<()> {
        let (at, mark) = end.mark(self.marks);
        self.marks += 1;
        self.file.write_at(&mark, at)
    }
}

impl Place {
    pub(super) fn load(&self) -> Result<Option<format::Loaded>> {
        format::load(&*self.disk, &self.path, &self.topic)
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::io(format!("writing {}", self.path.display()), error)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    fn beside(&self) -> PathBuf {
        self.path.with_extension("new")
    }

    /// Puts a new file with these records in place of the old one, durably.
    fn write_new(&self, generation: u64, records: &[impl AsRef<[u8]>]) -> Result<Open> {
        let (bytes, end) = format::encode_file(generation, records)?;
        let file = self
            .put_in_place(&bytes)
            .map_err(|error| self.failed(error))?;
        Ok(Open {
            file,
            end,
            zeros_end: end.offset,
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

    fn delete(&self) -> Result<()> {
        if !self.disk.exists(self.folder()) {
            return Ok(());
        }
        let delete = || {
            for path in [&self.path, &self.beside()] {
                match self.disk.remove(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            self.disk.sync_folder(self.folder())
        };
        delete().map_err(|error| Error::io(format!("deleting {}", self.path.display()), error))
    }
}
