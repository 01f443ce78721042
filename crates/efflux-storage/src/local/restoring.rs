//! A topic's folder that is being made of particles that were sealed before.
//!
//! It is written under a name that no topic can have, synced whole, and renamed: a crash leaves the
//! topic whole or not there, and the next opening for writing removes what is left.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use efflux_particle::{ConsumerName, Head, Particle, Sequence, TopicName};
use parking_lot::Mutex;

use super::backend::unwritable;
use super::files::{
    CONSUMERS_FOLDER, HEAD_FILE, JOURNAL_SUFFIX, offsets_name, segment_name, write_topic_file,
};
use super::head_record::{HeadRecord, Place};
use super::offsets::Offsets;
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::journal::FileJournal;
use crate::log::{Journal, Restoring};
use crate::options::TopicOptions;
use crate::workers::Workers;

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Where a topic is restored.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) name: TopicName,
    /// The folder of all topics.
    pub(super) topics: PathBuf,
    /// The folder that becomes the topic's, in the one above.
    pub(super) folder: PathBuf,
    /// Held while topics are made and deleted.
    pub(super) names: Arc<Mutex<()>>,
    pub(super) workers: Arc<Workers>,
}

/// A topic's folder that is being made of particles that were sealed before.
#[derive(Debug)]
pub(super) struct LocalRestoring {
    target: Target,
    segment_bytes: u64,
    segment: Option<Segment>,
    /// The last particle, and how many of its batch are still to come.
    head: Option<(Head, u32)>,
    is_finished: bool,
}

/// The segment that is being written.
#[derive(Debug)]
struct Segment {
    first: Sequence,
    file: Arc<dyn DiskFile>,
    /// Bytes that are in the file; those of `buffer` stand behind them.
    written: u64,
    buffer: Vec<u8>,
    offsets: Offsets,
}

impl LocalRestoring {
    pub(super) fn begin(target: Target, options: &TopicOptions) -> Result<Self> {
        let restoring = Self {
            target,
            segment_bytes: options.segment_bytes,
            segment: None,
            head: None,
            is_finished: false,
        };
        restoring.refuse_taken()?;
        let Target { disk, folder, .. } = &restoring.target;
        let begin = || {
            if disk.exists(folder) {
                disk.remove_folder(folder)?;
            }
            disk.create_folder(&folder.join(CONSUMERS_FOLDER))?;
            write_topic_file(&**disk, folder, options)
        };
        begin().map_err(|error| restoring.unwritable(error))?;
        Ok(restoring)
    }

    fn unwritable(&self, error: io::Error) -> Error {
        unwritable(&self.target.folder, error)
    }

    fn refuse_taken(&self) -> Result<()> {
        let Target {
            disk, name, topics, ..
        } = &self.target;
        if disk.exists(&topics.join(name.as_str())) {
            return Err(Error::conflict(format!("topic {name} exists already")));
        }
        Ok(())
    }

    fn put(&mut self, particle: &Particle) -> io::Result<()> {
        let frame = particle.frame();
        let is_between_batches = self.head.is_none_or(|(_, remaining)| remaining == 0);
        let is_full = |segment: &Segment| {
            segment.bytes() + frame.len() as u64 > self.segment_bytes && segment.bytes() > 0
        };
        // A batch never spans two segments.
        if is_between_batches && self.segment.as_ref().is_none_or(is_full) {
            self.seal()?;
            self.segment = Some(self.new_segment(particle.sequence())?);
        }
        if let Some(segment) = &mut self.segment {
            segment.push(frame)?;
        }
        let remaining = particle.metadata().batch_remaining();
        self.head = Some((Head::on(particle), remaining));
        Ok(())
    }

    fn new_segment(&self, first: Sequence) -> io::Result<Segment> {
        let path = self.target.folder.join(segment_name(first));
        Ok(Segment {
            first,
            file: self.target.disk.create(&path)?,
            written: 0,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            offsets: Offsets::starting_at(first),
        })
    }

    /// Makes the segment durable, and writes its table, which is derived; where it ends.
    fn seal(&mut self) -> io::Result<Option<Place>> {
        let Some(mut segment) = self.segment.take() else {
            return Ok(None);
        };
        segment.write()?;
        segment.file.sync()?;
        let path = self.target.folder.join(offsets_name(segment.first));
        let table = self.target.disk.create(&path)?;
        table.write_at(&segment.offsets.encode(), 0)?;
        Ok(Some(Place {
            segment: segment.first,
            byte: segment.written,
        }))
    }

    fn write_head(&mut self) -> Result<()> {
        let end = self.seal().map_err(|error| self.unwritable(error))?;
        let (Some((head, 0)), Some(end)) = (self.head, end) else {
            return Err(Error::invalid(format!(
                "topic {} cannot be restored: its last batch is not whole",
                self.target.name
            )));
        };
        let Target { disk, folder, .. } = &self.target;
        let record = HeadRecord {
            counter: 1,
            head,
            end,
            synced: end,
            boot: disk.boot().unwrap_or_default(),
            is_clean: true,
        };
        let write = || {
            let file = disk.create(&folder.join(HEAD_FILE))?;
            file.write_at(&record.new_file(), 0)?;
            file.sync()?;
            disk.sync_folder(&folder.join(CONSUMERS_FOLDER))?;
            disk.sync_folder(folder)
        };
        write().map_err(|error| self.unwritable(error))
    }
}

impl Segment {
    fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn push(&mut self, frame: &[u8]) -> io::Result<()> {
        let size = u32::try_from(frame.len()).ok();
        let size = size.filter(|size| self.bytes() + u64::from(*size) <= u64::from(u32::MAX));
        let size =
            size.ok_or_else(|| io::Error::other("a batch is longer than a segment can be"))?;
        self.offsets.push(size, crc32c::crc32c(frame).max(1));
        if self.buffer.len() + frame.len() > BUFFER_BYTES {
            self.write()?;
        }
        self.buffer.extend_from_slice(frame);
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_at(&self.buffer, self.written)?;
        self.written = self.bytes();
        self.buffer.clear();
        Ok(())
    }
}

#[async_trait]
impl Restoring for LocalRestoring {
    async fn append(&mut self, particles: &[Particle]) -> Result<()> {
        for particle in particles {
            self.put(particle).map_err(|error| self.unwritable(error))?;
        }
        Ok(())
    }

    async fn put_journal(&mut self, consumer: &ConsumerName, record: Vec<u8>) -> Result<()> {
        let Target {
            disk,
            name,
            folder,
            workers,
            ..
        } = &self.target;
        let path = folder
            .join(CONSUMERS_FOLDER)
            .join(format!("{consumer}{JOURNAL_SUFFIX}"));
        let journal = FileJournal::open(Arc::clone(disk), path, name, Arc::clone(workers), true)?;
        journal.replace(record).await
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        self.write_head()?;
        let names = Arc::clone(&self.target.names);
        let _names = names.lock();
        self.refuse_taken()?;
        let Target {
            disk,
            name,
            topics,
            folder,
            ..
        } = &self.target;
        let renamed = disk.rename(folder, &topics.join(name.as_str()));
        renamed.map_err(|error| self.unwritable(error))?;
        let synced = disk.sync_folder(topics);
        let synced = synced.map_err(|error| Error::write("the topic's name", error));
        self.is_finished = true;
        synced
    }
}

impl Drop for LocalRestoring {
    /// Removes what was not finished. What stays after a failure goes at the next opening.
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = self.target.disk.remove_folder(&self.target.folder);
        }
    }
}
