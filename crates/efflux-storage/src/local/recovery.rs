//! Opening a topic for writing: finds its end, cuts what was never acknowledged, refuses damage.
//!
//! The HEAD record says where the acknowledged particles end. Everything up to there must check.
//! What stands after it was never acknowledged, or was when the record had not reached the disk:
//! whole batches are kept, the rest is cut. What no sync has confirmed is copied to a new file
//! before anything is appended, because after a failed write or sync the page cache may show bytes
//! that the disk does not have.

use std::io;
use std::sync::Arc;

use efflux_particle::{Head, Sequence};

use super::files::{HEAD_FILE, TopicFiles, list_segments, offsets_name, segment_name};
use super::head_record::{HeadRecord, Place, Slots};
use super::tail::{Step, Walk, particle_before};
use crate::disk::{DiskFile, read_exact_at};
use crate::error::{Error, Result};

/// Bytes copied at a time.
const COPY_BYTES: usize = 1024 * 1024;

/// A topic that is ready to be appended to.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) record: HeadRecord,
    pub(super) firsts: Vec<Sequence>,
    pub(super) head_file: Arc<dyn DiskFile>,
}

/// Makes a topic ready to be appended to.
pub(super) fn recover(files: &TopicFiles) -> Result<Recovered> {
    let fail = |what: &str| {
        let what = format!("topic {}: cannot {what}", files.topic);
        move |error: io::Error| Error::io(what, error)
    };
    remove_unfinished(files).map_err(fail("remove unfinished files"))?;
    let firsts = list_segments(&*files.disk, &files.folder).map_err(fail("list its segments"))?;
    let head_path = files.path(HEAD_FILE);
    let head_file = files.disk.create(&head_path).map_err(fail("open HEAD"))?;
    let slots = Slots::read(&*head_file).map_err(fail("read HEAD"))?;
    let mut recovery = Recovery { files, firsts };
    let record = recovery.record(&slots)?;
    recovery.remove_overlapping(&record)?;
    if record.is_clean && slots.damaged.is_empty() && recovery.is_untouched(&record)? {
        recovery.check_end(&record)?;
        return Ok(Recovered {
            record,
            firsts: recovery.firsts,
            head_file,
        });
    }
    let record = recovery.settle(&record, &*head_file)?;
    Ok(Recovered {
        record,
        firsts: recovery.firsts,
        head_file,
    })
}

fn remove_unfinished(files: &TopicFiles) -> io::Result<()> {
    for name in files.disk.list(&files.folder)? {
        if name.ends_with(".new") {
            files.remove_if_there(&name)?;
        }
    }
    Ok(())
}

/// How far the chain goes, and the bytes in which it goes there: from a place to a byte in the same
/// segment, one piece after the other.
#[derive(Clone, Debug)]
struct Walked {
    head: Head,
    end: Place,
    pieces: Vec<(Place, u64)>,
}

struct Recovery<'a> {
    files: &'a TopicFiles,
    firsts: Vec<Sequence>,
}

impl Recovery<'_> {
    fn io(&self, error: io::Error) -> Error {
        Error::io(
            format!(
                "topic {}: cannot read or repair its files",
                self.files.topic
            ),
            error,
        )
    }

    fn open_segment(&self, first: Sequence) -> Result<Arc<dyn DiskFile>> {
        let opened = self.files.disk.open(&self.files.path(&segment_name(first)));
        opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let problem = "the segment is missing: restore it from a copy".to_owned();
                self.damage(first, 0, Some(first), problem)
            }
            _ => self.io(error),
        })
    }

    /// The record to start from: the newest, or one made from the last segment when the file HEAD
    /// was removed.
    fn record(&self, slots: &Slots) -> Result<HeadRecord> {
        match (&slots.newest, slots.damaged.first()) {
            (Some(record), _) => Ok(record.clone()),
            (None, Some(at)) => Err(self.files.damage(
                HEAD_FILE,
                *at,
                None,
                "both copies of the HEAD record are damaged; verify the topic, and if nothing else \
                 is damaged, remove the file HEAD: it is then made anew from the stream"
                    .to_owned(),
            )),
            (None, None) => self.record_from_stream(),
        }
    }

    fn record_from_stream(&self) -> Result<HeadRecord> {
        for first in self.firsts.iter().rev() {
            let file = self.open_segment(*first)?;
            let mut walk = Walk::from(&*file, 0);
            let mut found = None;
            loop {
                match walk.step().map_err(|error| self.io(error))? {
                    Step::Particle { particle, end, .. } => {
                        if particle.metadata().batch_remaining() == 0 {
                            found = Some((Head::on(&particle), end));
                        }
                    }
                    Step::End { .. } => break,
                    Step::Broken { at, error } => {
                        return Err(self.damage(*first, at, None, error.to_string()));
                    }
                }
            }
            if let Some((head, byte)) = found {
                return Ok(HeadRecord {
                    counter: 0,
                    head,
                    end: Place {
                        segment: *first,
                        byte,
                    },
                    synced: Place {
                        segment: *first,
                        byte: 0,
                    },
                    boot: [0; 16],
                    is_clean: false,
                });
            }
        }
        let problem = "the topic has no particle: restore its segments from a copy".to_owned();
        Err(self.damage(Sequence::ROOT, 0, Some(Sequence::ROOT), problem))
    }

    fn damage(
        &self,
        segment: Sequence,
        at: u64,
        sequence: Option<Sequence>,
        problem: String,
    ) -> Error {
        self.files
            .damage(&segment_name(segment), at, sequence, problem)
    }

    /// Removes copies that an earlier recovery began and did not finish: the record still points to
    /// the file that they were made from.
    fn remove_overlapping(&mut self, record: &HeadRecord) -> Result<()> {
        let overlaps =
            |first: &Sequence| *first > record.end.segment && *first <= record.head.sequence;
        for first in self.firsts.iter().filter(|first| overlaps(first)) {
            let removed = self.files.remove_if_there(&segment_name(*first));
            removed.map_err(|error| self.io(error))?;
        }
        self.firsts.retain(|first| !overlaps(first));
        if self.firsts.contains(&record.end.segment) {
            return Ok(());
        }
        let problem = "the segment is missing: restore it from a copy".to_owned();
        Err(self.damage(record.end.segment, 0, Some(record.head.sequence), problem))
    }

    fn is_untouched(&self, record: &HeadRecord) -> Result<bool> {
        let file = self.open_segment(record.end.segment)?;
        let length = file.len().map_err(|error| self.io(error))?;
        Ok(self.firsts.last() == Some(&record.end.segment) && length == record.end.byte)
    }

    /// Checks the last acknowledged batch, byte for byte.
    fn check_end(&self, record: &HeadRecord) -> Result<()> {
        let segment = record.end.segment;
        let file = self.open_segment(segment)?;
        let mut expected = record.head;
        let (mut end, mut remaining) = (record.end.byte, 0);
        loop {
            let read = particle_before(&*file, end).map_err(|error| self.io(error))?;
            let (particle, start) = read.map_err(|error| {
                let problem = format!("before this byte, {error}: restore the segment from a copy");
                self.damage(segment, end, Some(expected.sequence), problem)
            })?;
            if Head::on(&particle) != expected {
                let problem = format!(
                    "expected the particle {expected}, found {}",
                    Head::on(&particle)
                );
                return Err(self.damage(segment, start, Some(expected.sequence), problem));
            }
            let metadata = particle.metadata();
            let before = metadata
                .linked_fingerprint()
                .zip(particle.sequence().previous());
            let is_first = metadata.batch_remaining() != remaining || start == 0;
            let Some((fingerprint, sequence)) = before.filter(|_| !is_first) else {
                return Ok(());
            };
            expected = Head {
                sequence,
                fingerprint,
            };
            (end, remaining) = (start, remaining + 1);
        }
    }

    /// Finds the end of the stream, cuts what is not whole, and copies what is not synced.
    fn settle(&mut self, record: &HeadRecord, head_file: &dyn DiskFile) -> Result<HeadRecord> {
        let (head, start) = self.start(record)?;
        let walked = self.walk_to_end(head, start)?;
        let Walked { head, end, .. } = walked;
        let beyond: Vec<_> = self
            .firsts
            .iter()
            .copied()
            .filter(|first| *first > end.segment)
            .collect();
        if let Some(later) = beyond.iter().find(|first| **first > head.sequence.next()) {
            // A segment is only begun when the one before it is whole and synced.
            let problem = format!(
                "expected more particles, up to segment {}",
                segment_name(*later)
            );
            return Err(self.damage(end.segment, end.byte, Some(head.sequence.next()), problem));
        }
        let mut settled = HeadRecord {
            counter: record.counter,
            head,
            end,
            synced: end,
            boot: self.files.disk.boot().unwrap_or_default(),
            is_clean: false,
        };
        if end != record.synced
            && let Some(copied) = self.copy_unsynced(record, start, &walked)?
        {
            (settled.end, settled.synced) = (copied, copied);
        }
        // Both slots, so that neither points to what is cut or removed below; the older one first,
        // so that one is whole at any time.
        for _ in 0..2 {
            settled.counter += 1;
            settled.write(head_file).map_err(|error| self.io(error))?;
        }
        head_file.sync().map_err(|error| self.io(error))?;
        self.firsts
            .retain(|first| *first < settled.end.segment && *first <= record.synced.segment);
        self.cut_before(settled.end.segment)?;
        self.remove_beyond(&settled, &beyond, &walked)
            .map_err(|error| self.io(error))?;
        self.firsts.push(settled.end.segment);
        Ok(settled)
    }

    /// Where to follow the chain from: the end of what was acknowledged, or of what was synced,
    /// when the machine was started anew and what was only written may be gone in any part.
    fn start(&self, record: &HeadRecord) -> Result<(Head, Place)> {
        let lost_power = self
            .files
            .disk
            .boot()
            .is_none_or(|boot| boot != record.boot);
        if lost_power && record.synced != record.end {
            return self.start_at_synced(record.synced);
        }
        self.check_end(record)?;
        Ok((record.head, record.end))
    }

    fn start_at_synced(&self, synced: Place) -> Result<(Head, Place)> {
        let before = self
            .firsts
            .iter()
            .rev()
            .find(|first| **first < synced.segment);
        let end = match (synced.byte, before) {
            (0, None) => return self.start_at_root(),
            (0, Some(before)) => {
                let file = self.open_segment(*before)?;
                let byte = file.len().map_err(|error| self.io(error))?;
                let segment = *before;
                Place { segment, byte }
            }
            _ => synced,
        };
        let file = self.open_segment(end.segment)?;
        let read = particle_before(&*file, end.byte).map_err(|error| self.io(error))?;
        let (particle, _) = read.map_err(|error| {
            let problem = format!("before this byte, {error}: restore the segment from a copy");
            self.damage(end.segment, end.byte, None, problem)
        })?;
        Ok((Head::on(&particle), end))
    }

    fn start_at_root(&self) -> Result<(Head, Place)> {
        let segment = Sequence::ROOT;
        let damage = |problem: String| self.damage(segment, 0, Some(segment), problem);
        let file = self.open_segment(segment)?;
        match Walk::from(&*file, 0)
            .step()
            .map_err(|error| self.io(error))?
        {
            Step::Particle { particle, end, .. } => {
                let head = Head::check_root(&self.files.topic, &particle)
                    .map_err(|error| damage(error.to_string()))?;
                let byte = end;
                Ok((head, Place { segment, byte }))
            }
            Step::Broken { error, .. } => Err(damage(error.to_string())),
            Step::End { .. } => Err(damage("the topic has no particle".to_owned())),
        }
    }

    /// Follows the chain from a known place to its end: the last whole batch.
    fn walk_to_end(&self, mut head: Head, mut end: Place) -> Result<Walked> {
        let mut pieces = vec![(end, end.byte)];
        let mut whole = (head, end);
        loop {
            let file = self.open_segment(end.segment)?;
            let mut walk = Walk::from(&*file, end.byte);
            while let Step::Particle {
                particle,
                end: byte,
                ..
            } = walk.step().map_err(|error| self.io(error))?
            {
                let Ok(next) = head.check_link(&particle) else {
                    break;
                };
                head = next;
                end.byte = byte;
                if let Some((_, until)) = pieces.last_mut() {
                    *until = byte;
                }
                if particle.metadata().batch_remaining() == 0 {
                    whole = (head, end);
                }
            }
            match self.firsts.iter().find(|first| **first > end.segment) {
                Some(next) if *next == head.sequence.next() => {
                    end = Place {
                        segment: *next,
                        byte: 0,
                    };
                    pieces.push((end, 0));
                }
                _ => break,
            }
        }
        let (head, end) = whole;
        pieces.retain(|(from, _)| from.segment <= end.segment);
        if let Some((_, until)) = pieces.last_mut() {
            *until = end.byte;
        }
        Ok(Walked { head, end, pieces })
    }

    /// Copies what no sync has confirmed to a segment of its own; where that ends.
    fn copy_unsynced(
        &self,
        record: &HeadRecord,
        start: Place,
        walked: &Walked,
    ) -> Result<Option<Place>> {
        let mut pieces = walked.pieces.clone();
        if let Some((from, _)) = pieces.first_mut()
            && start == record.end
        {
            // What was acknowledged and not synced lies in the same segment, just before.
            *from = record.synced;
        }
        pieces.retain(|(from, until)| from.byte < *until);
        let Some((from, _)) = pieces.first() else {
            return Ok(None);
        };
        let first = self.first_at(*from)?;
        let name = segment_name(first);
        let beside = self.files.path(&format!("{name}.new"));
        let copy = || -> io::Result<u64> {
            let target = self.files.disk.create(&beside)?;
            let mut written = 0;
            for (from, until) in &pieces {
                let path = self.files.path(&segment_name(from.segment));
                let source = self.files.disk.open(&path)?;
                let mut at = from.byte;
                while at < *until {
                    let count = usize::try_from(until - at)
                        .unwrap_or(COPY_BYTES)
                        .min(COPY_BYTES);
                    target.write_at(&read_exact_at(&*source, at, count)?, written)?;
                    at += count as u64;
                    written += count as u64;
                }
            }
            target.sync()?;
            self.files.disk.rename(&beside, &self.files.path(&name))?;
            self.files.remove_if_there(&offsets_name(first))?;
            self.files.disk.sync_folder(&self.files.folder)?;
            Ok(written)
        };
        let byte = copy().map_err(|error| self.io(error))?;
        let segment = first;
        Ok(Some(Place { segment, byte }))
    }

    /// The sequence of the particle that begins at a place.
    fn first_at(&self, place: Place) -> Result<Sequence> {
        let file = self.open_segment(place.segment)?;
        let mut walk = Walk::from(&*file, place.byte);
        match walk.step().map_err(|error| self.io(error))? {
            Step::Particle { particle, .. } => Ok(particle.sequence()),
            Step::Broken { at, error } => {
                Err(self.damage(place.segment, at, None, error.to_string()))
            }
            Step::End { at } => {
                let problem = "expected a particle, found the end".to_owned();
                Err(self.damage(place.segment, at, None, problem))
            }
        }
    }

    /// Cuts the segment before this one behind its last particle: what was copied from there is
    /// there no more, also when an earlier recovery did not come this far.
    fn cut_before(&self, first: Sequence) -> Result<()> {
        let Some((segment, last)) = self.firsts.last().copied().zip(first.previous()) else {
            return Ok(());
        };
        let path = self.files.path(&segment_name(segment));
        let opened = self.files.disk.create(&path);
        let file = opened.map_err(|error| self.io(error))?;
        let length = file.len().map_err(|error| self.io(error))?;
        let read = particle_before(&*file, length).map_err(|error| self.io(error))?;
        let is_cut = read.is_ok_and(|(particle, _)| particle.sequence() == last);
        let end = match is_cut {
            true => length,
            false => self.end_of(segment, &*file, last)?,
        };
        let cut = || {
            if end != length {
                self.files.remove_if_there(&offsets_name(segment))?;
            }
            // Also when the length is right: the sync of an earlier cut may have failed.
            file.set_len(end)?;
            file.sync()
        };
        cut().map_err(|error| self.io(error))
    }

    /// The byte at which a particle of a segment ends.
    fn end_of(&self, segment: Sequence, file: &dyn DiskFile, last: Sequence) -> Result<u64> {
        let mut walk = Walk::from(file, 0);
        loop {
            match walk.step().map_err(|error| self.io(error))? {
                Step::Particle { particle, end, .. } if particle.sequence() == last => {
                    return Ok(end);
                }
                Step::Particle { .. } => {}
                Step::Broken { at, error } => {
                    return Err(self.damage(segment, at, None, error.to_string()));
                }
                Step::End { at } => {
                    let problem = "expected a particle, found the end".to_owned();
                    return Err(self.damage(segment, at, Some(last), problem));
                }
            }
        }
    }

    /// Removes what the record no longer points to: copied segments, later ones, the torn tail.
    fn remove_beyond(
        &self,
        settled: &HeadRecord,
        beyond: &[Sequence],
        walked: &Walked,
    ) -> io::Result<()> {
        let last = settled.end.segment;
        let copied = walked.pieces.iter().map(|(from, _)| from.segment);
        for first in beyond.iter().copied().chain(copied) {
            if first > last {
                self.files.remove_if_there(&segment_name(first))?;
                self.files.remove_if_there(&offsets_name(first))?;
            }
        }
        let file = self
            .files
            .disk
            .create(&self.files.path(&segment_name(last)))?;
        if file.len()? != settled.end.byte {
            self.files.remove_if_there(&offsets_name(last))?;
            file.set_len(settled.end.byte)?;
            file.sync()?;
        }
        self.files.disk.sync_folder(&self.files.folder)
    }
}
