//! Writing particles to segments: the one place that changes a topic's files while it is open.

use std::io;
use std::sync::Arc;

use efflux_particle::{Head, Particle, Sequence};

use super::files::{TopicFiles, offsets_name, segment_name};
use super::head_record::{HeadRecord, Place};
use super::recovery::Recovered;
use super::segment::Segment;
use super::segments::Segments;
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::options::{Sync, TopicOptions};
use crate::workers::Workers;

/// Fewest bytes of zeros written ahead at a time.
const AHEAD_BYTES_MIN: u64 = 64 * 1024;
/// Most bytes of zeros written ahead at a time.
const AHEAD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Appends to the last segment, syncs, keeps the HEAD record, begins new segments.
///
/// - `record.end` is where the last acknowledged particle ends
/// - bytes of the last segment from `ahead` on were never written
pub(super) struct Writer {
    files: Arc<TopicFiles>,
    segments: Arc<Segments>,
    workers: Arc<Workers>,
    options: TopicOptions,
    segment: Arc<Segment>,
    file: Arc<dyn DiskFile>,
    head_file: Arc<dyn DiskFile>,
    record: HeadRecord,
    ahead: u64,
    buffer: Vec<u8>,
    frames: Vec<(u32, u32)>,
    is_poisoned: bool,
}

impl Writer {
    pub(super) fn open(
        files: Arc<TopicFiles>,
        segments: Arc<Segments>,
        workers: Arc<Workers>,
        options: TopicOptions,
        recovered: Recovered,
    ) -> Result<Self> {
        let Recovered {
            mut record,
            head_file,
            ..
        } = recovered;
        record.boot = files.disk.boot().unwrap_or_default();
        let path = files.path(&segment_name(record.end.segment));
        let open = |error| Error::io(format!("cannot open {}", path.display()), error);
        let file = files.disk.create(&path).map_err(open)?;
        let segment = segments
            .last()
            .ok_or_else(|| Error::not_found(format!("topic {} has no segment", files.topic)))?;
        segment.learn_cheaply(record.head.sequence, record.end.byte)?;
        let ahead = record.end.byte;
        let (buffer, frames) = (Vec::new(), Vec::new());
        Ok(Self {
            files,
            segments,
            workers,
            options,
            segment,
            file,
            head_file,
            record,
            ahead,
            buffer,
            frames,
            is_poisoned: false,
        })
    }

    pub(super) const fn sync_policy(&self) -> Sync {
        self.options.sync
    }

    /// Writes particles that follow the last ones; when this returns they are as durable as the
    /// topic's sync policy says. After an error nothing is known: the topic must be opened anew.
    pub(super) fn commit(&mut self, particles: &[Particle]) -> Result<()> {
        self.guarded("writing failed", |writer| writer.write(particles))
    }

    /// Does what touches the disk, unless something before it failed: what the disk holds is then
    /// unknown, and another sync would succeed and prove nothing.
    fn guarded(
        &mut self,
        what: &str,
        work: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> Result<()> {
        let topic = self.files.topic.clone();
        if std::mem::replace(&mut self.is_poisoned, true) {
            return Err(Error::closed(format!(
                "topic {topic}: an earlier write or sync failed; open it anew"
            )));
        }
        work(self).map_err(|error| Error::write(format!("topic {topic}: {what}"), error))?;
        self.is_poisoned = false;
        Ok(())
    }

    fn write(&mut self, particles: &[Particle]) -> io::Result<()> {
        let mut head = None;
        for batch in particles.chunk_by(|one, _| one.metadata().batch_remaining() > 0) {
            let bytes: usize = batch.iter().map(|particle| particle.frame().len()).sum();
            let end = self.record.end.byte + (self.buffer.len() + bytes) as u64;
            if end > self.options.segment_bytes
                && self.record.end.byte + self.buffer.len() as u64 > 0
            {
                self.flush(head)?;
                self.begin_segment(batch)?;
            }
            for particle in batch {
                let frame = particle.frame();
                self.frames.push((
                    u32::try_from(frame.len()).unwrap_or(0),
                    crc32c::crc32c(frame),
                ));
                self.buffer.extend_from_slice(frame);
                head = Some(Head::on(particle));
            }
        }
        self.flush(head)
    }

    /// Writes what is buffered, up to and including the particle at `head`.
    fn flush(&mut self, head: Option<Head>) -> io::Result<()> {
        let Some(head) = head.filter(|_| !self.buffer.is_empty()) else {
            return Ok(());
        };
        let start = self.record.end.byte;
        let end = start + self.buffer.len() as u64;
        let is_synced = self.options.sync == Sync::Always;
        if is_synced && end > self.ahead {
            self.zero_ahead(end)?;
        }
        self.file.write_at(&self.buffer, start)?;
        self.record.head = head;
        self.record.end.byte = end;
        if is_synced {
            self.file.sync()?;
            self.record.synced = self.record.end;
        }
        self.write_record()?;
        self.segment.add(start, &self.frames);
        self.buffer.clear();
        self.frames.clear();
        Ok(())
    }

    /// Lengthens the file with zeros, so that later syncs need not write its length.
    fn zero_ahead(&mut self, end: u64) -> io::Result<()> {
        let step = self.record.end.byte.clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX);
        let ahead = (end + step).min(self.options.segment_bytes.max(end));
        let zeros = vec![0; usize::try_from(ahead - end).unwrap_or(0)];
        self.ahead = match self.file.write_at(&zeros, end) {
            Ok(()) => ahead,
            // What is to be kept may fit where zeros do not.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => end,
            Err(error) => return Err(error),
        };
        Ok(())
    }

    fn write_record(&mut self) -> io::Result<()> {
        self.record.counter += 1;
        self.record.is_clean = false;
        self.record.write(&*self.head_file)
    }

    /// Seals the last segment and begins the next, which `batch` will be the first in.
    fn begin_segment(&mut self, batch: &[Particle]) -> io::Result<()> {
        let Some(first) = batch.first().map(Particle::sequence) else {
            return Ok(());
        };
        self.seal_file()?;
        let path = self.files.path(&segment_name(first));
        self.file = self.files.disk.create(&path)?;
        self.file.set_len(0)?;
        self.files.remove_if_there(&offsets_name(first))?;
        self.files.disk.sync_folder(&self.files.folder)?;
        let files = Arc::clone(&self.files);
        self.segment = Arc::new(Segment::empty(files, first, Arc::clone(&self.file)));
        self.record.end = Place {
            segment: first,
            byte: 0,
        };
        self.record.synced = self.record.end;
        self.ahead = 0;
        if let Some(sealed) = self.segments.push(Arc::clone(&self.segment)) {
            let files = Arc::clone(&self.files);
            let last = first.previous().unwrap_or_default();
            self.workers
                .submit(move || write_sealed_table(&files, &sealed, last));
        }
        Ok(())
    }

    /// Cuts the zeros behind the last frame and makes everything durable, the record too.
    fn seal_file(&mut self) -> io::Result<()> {
        self.file.set_len(self.record.end.byte)?;
        self.file.sync()?;
        self.record.synced = self.record.end;
        self.write_record()?;
        self.head_file.sync()
    }

    /// Makes durable what was written before.
    pub(super) fn sync(&mut self) -> Result<()> {
        if self.record.synced == self.record.end {
            return Ok(());
        }
        self.guarded("syncing failed", |writer| {
            writer.file.sync()?;
            writer.record.synced = writer.record.end;
            writer.write_record()
        })
    }

    /// Leaves the topic in good order.
    pub(super) fn close(&mut self) -> Result<()> {
        if self.record.is_clean {
            return Ok(());
        }
        self.guarded("closing failed", |writer| {
            writer.file.set_len(writer.record.end.byte)?;
            writer.file.sync()?;
            writer.record.synced = writer.record.end;
            writer.record.counter += 1;
            writer.record.is_clean = true;
            writer.record.write(&*writer.head_file)?;
            writer.head_file.sync()
        })?;
        write_table(&self.files, &self.segment, self.record.head.sequence);
        Ok(())
    }
}

/// Writes the table of a segment that no longer changes.
fn write_sealed_table(files: &TopicFiles, segment: &Segment, last: Sequence) {
    if segment.learn(last).is_ok() {
        write_table(files, segment, last);
    }
}

/// Writes the table of a segment. It is derived, so a failure does no harm.
fn write_table(files: &TopicFiles, segment: &Segment, last: Sequence) {
    let Ok(Some(table)) = segment.table(last) else {
        return;
    };
    let write = || -> io::Result<()> {
        // Beside it, so that a reader never sees a part of it.
        let path = files.path(&offsets_name(segment.first()));
        let beside = files.path(&format!("{}.new", offsets_name(segment.first())));
        let file = files.disk.create(&beside)?;
        file.set_len(0)?;
        file.write_at(&table, 0)?;
        files.disk.rename(&beside, &path)
    };
    if !files.is_ended() {
        let _ = write();
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}
