//! The segments of a topic, and reading across them.

use std::sync::Arc;

use efflux_particle::{Particle, Sequence};
use parking_lot::RwLock;

use super::buffers::Buffers;
use super::files::TopicFiles;
use super::segment::Segment;
use super::tables::Tables;
use crate::error::{Error, ErrorKind, Result};
use crate::frames::Frames;
use crate::log::ReadLimit;

/// The segments of a topic, ascending; the last one is appended to.
#[derive(Debug)]
pub(super) struct Segments {
    files: Arc<TopicFiles>,
    list: RwLock<Vec<Arc<Segment>>>,
    tables: Arc<Tables>,
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
            sealed.trim_table();
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
        self.tables.buffers()
    }

    /// Reads one particle of a sealed segment whose table is not in memory; none where that is not
    /// the case or cannot be done.
    fn read_single(&self, sequence: Sequence, head: Sequence) -> Result<Option<Particle>> {
        let (segment, last, is_sealed) = self.find(sequence, head)?;
        if !is_sealed || segment.knows(last) {
            return Ok(None);
        }
        Ok(self.read_single_in(&segment, last, sequence))
    }

    /// The same of a segment whose last particle this is; none, too, when its table is to be loaded.
    fn read_single_in(
        &self,
        segment: &Arc<Segment>,
        last: Sequence,
        sequence: Sequence,
    ) -> Option<Particle> {
        if self.tables.is_worth_loading(segment, last) {
            return None;
        }
        let particle = segment.read_single(sequence)?;
        if !segment.list() {
            self.tables.add(segment);
        }
        Some(particle)
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
        self.tables.count_read(&segment);
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
            if *next > head {
                return Err(self.has_no(*next));
            }
            let (segment, last, is_sealed) = self.find(*next, head)?;
            let is_in = |it: &Sequence| segment.first() <= *it && *it <= last;
            let here = left.iter().take_while(|it| is_in(it)).count();
            let (group, rest) = left.split_at_checked(here.max(1)).unwrap_or((left, &[]));
            left = rest;
            if segment.knows(last)
                && let Some(read) = segment.read_each(group)
            {
                self.tables.count_read(&segment);
                particles.extend(read);
                continue;
            }
            for sequence in group {
                let is_single = is_sealed && !segment.knows(last);
                let single = is_single.then(|| self.read_single_in(&segment, last, *sequence));
                match single.flatten() {
                    Some(particle) => particles.push(particle),
                    None => particles.push(self.read_one(*sequence, head)?),
                }
            }
        }
        Ok(particles)
    }

    /// Reads one particle by its segment's table.
    fn read_one(&self, sequence: Sequence, head: Sequence) -> Result<Particle> {
        let limit = ReadLimit::particles(1);
        let read = self.read_in(sequence, head, |segment, last| {
            segment.read(self.buffers(), sequence, last, limit)
        })?;
        let particle = read.into_iter().next();
        particle.ok_or_else(|| self.has_no(sequence))
    }

    fn has_no(&self, sequence: Sequence) -> Error {
        let topic = &self.files.topic;
        Error::not_found(format!("topic {topic} has no sequence {sequence}"))
    }
}
