//! A topic's log read by a process that does not write it.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use efflux_particle::{Head, Particle, Sequence, TopicName};
use parking_lot::Mutex;

use super::check;
use super::files::{HEAD_FILE, TopicFiles, list_segments};
use super::head_record::{HeadRecord, Slots};
use super::segments::Segments;
use super::tables::Tables;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::frames::Frames;
use crate::limits::HEAD_POLL;
use crate::log::{Appended, Batch, ReadLimit, TopicLog};
use crate::verify::{Progress, Verified};

/// A topic's log, open for reading beside the process that writes it. It shows what the HEAD record
/// shows: what is durable within the topic's sync policy.
#[derive(Debug)]
pub(super) struct ReaderLog {
    files: Arc<TopicFiles>,
    segments: Segments,
    head: Mutex<Head>,
    clock: Arc<dyn Clock>,
}

impl ReaderLog {
    pub(super) fn open(
        files: Arc<TopicFiles>,
        clock: Arc<dyn Clock>,
        tables: Arc<Tables>,
    ) -> Result<Self> {
        let record = read_record(&files)?;
        let segments = Segments::new(Arc::clone(&files), &[], tables);
        let log = Self {
            files,
            segments,
            head: Mutex::new(record.head),
            clock,
        };
        log.list_segments()?;
        Ok(log)
    }

    fn list_segments(&self) -> Result<()> {
        let firsts = list_segments(&*self.files.disk, &self.files.folder);
        let unlisted = |error| {
            Error::io(
                format!("cannot list {}", self.files.folder.display()),
                error,
            )
        };
        self.segments.extend(&firsts.map_err(unlisted)?);
        Ok(())
    }

    /// Looks where the writing process stands. What cannot be read now is read the next time; a
    /// topic that was deleted meanwhile is closed.
    fn refresh(&self) -> Result<Head> {
        let record = match read_record(&self.files) {
            Ok(record) => Some(record),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(error),
            Err(_) => None,
        };
        let mut head = self.head.lock();
        if let Some(record) = record
            && record.head.sequence > head.sequence
        {
            self.list_segments()?;
            *head = record.head;
        }
        Ok(*head)
    }

    /// Reads; and once more with the files opened anew when something looks damaged, because the
    /// writing process may have been restarted and have recovered the topic meanwhile.
    fn read_with<T>(&self, read: impl Fn(&Segments, Sequence) -> Result<T>) -> Result<T> {
        let head = self.head().sequence;
        match read(&self.segments, head) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let firsts = list_segments(&*self.files.disk, &self.files.folder);
                self.segments.reset(&firsts.map_err(|_| error)?);
                read(&self.segments, head)
            }
            result => result,
        }
    }
}

/// Reads the HEAD record, a few times when a write of the other process seems to be in the way.
fn read_record(files: &TopicFiles) -> Result<HeadRecord> {
    const TRIES: usize = 3;
    let path = files.path(HEAD_FILE);
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => missing_record(files),
        _ => Error::io(format!("cannot read {}", path.display()), error),
    };
    for _ in 0..TRIES {
        let file = files.disk.open(&path).map_err(unreadable)?;
        if let Some(record) = Slots::read(&*file).map_err(unreadable)?.newest {
            return Ok(record);
        }
    }
    let problem = "no copy of the HEAD record is whole".to_owned();
    Err(files.damage(HEAD_FILE, 0, None, problem))
}

/// The topic was deleted, or its HEAD record alone.
fn missing_record(files: &TopicFiles) -> Error {
    match list_segments(&*files.disk, &files.folder) {
        Ok(firsts) if !firsts.is_empty() => {
            let problem =
                "the file is missing: open the topic for writing, which makes it anew from \
                           the stream"
                    .to_owned();
            files.damage(HEAD_FILE, 0, None, problem)
        }
        _ => Error::not_found(format!("there is no topic {}", files.topic)),
    }
}

#[async_trait]
impl TopicLog for ReaderLog {
    fn name(&self) -> &TopicName {
        &self.files.topic
    }

    fn head(&self) -> Head {
        self.refresh().unwrap_or_else(|_| *self.head.lock())
    }

    async fn append(&self, _batch: Batch) -> Result<Appended> {
        Err(Error::invalid(format!(
            "topic {} was opened for reading only",
            self.files.topic
        )))
    }

    async fn read(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        self.read_with(|segments, head| segments.read(from, head, limit))
    }

    async fn read_frames(&self, from: Sequence, limit: ReadLimit) -> Result<Frames> {
        self.read_with(|segments, head| segments.read_frames(from, head, limit))
    }

    async fn read_back(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        self.read_with(|segments, head| segments.read_back(from, head, limit))
    }

    async fn read_each(&self, sequences: &[Sequence]) -> Result<Vec<Particle>> {
        self.read_with(|segments, head| segments.read_each(sequences, head))
    }

    async fn wait_past(&self, sequence: Sequence) -> Result<Head> {
        loop {
            let head = self.refresh()?;
            if head.sequence > sequence {
                return Ok(head);
            }
            self.clock
                .sleep_until(self.clock.now().plus(HEAD_POLL))
                .await;
        }
    }

    fn indexed_through(&self, _sequence: Sequence) {}

    async fn verify(&self, progress: Progress) -> Result<Verified> {
        check::check_aside(Arc::clone(&self.files), progress).await
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
