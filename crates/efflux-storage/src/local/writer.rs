//! Writing particles to segments: the one place that changes a topic's files while it is open.

use std::io;
use std::sync::Arc;

use efflux_particle::{Head, Linked, Sequence};

use super::files::{HEAD_FILE, TopicFiles, offsets_name, segment_name};
use super::head_record::{HeadRecord, Place};
use super::recovery::Recovered;
use super::segment::Segment;
use super::segments::Segments;
use super::shared::Shared;
use super::spare::Spare;
use super::spare_bytes::Counted;
use super::write_out::WriteOut;
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::options::{Sync, TopicOptions};
use crate::workers::Workers;

/// Batches of at least that many bytes are written as they are, not copied to the buffer first.
const DIRECT_BYTES_MIN: usize = 64 * 1024;

/// Bytes of zeros written ahead at a time, in the file itself, for the sake of small groups: the next
/// sync waits for them.
const AHEAD_BYTES: u64 = 64 * 1024;
/// Groups of fewer bytes are small: writing zeros ahead costs less than their syncs then save.
const SMALL_GROUP_BYTES: u64 = 16 * 1024;
/// A topic is worth a spare when that part of a segment is written.
const SPARE_FROM_PART: u64 = 64;
/// The smallest spare is that part of a segment.
const SPARE_PART: u64 = 8;
/// A spare holds that many times what its topic's last segment does.
const SPARE_GROWTH: u64 = 4;

/// When that part of a segment waits for a sync, one begins in the background, unless each group is
/// synced: 4 MiB of a segment of the default size.
const WRITE_OUT_PART: u64 = 16;
/// A sync of less takes as long as handing it over.
const WRITE_OUT_BYTES_MIN: u64 = 64 * 1024;

/// Appends to the last segment, syncs, keeps the HEAD record, begins new segments.
///
/// - `record.end` is where the last acknowledged particle ends
/// - `at` is where the next one goes; the last bytes before it may still be in `buffer`
/// - `frames` and `head` tell of what was added since `record.end`
/// - bytes of the last segment from `ahead` on were never written; `zeros` counts those that it began
///   with
pub(super) struct Writer {
    files: Arc<TopicFiles>,
    segments: Arc<Segments>,
    workers: Arc<Workers>,
    options: TopicOptions,
    segment: Arc<Segment>,
    open: Option<Open>,
    record: HeadRecord,
    ahead: u64,
    zeros: Option<Counted>,
    spare: Spare,
    write_out: WriteOut,
    at: u64,
    buffer: Vec<u8>,
    frames: Vec<(u32, u32)>,
    head: Option<Head>,
    is_poisoned: bool,
    was_used: bool,
}

/// The files that are written to.
struct Open {
    file: Arc<dyn DiskFile>,
    head: Arc<dyn DiskFile>,
}

impl Writer {
    pub(super) fn open(
        files: Arc<TopicFiles>,
        segments: Arc<Segments>,
        shared: &Shared,
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
        segment.share(&file);
        segment.learn_cheaply(record.head.sequence, record.end.byte)?;
        let spare = Spare::new(Arc::clone(&files), shared, record.counter);
        let (at, ahead) = (record.end.byte, record.end.byte);
        Ok(Self {
            files,
            segments,
            workers: Arc::clone(&shared.workers),
            options,
            segment,
            open: Some(Open {
                file,
                head: head_file,
            }),
            record,
            ahead,
            zeros: None,
            spare,
            write_out: WriteOut::default(),
            at,
            buffer: Vec::new(),
            frames: Vec::new(),
            head: None,
            is_poisoned: false,
            was_used: false,
        })
    }

    pub(super) const fn sync_policy(&self) -> Sync {
        self.options.sync
    }

    /// Writes batches that follow the last one; when this returns they are as durable as the
    /// topic's sync policy says. After an error nothing is known: the topic must be opened anew.
    pub(super) fn commit(&mut self, batches: &[Linked]) -> Result<()> {
        self.guarded("writing failed", |writer| writer.write(batches))
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
        self.was_used = true;
        let worked = self.reopen().and_then(|()| work(self));
        worked.map_err(|error| Error::write(format!("topic {topic}: {what}"), error))?;
        self.is_poisoned = false;
        Ok(())
    }

    /// The file of the last segment.
    fn file(&self) -> io::Result<&dyn DiskFile> {
        let open = self.open.as_ref();
        Ok(&*open.ok_or(io::ErrorKind::NotConnected)?.file)
    }

    fn head_file(&self) -> io::Result<&dyn DiskFile> {
        let open = self.open.as_ref();
        Ok(&*open.ok_or(io::ErrorKind::NotConnected)?.head)
    }

    /// Opens the files again that were closed when the topic was not written to.
    fn reopen(&mut self) -> io::Result<()> {
        if self.open.is_some() {
            return Ok(());
        }
        let disk = &self.files.disk;
        let file = disk.create(&self.files.path(&segment_name(self.record.end.segment)))?;
        let head = disk.create(&self.files.path(HEAD_FILE))?;
        // Whoever removed them meanwhile must not be answered with new ones.
        if file.len()? < self.record.end.byte || head.len()? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "a file was removed or cut while the topic was open",
            ));
        }
        self.segment.share(&file);
        self.open = Some(Open { file, head });
        Ok(())
    }

    /// Whether the files are open.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Closes the files, unless something was written since this was last asked; whether they are
    /// closed. The next write opens them again.
    pub(super) fn park(&mut self) -> bool {
        let is_unsynced = self.record.synced != self.record.end;
        let is_needed = is_unsynced && matches!(self.options.sync, Sync::Interval(_));
        if std::mem::take(&mut self.was_used) || is_needed {
            return false;
        }
        self.spare.remove();
        self.segment.park();
        self.let_go();
        true
    }

    fn let_go(&mut self) {
        self.open = None;
        (self.buffer, self.frames) = (Vec::new(), Vec::new());
    }

    fn write(&mut self, batches: &[Linked]) -> io::Result<()> {
        if self.options.sync == Sync::Always {
            let bytes: usize = batches.iter().map(|batch| batch.frames().len()).sum();
            self.prepare(bytes as u64)?;
        }
        for batch in batches {
            let Some(first) = batch.iter().next() else {
                continue;
            };
            let bytes = batch.frames().len() as u64;
            if self.is_over(bytes) {
                self.flush()?;
                self.begin_segment(first.sequence())?;
            }
            self.add(batch)?;
        }
        self.flush()
    }

    /// Adds a batch to what is written together: a small one by way of the buffer.
    fn add(&mut self, batch: &Linked) -> io::Result<()> {
        let frames = batch.frames();
        let mut last = None;
        for particle in batch.iter() {
            let bytes = u32::try_from(particle.frame().len()).unwrap_or(0);
            self.frames.push((bytes, crc32c::crc32c(particle.frame())));
            last = Some(particle);
        }
        if let Some(last) = last {
            self.head = Some(Head {
                sequence: last.sequence(),
                fingerprint: last.fingerprint(),
            });
        }
        if frames.len() < DIRECT_BYTES_MIN {
            self.buffer.extend_from_slice(frames);
        } else {
            self.write_buffer()?;
            self.file()?.write_at(frames, self.at)?;
        }
        self.at += frames.len() as u64;
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let start = self.at - self.buffer.len() as u64;
            self.file()?.write_at(&self.buffer, start)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Finishes what was added: from here on it is there, as durable as it is to be.
    fn flush(&mut self) -> io::Result<()> {
        self.write_buffer()?;
        let Some(head) = self.head.take() else {
            return Ok(());
        };
        let start = self.record.end.byte;
        self.record.head = head;
        self.record.end.byte = self.at;
        if self.options.sync == Sync::Always {
            self.file()?.sync()?;
            self.record.synced = self.record.end;
        } else {
            self.write_out()?;
        }
        self.write_record()?;
        self.segment.add(start, &self.frames);
        self.frames.clear();
        Ok(())
    }

    /// Sees to it that what is written gets to the disk before its segment is sealed.
    fn write_out(&mut self) -> io::Result<()> {
        if let Some(through) = self.write_out.take()? {
            self.record.synced = through;
        }
        let open = self.open.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let unsynced = self.record.end.byte - self.record.synced.byte;
        if unsynced >= (self.options.segment_bytes / WRITE_OUT_PART).max(WRITE_OUT_BYTES_MIN) {
            self.write_out
                .ask_for(&open.file, self.record.end, &self.workers);
        }
        Ok(())
    }

    /// Makes the last segment durable up to its end.
    fn sync_file(&mut self) -> io::Result<()> {
        self.write_out.finish()?;
        self.file()?.sync()?;
        self.record.synced = self.record.end;
        Ok(())
    }

    /// Sees to it that there are zeros where what comes next will be written and synced.
    fn prepare(&mut self, group_bytes: u64) -> io::Result<()> {
        let segment_bytes = self.options.segment_bytes;
        let end = self.at + group_bytes;
        if group_bytes >= SMALL_GROUP_BYTES.min(segment_bytes / SPARE_FROM_PART) {
            let is_half_used = self.ahead.saturating_sub(end) <= self.ahead / 2;
            if end >= segment_bytes / SPARE_FROM_PART && is_half_used {
                let bytes = (segment_bytes / SPARE_PART).max(SPARE_GROWTH * end);
                self.spare.ask_for(bytes.min(segment_bytes));
            }
        } else if end > self.ahead {
            let ahead = (end + AHEAD_BYTES).min(segment_bytes.max(end));
            let zeros = vec![0; usize::try_from(ahead - end).unwrap_or(0)];
            self.ahead = match self.file()?.write_at(&zeros, end) {
                Ok(()) => ahead,
                // What is to be kept may fit where zeros do not.
                Err(error) if error.kind() == io::ErrorKind::StorageFull => end,
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }

    /// Whether a batch of that many bytes belongs into the next segment: it does not fit into this
    /// one, or not into the zeros that it began with while the next one has some.
    fn is_over(&self, bytes: u64) -> bool {
        let end = self.at + bytes;
        let is_used_up =
            end > self.ahead && self.at >= self.options.segment_bytes / SPARE_FROM_PART;
        self.at > 0 && (end > self.options.segment_bytes || is_used_up && self.spare.is_ready())
    }

    fn write_record(&mut self) -> io::Result<()> {
        self.record.counter += 1;
        self.record.is_clean = false;
        self.put_record()
    }

    fn put_record(&self) -> io::Result<()> {
        self.record.write(self.head_file()?)
    }

    /// Seals the last segment and begins the next with this sequence.
    fn begin_segment(&mut self, first: Sequence) -> io::Result<()> {
        self.seal_file()?;
        let path = self.files.path(&segment_name(first));
        let file = if let Some(zeroed) = self.spare.take() {
            self.files.disk.rename(self.spare.path(), &path)?;
            self.ahead = zeroed.counted.bytes();
            self.zeros = Some(zeroed.counted);
            zeroed.file
        } else {
            let file = self.files.disk.create(&path)?;
            file.set_len(0)?;
            (self.ahead, self.zeros) = (0, None);
            file
        };
        self.files.remove_if_there(&offsets_name(first))?;
        self.files.disk.sync_folder(&self.files.folder)?;
        let files = Arc::clone(&self.files);
        self.segment = Arc::new(Segment::empty(files, first, Arc::clone(&file)));
        if let Some(open) = &mut self.open {
            open.file = file;
        }
        self.record.end = Place {
            segment: first,
            byte: 0,
        };
        self.record.synced = self.record.end;
        self.at = 0;
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
        self.file()?.set_len(self.record.end.byte)?;
        self.sync_file()?;
        self.write_record()?;
        self.head_file()?.sync()
    }

    /// Makes durable what was written before.
    pub(super) fn sync(&mut self) -> Result<()> {
        if self.record.synced == self.record.end {
            return Ok(());
        }
        self.guarded("syncing failed", |writer| {
            writer.sync_file()?;
            writer.write_record()
        })
    }

    /// Lets go of the files, and of what was made in advance.
    pub(super) fn end(&mut self) {
        self.spare.end();
        self.segment.park();
        self.let_go();
    }

    /// Leaves the topic in good order.
    pub(super) fn close(&mut self) -> Result<()> {
        if self.record.is_clean {
            return Ok(());
        }
        self.guarded("closing failed", |writer| {
            writer.file()?.set_len(writer.record.end.byte)?;
            writer.sync_file()?;
            writer.record.counter += 1;
            writer.record.is_clean = true;
            writer.put_record()?;
            writer.head_file()?.sync()
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
