//! One segment file: frames one after the other, from the sequence in its name on.

mod each;
mod single;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use efflux_particle::{FrameSize, Particle, Sequence};
use parking_lot::{Mutex, RwLock};

use super::buffers::Buffers;
use super::files::{TopicFiles, offsets_name, segment_name};
use super::heat::Heat;
use super::offsets::{Extent, Offsets};
use crate::disk::{DiskFile, read_file, read_up_to};
use crate::error::{Error, ErrorKind, Result};
use crate::frames::Frames;
use crate::limits::OFFSETS_FILE_BYTES_MAX;
use crate::log::ReadLimit;

/// Bytes read at a time when frames are counted.
const WALK_BYTES: usize = 256 * 1024;
/// Bytes that tell how long a frame is.
const SIZES_BYTES: usize = 14;

/// One segment file and what is known of it.
#[derive(Debug)]
pub(super) struct Segment {
    files: Arc<TopicFiles>,
    first: Sequence,
    file: Mutex<Handle>,
    /// The file of the table of a sealed segment, and its bytes.
    table_file: Mutex<Option<(Arc<dyn DiskFile>, u64)>>,
    offsets: RwLock<Option<Offsets>>,
    /// Whether it is counted among those that are open.
    is_listed: AtomicBool,
    heat: Heat,
}

/// The file of a segment, for reading.
#[derive(Debug)]
enum Handle {
    /// Opened when it is first read, and then kept.
    Closed,
    Open(Arc<dyn DiskFile>),
    /// Opened for each read: the topic is one of many that are not written to.
    Parked,
}

impl Segment {
    /// A segment of which nothing is known yet.
    pub(super) fn new(files: Arc<TopicFiles>, first: Sequence) -> Self {
        Self {
            files,
            first,
            file: Mutex::new(Handle::Closed),
            table_file: Mutex::new(None),
            offsets: RwLock::new(None),
            is_listed: AtomicBool::new(false),
            heat: Heat::default(),
        }
    }

    /// A segment that was just made: it holds nothing.
    pub(super) fn empty(files: Arc<TopicFiles>, first: Sequence, file: Arc<dyn DiskFile>) -> Self {
        Self {
            files,
            first,
            file: Mutex::new(Handle::Open(file)),
            table_file: Mutex::new(None),
            offsets: RwLock::new(Some(Offsets::starting_at(first))),
            is_listed: AtomicBool::new(false),
            heat: Heat::default(),
        }
    }

    pub(super) const fn first(&self) -> Sequence {
        self.first
    }

    fn file(&self) -> Result<Arc<dyn DiskFile>> {
        let mut handle = self.file.lock();
        if let Handle::Open(file) = &*handle {
            return Ok(Arc::clone(file));
        }
        if matches!(*handle, Handle::Parked) && self.files.is_ended() {
            // Another topic may have taken the folder meanwhile.
            let topic = &self.files.topic;
            return Err(Error::closed(format!(
                "topic {topic} was closed or deleted"
            )));
        }
        let path = self.files.path(&segment_name(self.first));
        let opened = self
            .files
            .disk
            .open(&path)
            .map_err(|error| self.unreadable(error))?;
        if matches!(*handle, Handle::Closed) {
            *handle = Handle::Open(Arc::clone(&opened));
        }
        Ok(opened)
    }

    /// Reads from here on by way of the file that is written to.
    pub(super) fn share(&self, file: &Arc<dyn DiskFile>) {
        *self.file.lock() = Handle::Open(Arc::clone(file));
    }

    /// Keeps no file open.
    pub(super) fn park(&self) {
        *self.file.lock() = Handle::Parked;
    }

    fn unreadable(&self, error: io::Error) -> Error {
        let path = self.files.path(&segment_name(self.first));
        Error::io(format!("cannot read {}", path.display()), error)
    }

    /// Adds frames that were appended at byte `start`: their lengths and checksums.
    pub(super) fn add(&self, start: u64, frames: &[(u32, u32)]) {
        let mut offsets = self.offsets.write();
        if let Some(offsets) = offsets
            .as_mut()
            .filter(|known| u64::from(known.end()) == start)
        {
            frames
                .iter()
                .for_each(|(bytes, crc)| offsets.push(*bytes, *crc));
        }
    }

    /// Learns what is known without much reading: from the table's file when that goes as far as
    /// the segment does, or from the frames themselves when they are few.
    pub(super) fn learn_cheaply(&self, last: Sequence, end: u64) -> Result<()> {
        let known = self.load_table();
        if u64::from(known.end()) == end && known.next() == last.next() {
            *self.offsets.write() = Some(known);
        } else if end <= WALK_BYTES as u64 {
            self.learn(last)?;
        }
        Ok(())
    }

    /// The table through `last` as its file's bytes; none when nothing is known of this segment.
    pub(super) fn table(&self, last: Sequence) -> Result<Option<Vec<u8>>> {
        let buffers = Arc::default();
        loop {
            let unknown = match &*self.offsets.read() {
                None => return Ok(None),
                Some(offsets) => match offsets.first_unchecked() {
                    Some(unknown) => unknown,
                    None => return Ok(Some(offsets.encode())),
                },
            };
            let read = self.read(&buffers, unknown, last, ReadLimit::default())?;
            let Some(particles) = read.filter(|particles| !particles.is_empty()) else {
                return Ok(None);
            };
            if let Some(offsets) = &mut *self.offsets.write() {
                for particle in particles {
                    offsets.set_crc(particle.sequence(), crc32c::crc32c(particle.frame()));
                }
            }
        }
    }

    /// Bytes of memory that the table of offsets takes.
    pub(super) fn table_bytes(&self) -> usize {
        self.offsets.read().as_ref().map_or(0, Offsets::bytes)
    }

    /// Lets go of the memory that the table of a segment that is written to has ahead.
    pub(super) fn trim_table(&self) {
        if let Some(offsets) = &mut *self.offsets.write() {
            offsets.trim();
        }
    }

    /// How often it is read.
    pub(super) const fn heat(&self) -> &Heat {
        &self.heat
    }

    /// Counts the segment among those that are open; whether it was so before.
    pub(super) fn list(&self) -> bool {
        self.is_listed.swap(true, Ordering::Relaxed)
    }

    /// Forgets what can be read again.
    pub(super) fn forget(&self) {
        *self.offsets.write() = None;
        *self.file.lock() = Handle::Closed;
        *self.table_file.lock() = None;
        self.is_listed.store(false, Ordering::Relaxed);
    }

    /// Forgets the table and what its file says, so that the frames are counted anew.
    pub(super) fn distrust(&self) {
        *self.file.lock() = Handle::Closed;
        *self.offsets.write() = Some(Offsets::starting_at(self.first));
    }

    /// Whether offsets are known through `last`.
    pub(super) fn knows(&self, last: Sequence) -> bool {
        self.offsets
            .read()
            .as_ref()
            .is_some_and(|offsets| offsets.next() > last)
    }

    /// Makes the offsets known through `last`, which must be readable.
    pub(super) fn learn(&self, last: Sequence) -> Result<()> {
        let mut offsets = self.offsets.write();
        let is_from_file = offsets.is_none();
        let known = offsets.get_or_insert_with(|| self.load_table());
        match self.count(known, last) {
            // The table ends where no frame does: it is of another segment.
            Err(error) if error.kind() == ErrorKind::Corrupt && is_from_file => {
                *known = Offsets::starting_at(self.first);
                self.count(known, last)
            }
            counted => counted,
        }
    }

    /// Counts frames from the last known one on through `last`.
    fn count(&self, known: &mut Offsets, last: Sequence) -> Result<()> {
        if known.next() > last {
            return Ok(());
        }
        let file = self.file()?;
        while known.next() <= last {
            self.walk(&*file, known, last)?;
        }
        Ok(())
    }

    fn load_table(&self) -> Offsets {
        let path = self.files.path(&offsets_name(self.first));
        read_file(&*self.files.disk, &path, OFFSETS_FILE_BYTES_MAX)
            .ok()
            .and_then(|bytes| Offsets::decode(&bytes, self.first))
            .unwrap_or_else(|| Offsets::starting_at(self.first))
    }

    /// Counts frames from the last known one on, as far as one read goes.
    fn walk(&self, file: &dyn DiskFile, known: &mut Offsets, last: Sequence) -> Result<()> {
        let start = u64::from(known.end());
        let mut buffer = vec![0; WALK_BYTES];
        let read = read_up_to(file, &mut buffer, start).map_err(|error| self.unreadable(error))?;
        let mut at = 0;
        while known.next() <= last {
            let rest = buffer.get(at..read).unwrap_or_default();
            if rest.len() < SIZES_BYTES && at > 0 {
                return Ok(());
            }
            let size = FrameSize::forwards(rest).map_err(|error| {
                self.files.damage(
                    &segment_name(self.first),
                    start + at as u64,
                    Some(known.next()),
                    error.to_string(),
                )
            })?;
            let bytes = size.frame_bytes();
            known.push(u32::try_from(bytes).unwrap_or(u32::MAX), 0);
            at += bytes;
        }
        Ok(())
    }

    /// Reads particles from `from` upwards, not past `last`, as many as the limit allows; none when
    /// nothing is known of where they stand.
    pub(super) fn read(
        &self,
        buffers: &Arc<Buffers>,
        from: Sequence,
        last: Sequence,
        limit: ReadLimit,
    ) -> Result<Option<Vec<Particle>>> {
        let Some(extents) = self.extents(from, last, limit) else {
            return Ok(None);
        };
        let (start, bytes) = self.load(buffers, from, &extents)?;
        let mut sequence = from;
        let mut particles = Vec::with_capacity(extents.len());
        for extent in &extents {
            let frame = bytes.slice(extent.within(start));
            particles.push(self.check(sequence, extent, &frame)?);
            sequence = sequence.next();
        }
        Ok(Some(particles))
    }

    /// Reads frames as [`Segment::read`] reads particles.
    pub(super) fn read_frames(
        &self,
        buffers: &Arc<Buffers>,
        from: Sequence,
        last: Sequence,
        limit: ReadLimit,
    ) -> Result<Option<Frames>> {
        let Some(extents) = self.extents(from, last, limit) else {
            return Ok(None);
        };
        let (start, bytes) = self.load(buffers, from, &extents)?;
        let mut sequence = from;
        for extent in &extents {
            let frame = bytes.get(extent.within(start)).unwrap_or_default();
            if !extent.fits(frame) {
                self.check(sequence, extent, &bytes.slice(extent.within(start)))?;
            }
            sequence = sequence.next();
        }
        Ok(Some(Frames::new(from, extents.len(), bytes)))
    }

    /// Where the frames from `from` upwards stand, as many as the limit allows.
    fn extents(&self, from: Sequence, last: Sequence, limit: ReadLimit) -> Option<Vec<Extent>> {
        let offsets = self.offsets.read();
        let offsets = offsets.as_ref()?;
        let start = offsets.extent(from)?.start;
        let mut extents = Vec::new();
        let mut next = from;
        while next <= last
            && extents.len() < limit.particles
            && let Some(extent) = offsets.extent(next)
            && (extents.is_empty() || (extent.end - start) as usize <= limit.bytes)
        {
            extents.push(extent);
            next = next.next();
        }
        Some(extents)
    }

    /// Reads particles from `from` downwards, as many as the limit allows; none when nothing is
    /// known of where they stand.
    pub(super) fn read_back(
        &self,
        buffers: &Arc<Buffers>,
        from: Sequence,
        limit: ReadLimit,
    ) -> Result<Option<Vec<Particle>>> {
        let mut first = from;
        {
            let offsets = self.offsets.read();
            let Some(offsets) = &*offsets else {
                return Ok(None);
            };
            let Some(newest) = offsets.extent(from) else {
                return Ok(None);
            };
            while from.past(first) + 1 < limit.particles as u64
                && let Some(before) = first.previous()
                && let Some(extent) = offsets.extent(before)
                && (newest.end - extent.start) as usize <= limit.bytes
            {
                first = before;
            }
        }
        let whole = ReadLimit {
            particles: limit.particles,
            bytes: usize::MAX,
        };
        let mut particles = self.read(buffers, first, from, whole)?;
        if let Some(particles) = &mut particles {
            particles.reverse();
        }
        Ok(particles)
    }

    /// The bytes of neighbouring frames in one read, and where they begin.
    fn load(
        &self,
        buffers: &Arc<Buffers>,
        from: Sequence,
        extents: &[Extent],
    ) -> Result<(u32, Bytes)> {
        let (Some(first), Some(last)) = (extents.first(), extents.last()) else {
            return Ok((0, Bytes::new()));
        };
        let file = self.file()?;
        let (start, count) = (first.start, (last.end - first.start) as usize);
        let read = buffers.read_exact_at(&*file, u64::from(start), count);
        let bytes = read.map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                let problem = "the file ends before this particle does".to_owned();
                let name = segment_name(self.first);
                self.files
                    .damage(&name, u64::from(start), Some(from), problem)
            } else {
                self.unreadable(error)
            }
        })?;
        Ok((start, bytes))
    }

    /// Reads one frame, cheaply where its checksum is known, by its hashes otherwise.
    fn check(&self, sequence: Sequence, extent: &Extent, frame: &Bytes) -> Result<Particle> {
        let damage = |problem: String| {
            let name = segment_name(self.first);
            self.files
                .damage(&name, u64::from(extent.start), Some(sequence), problem)
        };
        let read = if extent.fits(frame) {
            Particle::decode_unchecked(frame)
        } else {
            Particle::decode(frame)
        };
        let particle = read.map_err(|error| damage(error.to_string()))?;
        if particle.frame().len() != frame.len() {
            let (expected, found) = (frame.len(), particle.frame().len());
            return Err(damage(format!(
                "expected a frame of {expected} bytes, found {found}"
            )));
        }
        if particle.sequence() != sequence {
            return Err(damage(format!(
                "expected sequence {sequence}, found {}",
                particle.sequence()
            )));
        }
        Ok(particle)
    }
}
