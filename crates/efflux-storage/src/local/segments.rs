//! The segments of a topic, and reading across them.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use efflux_particle::{Particle, Sequence};
use parking_lot::{Mutex, RwLock};

use super::buffers::Buffers;
use super::files::TopicFiles;
use super::segment::Segment;
use crate::error::{Error, ErrorKind, Result};
use crate::frames::Frames;
use crate::limits::{OFFSETS_BYTES_MAX, OPEN_SEGMENTS_MAX};
use crate::log::ReadLimit;

/// The segments of a topic, ascending; the last one is appended to.
#[derive(Debug)]
pub(super) struct Segments {
    files: Arc<TopicFiles>,
    list: RwLock<Vec<Arc<Segment>>>,
    tables: Arc<Tables>,
}

/// What the topics of a store share for reading: tables of offsets of sealed segments that are in
/// memory, of which the ones that were loaded first are forgotten first, and memory to read into.
#[derive(Debug, Default)]
pub(super) struct Tables {
    loaded: Mutex<Loaded>,
    buffers: Arc<Buffers>,
}

#[derive(Debug, Default)]
struct Loaded {
    segments: VecDeque<(Weak<Segment>, usize)>,
    bytes: usize,
}

impl Tables {
    fn add(&self, segment: &Arc<Segment>) {
        segment.list();
        let bytes = segment.table_bytes();
        let mut loaded = self.loaded.lock();
        loaded.segments.push_back((Arc::downgrade(segment), bytes));
        loaded.bytes += bytes;
        while (loaded.bytes > OFFSETS_BYTES_MAX || loaded.segments.len() > OPEN_SEGMENTS_MAX)
            && loaded.segments.len() > 1
            && let Some((oldest, bytes)) = loaded.segments.pop_front()
        {
            loaded.bytes -= bytes;
            if let Some(oldest) = oldest.upgrade() {
                oldest.forget();
            }
        }
    }
}

impl Segments {
    pub(super) fn new(files: Arc<TopicFiles>, firsts: &[Sequence], tables: Arc<Tables>) -> Self {
        let list = firsts
            .iter()
            .map(|first| Arc::new(Segment::new(Arc::clone(&files), *first)));
        let list = RwLock::new(list.collect());
        Self {
            files,
            list,
            tables,
        }
    }

    pub(super) fn last(&self) -> Option<Arc<Segment>> {
        self.list.read().last().cloned()
    }

    /// Adds the segment that comes after all others; tells the one before it, now sealed.
    pub(super) fn push(&self, segment: Arc<Segment>) -> Option<Arc<Segment>> {
        let mut list = self.list.write();
        let sealed = list.last().cloned();
        list.push(segment);
        if let Some(sealed) = &sealed {
            self.tables.add(sealed);
        }
        sealed
    }

    /// Begins anew with these segments, as a reader does when the writing process has recovered.
    pub(super) fn reset(&self, firsts: &[Sequence]) {
        let files = &self.files;
        let segment = |first: &Sequence| Arc::new(Segment::new(Arc::clone(files), *first));
        *self.list.write() = firsts.iter().map(segment).collect();
    }

    /// Adds the segments that are missing, as found by another process's reader.
    pub(super) fn extend(&self, firsts: &[Sequence]) {
        let mut list = self.list.write();
        for first in firsts {
            if list.last().is_none_or(|last| last.first() < *first) {
                list.push(Arc::new(Segment::new(Arc::clone(&self.files), *first)));
            }
        }
    }

    /// The segment that holds `sequence`, its last readable sequence, and whether it is sealed.
    fn find(&self, sequence: Sequence, head: Sequence) -> Result<(Arc<Segment>, Sequence, bool)> {
        let list = self.list.read();
        let after = list.partition_point(|segment| segment.first() <= sequence);
        let found = after.checked_sub(1).and_then(|at| list.get(at));
        let Some(found) = found else {
            return Err(Error::not_found(format!(
                "topic {} no longer holds sequence {sequence}",
                self.files.topic
            )));
        };
        let next = list.get(after).and_then(|next| next.first().previous());
        Ok((
            Arc::clone(found),
            next.map_or(head, |last| last.min(head)),
            next.is_some(),
        ))
    }

    fn learn(&self, segment: &Arc<Segment>, last: Sequence, is_sealed: bool) -> Result<()> {
        if segment.knows(last) {
            return Ok(());
        }
        segment.learn(last)?;
        if is_sealed {
            self.tables.add(segment);
        }
        Ok(())
    }

    /// Reads upwards from `from`, within one segment.
    pub(super) fn read(
        &self,
        from: Sequence,
        head: Sequence,
        limit: ReadLimit,
    ) -> Result<Vec<Particle>> {
        if from > head {
            return Ok(Vec::new());
        }
        let limit = limit.bounded();
        if limit.particles == 1
            && let Some(particle) = self.read_single(from, head)?
        {
            return Ok(vec![particle]);
        }
        self.read_in(from, head, |segment, last| {
            segment.read(self.buffers(), from, last, limit)
        })
    }

    /// Reads frames upwards from `from`, within one segment.
    pub(super) fn read_frames(
        &self,
        from: Sequence,
        head: Sequence,
        limit: ReadLimit,
    ) -> Result<Frames> {
        if from > head {
            return Ok(Frames::none(from));
        }
        let limit = limit.bounded();
        self.read_in(from, head, |segment, last| {
            segment.read_frames(self.buffers(), from, last, limit)
        })
    }

    /// Memory to read into.
    pub(super) fn buffers(&self) -> &Arc<Buffers> {
        &self.tables.buffers
    }

    /// Reads one particle of a sealed segment whose table is not in memory; none where that is not
    /// the case or cannot be done.
    fn read_single(&self, sequence: Sequence, head: Sequence) -> Result<Option<Particle>> {
        let (segment, last, is_sealed) = self.find(sequence, head)?;
        if !is_sealed || segment.knows(last) {
            return Ok(None);
        }
        let particle = segment.read_single(sequence);
        if particle.is_some() && !segment.list() {
            self.tables.add(&segment);
        }
        Ok(particle)
    }

    /// Reads downwards from `from` or from the head, within one segment.
    pub(super) fn read_back(
        &self,
        from: Sequence,
        head: Sequence,
        limit: ReadLimit,
    ) -> Result<Vec<Particle>> {
        let (from, limit) = (from.min(head), limit.bounded());
        self.read_in(from, head, |segment, _| {
            segment.read_back(self.buffers(), from, limit)
        })
    }

    /// Reads in the segment that holds `from`, its offsets known. What looks damaged is read once
    /// more with its frames counted anew: then it was the table that was wrong.
    fn read_in<T>(
        &self,
        from: Sequence,
        head: Sequence,
        read: impl Fn(&Segment, Sequence) -> Result<Option<T>>,
    ) -> Result<T> {
        let (segment, last, is_sealed) = self.find(from, head)?;
        let mut is_distrusted = false;
        // A table may be forgotten between the two steps; it is then simply learnt again.
        loop {
            let learnt = self.learn(&segment, last, is_sealed);
            match learnt.and_then(|()| read(&segment, last)) {
                Err(error) if error.kind() == ErrorKind::Corrupt && !is_distrusted => {
                    is_distrusted = true;
                    segment.distrust();
                }
                Ok(None) => {}
                Ok(Some(read)) => return Ok(read),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the particles at these places.
    pub(super) fn read_each(
        &self,
        sequences: &[Sequence],
        head: Sequence,
    ) -> Result<Vec<Particle>> {
        let mut particles = Vec::with_capacity(sequences.len());
        let mut left = sequences;
        while let Some(next) = left.first() {
            if left.len() > 1 && *next <= head {
                let (segment, last, _) = self.find(*next, head)?;
                let is_in = |it: &Sequence| segment.first() <= *it && *it <= last;
                let here = left.iter().take_while(|it| is_in(it)).count();
                let (group, rest) = left.split_at(here);
                if here > 1
                    && segment.knows(last)
                    && let Some(read) = segment.read_each(group)
                {
                    particles.extend(read);
                    left = rest;
                    continue;
                }
            }
            particles.push(self.read_one(*next, head)?);
            left = left.get(1..).unwrap_or_default();
        }
        Ok(particles)
    }

    fn read_one(&self, sequence: Sequence, head: Sequence) -> Result<Particle> {
        let read = self.read(sequence, head, ReadLimit::particles(1))?;
        read.into_iter().next().ok_or_else(|| {
            Error::not_found(format!(
                "topic {} has no sequence {sequence}",
                self.files.topic
            ))
        })
    }
}
