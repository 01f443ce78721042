//! Writing a file of frames: beside its place, synced, then renamed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use efflux_flow::particle::{Particle, Sequence};
use efflux_flow::storage::{Disk, DiskFile};

use super::digest::Hasher;
use super::entry::FileEntry;
use super::limits::PIECE_BYTES;

/// What the name of a file that is being written ends with.
pub(super) const UNFINISHED_SUFFIX: &str = ".new";

/// A file of frames that is being written.
#[derive(Debug)]
pub(super) struct FrameWriter {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    beside: PathBuf,
    file: Arc<dyn DiskFile>,
    first: Sequence,
    last: Sequence,
    written: u64,
    buffer: Vec<u8>,
    hasher: Hasher,
}

impl FrameWriter {
    /// Begins a file in a topic's folder, with this particle as its first.
    pub(super) fn begin(disk: &Arc<dyn Disk>, folder: &Path, first: Sequence) -> io::Result<Self> {
        let beside = folder.join(format!("{:020}{UNFINISHED_SUFFIX}", first.get()));
        let file = disk.create(&beside)?;
        file.set_len(0)?;
        Ok(Self {
            disk: Arc::clone(disk),
            folder: folder.to_owned(),
            beside,
            file,
            first,
            last: first,
            written: 0,
            buffer: Vec::with_capacity(PIECE_BYTES),
            hasher: Hasher::default(),
        })
    }

    /// Adds the next particle.
    pub(super) fn push(&mut self, particle: &Particle) -> io::Result<()> {
        if self.buffer.len() + particle.frame().len() > PIECE_BYTES {
            self.write()?;
        }
        self.buffer.extend_from_slice(particle.frame());
        self.last = particle.sequence();
        Ok(())
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_at(&self.buffer, self.written)?;
        self.hasher.update(&self.buffer);
        self.written = self.bytes();
        self.buffer.clear();
        Ok(())
    }

    /// Makes the file durable under its own name.
    pub(super) fn finish(mut self) -> io::Result<FileEntry> {
        self.write()?;
        self.file.sync()?;
        let entry = FileEntry {
            first: self.first,
            last: self.last,
            bytes: self.written,
            sha256: self.hasher.finish(),
        };
        self.disk
            .rename(&self.beside, &self.folder.join(entry.name()))?;
        self.disk.sync_folder(&self.folder)?;
        Ok(entry)
    }
}
