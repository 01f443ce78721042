//! Reading one particle of a sealed segment without loading the segment's table.

use bytes::Bytes;
use efflux_particle::{Particle, Sequence};

use super::Segment;
use crate::disk::read_exact_at;
use crate::local::files::offsets_name;
use crate::local::offsets::{Extent, Offsets};

impl Segment {
    /// Reads one particle by its entry in the table's file; none when that cannot be used.
    ///
    /// The file's checksum is not computed. What it says is believed only when the frame it points
    /// to has the checksum that the entry names, and the right sequence.
    pub(in crate::local) fn read_single(&self, sequence: Sequence) -> Option<Particle> {
        let extent = self.extent_in_file(sequence)?;
        let file = self.file().ok()?;
        let count = extent.end.checked_sub(extent.start)? as usize;
        let frame = Bytes::from(read_exact_at(&*file, u64::from(extent.start), count).ok()?);
        self.check(sequence, &extent, &frame).ok()
    }

    fn extent_in_file(&self, sequence: Sequence) -> Option<Extent> {
        let mut table = self.table_file.lock();
        if table.is_none() {
            let path = self.files.path(&offsets_name(self.first));
            let file = self.files.disk.open(&path).ok()?;
            let bytes = file.len().ok()?;
            *table = Some((file, bytes));
        }
        let (file, bytes) = table.clone()?;
        drop(table);
        let (at, count) = Offsets::entry_place(sequence.past(self.first))?;
        let entry = read_exact_at(&*file, at, count).ok()?;
        let is_last = at + count as u64 == bytes;
        Offsets::decode_entry(&entry, is_last.then(|| self.sealed_bytes()).flatten())
    }

    /// Where the last frame of a sealed segment ends: with its file.
    fn sealed_bytes(&self) -> Option<u32> {
        let length = self.file().ok()?.len().ok()?;
        u32::try_from(length).ok()
    }
}
