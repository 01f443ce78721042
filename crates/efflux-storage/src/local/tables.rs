//! Which tables of offsets are in memory, for all topics of a store together.
//!
//! A table takes eight bytes a particle, so that those of a large topic are too many. Where a table
//! is not in memory, a single particle is read by its entry in the table's file, with one call more.
//! A table is loaded when that was done some dozen times and there is room; otherwise when it was
//! done so often that loading would have cost no more, and another is read clearly less: reads all
//! over a topic leave in memory what is there.

use std::sync::{Arc, Weak};

use efflux_particle::Sequence;
use parking_lot::Mutex;

use super::buffers::Buffers;
use super::heat::Age;
use super::offsets::Offsets;
use super::segment::Segment;
use crate::limits::{OFFSETS_BYTES_MAX, OPEN_SEGMENTS_MAX};

/// Bytes of a table that are loaded in the time that one more call takes.
const BYTES_PER_CALL: u64 = 4096;

/// Single reads of a segment after which it is asked, each time again, whether its table is to be
/// loaded.
const READS_STEP: u64 = 32;

/// What the topics of a store share for reading: tables of offsets of sealed segments that are in
/// memory, and memory to read into.
#[derive(Debug, Default)]
pub(super) struct Tables {
    listed: Mutex<Vec<Listed>>,
    buffers: Arc<Buffers>,
    age: Age,
}

/// A segment whose table is in memory, or whose file is open.
#[derive(Debug)]
struct Listed {
    segment: Weak<Segment>,
    /// Bytes of its table; 0 when only its file is open.
    bytes: usize,
}

impl Tables {
    /// Memory to read into.
    pub(super) const fn buffers(&self) -> &Arc<Buffers> {
        &self.buffers
    }

    /// Counts a read of a segment by its table.
    pub(super) fn count_read(&self, segment: &Segment) {
        segment.heat().count(&self.age);
    }

    /// Lists a segment that has a table in memory or is open, and forgets those that are read least
    /// where they are too many.
    pub(super) fn add(&self, segment: &Arc<Segment>) {
        segment.list();
        let added = Listed {
            segment: Arc::downgrade(segment),
            bytes: segment.table_bytes(),
        };
        let mut listed = self.listed.lock();
        listed.retain(|it| it.segment.strong_count() > 0 && !it.is(segment));
        let mut bytes = listed.iter().map(|it| it.bytes).sum::<usize>() + added.bytes;
        while bytes > OFFSETS_BYTES_MAX || listed.len() >= OPEN_SEGMENTS_MAX {
            let is_heavy = bytes > OFFSETS_BYTES_MAX;
            let others = (0..).zip(&*listed);
            let others = others.filter(|(_, it)| !is_heavy || it.bytes > 0);
            let Some((at, _)) = others.min_by_key(|(_, it)| self.reads(it)) else {
                break;
            };
            let coldest = listed.remove(at);
            bytes -= coldest.bytes;
            if let Some(coldest) = coldest.segment.upgrade() {
                coldest.forget();
            }
        }
        listed.push(added);
    }

    /// Counts a read of a segment without its table, and tells whether the table is to be loaded.
    /// `last` is the segment's last particle.
    pub(super) fn is_worth_loading(&self, segment: &Segment, last: Sequence) -> bool {
        let reads = segment.heat().count(&self.age);
        let bytes = Offsets::bytes_of(last.past(segment.first()) + 1);
        if !reads.is_multiple_of(READS_STEP) {
            return false;
        }
        let listed = self.listed.lock();
        let held: u64 = listed.iter().map(|it| it.bytes as u64).sum();
        let tables = listed.iter().filter(|it| it.bytes > 0);
        let least = tables.map(|it| self.reads(it)).min();
        let has_room = held + bytes <= OFFSETS_BYTES_MAX as u64;
        has_room || reads >= bytes / BYTES_PER_CALL && least.is_none_or(|it| it < reads / 2)
    }

    fn reads(&self, listed: &Listed) -> u64 {
        let segment = listed.segment.upgrade();
        segment.map_or(0, |segment| segment.heat().reads(&self.age))
    }
}

impl Listed {
    fn is(&self, segment: &Arc<Segment>) -> bool {
        std::ptr::eq(self.segment.as_ptr(), Arc::as_ptr(segment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, RealDisk};
    use crate::local::files::TopicFiles;

    const FRAMES: usize = 128 * 1024;

    /// Segments whose tables take all the memory that there is for tables, and one more.
    fn segments(folder: &tempfile::TempDir) -> Vec<Arc<Segment>> {
        let name = "t".parse().unwrap();
        let files = TopicFiles::new(Arc::new(RealDisk), folder.path().to_owned(), name);
        let files = Arc::new(files);
        let file = RealDisk.create(&folder.path().join("segment")).unwrap();
        let count = OFFSETS_BYTES_MAX as u64 / Offsets::bytes_of(FRAMES as u64);
        let segment = |number| {
            let first = Sequence::new(number * FRAMES as u64);
            let segment = Segment::empty(Arc::clone(&files), first, Arc::clone(&file));
            segment.add(0, &vec![(100, 1); FRAMES]);
            segment.trim_table();
            Arc::new(segment)
        };
        (0..=count).map(segment).collect()
    }

    fn last(segment: &Segment) -> Sequence {
        segment.first().plus(FRAMES as u64 - 1)
    }

    fn is_held(segment: &Segment) -> bool {
        segment.knows(last(segment))
    }

    #[test]
    fn the_segment_that_is_read_least_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (tables, segments) = (Tables::default(), segments(&folder));
        for (number, segment) in segments.iter().enumerate() {
            let reads = if number == 7 { 1 } else { 2 };
            (0..reads).for_each(|_| tables.count_read(segment));
            tables.add(segment);
        }
        let forgotten: Vec<_> = (0..).zip(&segments).filter(|it| !is_held(it.1)).collect();
        assert_eq!(forgotten.iter().map(|it| it.0).collect::<Vec<_>>(), [7]);
    }

    #[test]
    fn a_table_takes_the_place_of_another_only_when_it_is_read_far_more() {
        let folder = tempfile::tempdir().unwrap();
        let (tables, segments) = (Tables::default(), segments(&folder));
        let (asked, held) = segments.split_last().unwrap();
        held.iter().for_each(|segment| tables.add(segment));
        let ask = || tables.is_worth_loading(asked, last(asked));
        for _ in 0..2000 {
            held.iter().for_each(|it| tables.count_read(it));
            assert!(!ask(), "all are read as often");
        }
        assert!((0..10_000).any(|_| ask()), "it is read more often");
    }
}
