//! Reading a file of frames, every byte checked.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use efflux_flow::particle::{Chain, FrameSize, Particle, Sequence, TopicName};
use efflux_flow::storage::{Damage, Disk, DiskFile, Error, Result};

use super::digest::Hasher;
use super::entry::FileEntry;
use super::limits::PIECE_BYTES;

/// Bytes of a frame that tell its size.
const PREFIX_BYTES: usize = 14;

/// Reads a file of frames one particle after the other.
#[derive(Debug)]
pub(super) struct FrameReader<'a> {
    topic: &'a TopicName,
    entry: &'a FileEntry,
    file: Arc<dyn DiskFile>,
    /// Where the last particle begins, and where the next one does.
    frame_at: u64,
    at: u64,
    next: Sequence,
    /// What was read from `at` on.
    piece: Bytes,
    hasher: Hasher,
}

impl<'a> FrameReader<'a> {
    /// Opens the file of a topic, in that topic's folder.
    ///
    /// # Errors
    /// `Corrupt` when it is missing or has another length than it should.
    pub(super) fn open(
        disk: &dyn Disk,
        folder: &Path,
        topic: &'a TopicName,
        entry: &'a FileEntry,
    ) -> Result<Self> {
        let damage = |problem: String| damage(topic, entry, 0, entry.first, problem);
        let path = folder.join(entry.name());
        let file = disk.open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damage("the file is missing".to_owned()),
            _ => unreadable(&path, error),
        })?;
        let bytes = file.len().map_err(|error| unreadable(&path, error))?;
        if bytes != entry.bytes {
            let expected = entry.bytes;
            return Err(damage(format!(
                "expected a file of {expected} bytes, found {bytes}"
            )));
        }
        Ok(Self {
            topic,
            entry,
            file,
            frame_at: 0,
            at: 0,
            next: entry.first,
            piece: Bytes::new(),
            hasher: Hasher::default(),
        })
    }

    /// The next particle; none at the file's end.
    pub(super) fn next(&mut self) -> Result<Option<Particle>> {
        if self.at >= self.entry.bytes {
            return self.end().map(|()| None);
        }
        self.frame_at = self.at;
        self.fill(PREFIX_BYTES)?;
        let size = FrameSize::forwards(&self.piece);
        let size = size.map_err(|error| self.damage(error.to_string()))?;
        self.fill(size.frame_bytes())?;
        let particle = Particle::decode(&self.piece);
        let particle = particle.map_err(|error| self.damage(error.to_string()))?;
        if particle.sequence() != self.next {
            let (expected, found) = (self.next, particle.sequence());
            return Err(self.damage(format!("expected sequence {expected}, found {found}")));
        }
        let bytes = particle.frame().len();
        self.piece = self.piece.split_off(bytes);
        self.at += bytes as u64;
        self.next = self.next.next();
        self.hasher.update(particle.frame());
        Ok(Some(particle))
    }

    /// Holds the last particle against the chain so far, which begins with it when there is none.
    pub(super) fn link(&self, chain: &mut Option<Chain>, particle: &Particle) -> Result<()> {
        let checked = match chain {
            Some(chain) => chain.check_link(particle).map(drop),
            None => Chain::root(self.topic, particle).map(|root| *chain = Some(root)),
        };
        let sequence = particle.sequence();
        checked.map_err(|error| {
            let problem = error.to_string();
            damage(self.topic, self.entry, self.frame_at, sequence, problem)
        })
    }

    fn end(&mut self) -> Result<()> {
        if self.next != self.entry.last.next() {
            let last = self.entry.last;
            return Err(self.damage(format!("expected particles through {last}")));
        }
        let found = std::mem::take(&mut self.hasher).finish();
        match found == self.entry.sha256 {
            true => Ok(()),
            false => Err(self.damage(format!(
                "expected the file's SHA-256 {}, found {found}",
                self.entry.sha256
            ))),
        }
    }

    /// Makes so many bytes available, fewer at the file's end.
    fn fill(&mut self, count: usize) -> Result<()> {
        if self.piece.len() >= count {
            return Ok(());
        }
        let rest = usize::try_from(self.entry.bytes - self.at).unwrap_or(usize::MAX);
        let mut buffer = vec![0; count.max(PIECE_BYTES).min(rest)];
        let mut done = 0;
        while let Some(space) = buffer.get_mut(done..).filter(|space| !space.is_empty()) {
            match self.file.read_at(space, self.at + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(Path::new(&self.entry.name()), error)),
            }
        }
        buffer.truncate(done);
        self.piece = buffer.into();
        Ok(())
    }

    fn damage(&self, problem: String) -> Error {
        damage(self.topic, self.entry, self.frame_at, self.next, problem)
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot read {}", path.display()), error)
}

fn damage(
    topic: &TopicName,
    entry: &FileEntry,
    offset: u64,
    sequence: Sequence,
    problem: String,
) -> Error {
    Error::corrupt(Damage {
        topic: topic.clone(),
        file: entry.name(),
        offset,
        sequence: Some(sequence),
        problem,
    })
}
