//! A topic's log read by a process that does not write it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use efflux_particle::{Head, Particle, Sequence, TopicName};
use parking_lot::Mutex;

use super::check;
use super::files::{HEAD_FILE, TopicFiles, list_segments};
use super::head_record::Slots;
use super::segments::{Segments, Tables};
use crate::clock::Clock;
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::limits::HEAD_POLL;
use crate::log::{Appended, Batch, ReadLimit, TopicLog};
use crate::verify::{Progress, Verified};
use crate::workers::Workers;

/// A topic's log, open for reading beside the process that writes it. It shows what the HEAD record
/// shows: what is durable within the topic's sync policy.
#[derive(Debug)]
pub(super) struct ReaderLog {
    files: Arc<TopicFiles>,
    segments: Segments,
    head_file: Arc<dyn DiskFile>,
    head: Mutex<Head>,
    clock: Arc<dyn Clock>,
    workers: Arc<Workers>,
    is_closed: AtomicBool,
}

impl ReaderLog {
    pub(super) fn open(
        files: Arc<TopicFiles>,
        clock: Arc<dyn Clock>,
        workers: Arc<Workers>,
        tables: Arc<Tables>,
    ) -> Result<Self> {
        let path = files.path(HEAD_FILE);
        let unreadable = |error| Error::io(format!("cannot read {}", path.display()), error);
        let head_file = files.disk.open(&path).map_err(unreadable)?;
        let slots = Slots::read(&*head_file).map_err(unreadable)?;
        let problem = "no copy of the HEAD record is whole".to_owned();
        let record = slots
            .newest
            .ok_or_else(|| files.damage(HEAD_FILE, 0, None, problem))?;
        let segments = Segments::new(Arc::clone(&files), &[], tables);
        let log = Self {
            files,
            segments,
            head_file,
            head: Mutex::new(record.head),
            clock,
            workers,
            is_closed: AtomicBool::new(false),
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

    /// Looks where the writing process stands. What cannot be read now is read the next time.
    fn refresh(&self) -> Result<Head> {
        let found = Slots::read(&*self.head_file)
            .ok()
            .and_then(|slots| slots.newest);
        let mut head = self.head.lock();
        if let Some(record) = found
            && record.head.sequence > head.sequence
        {
            self.list_segments()?;
            *head = record.head;
        }
        Ok(*head)
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
        self.segments.read(from, self.head().sequence, limit)
    }

    async fn read_back(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        self.segments.read_back(from, self.head().sequence, limit)
    }

    async fn read_each(&self, sequences: &[Sequence]) -> Result<Vec<Particle>> {
        self.segments.read_each(sequences, self.head().sequence)
    }

    async fn wait_past(&self, sequence: Sequence) -> Result<Head> {
        loop {
            let head = self.refresh()?;
            if head.sequence > sequence {
                return Ok(head);
            }
            if self.is_closed.load(Ordering::Relaxed) {
                return Err(Error::closed(format!("topic {} is closed", self.name())));
            }
            self.clock
                .sleep_until(self.clock.now().plus(HEAD_POLL))
                .await;
        }
    }

    fn indexed_through(&self, _sequence: Sequence) {}

    async fn verify(&self, progress: Progress) -> Result<Verified> {
        let files = Arc::clone(&self.files);
        let checked = self
            .workers
            .run(move || check::check(&files, &progress))
            .await;
        checked.unwrap_or_else(|| Err(Error::closed("the store was closed")))
    }

    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, Ordering::Relaxed);
        Ok(())
    }
}
