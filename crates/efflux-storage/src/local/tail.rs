//! Walking the frames of a segment from a known place on, every byte checked.

use std::io;

use bytes::Bytes;
use efflux_particle::{DecodeError, FrameError, FrameSize, Particle, frame_bytes_backwards};

use crate::disk::{DiskFile, read_exact_at, read_up_to};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1024 * 1024;
const SIZES_BYTES: usize = 14;
const SUFFIX_BYTES: u64 = 8;

/// Walks the frames of a file from a known place on.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    file: &'a dyn DiskFile,
    at: u64,
    chunk: Bytes,
}

/// What stands at the next place.
#[derive(Debug)]
pub(super) enum Step {
    /// A particle whose bytes check, and where it ends.
    Particle { particle: Particle, end: u64 },
    /// Nothing: the end of the file, or zeros that were written ahead.
    End { at: u64 },
    /// Bytes that are no particle.
    Broken { at: u64, error: DecodeError },
}

impl<'a> Walk<'a> {
    pub(super) const fn from(file: &'a dyn DiskFile, at: u64) -> Self {
        Self {
            file,
            at,
            chunk: Bytes::new(),
        }
    }

    /// Makes at least `count` bytes available, fewer at the file's end.
    fn fill(&mut self, count: usize) -> io::Result<()> {
        if self.chunk.len() >= count {
            return Ok(());
        }
        let mut buffer = vec![0; count.max(CHUNK_BYTES)];
        let read = read_up_to(self.file, &mut buffer, self.at)?;
        buffer.truncate(read);
        self.chunk = buffer.into();
        Ok(())
    }

    pub(super) fn step(&mut self) -> io::Result<Step> {
        let start = self.at;
        self.fill(SIZES_BYTES)?;
        let sizes = self
            .chunk
            .get(..SIZES_BYTES.min(self.chunk.len()))
            .unwrap_or_default();
        if sizes.iter().all(|byte| *byte == 0) {
            return Ok(Step::End { at: start });
        }
        let broken = |error: DecodeError| Ok(Step::Broken { at: start, error });
        let size = match FrameSize::forwards(sizes) {
            Ok(size) => size,
            Err(error) => return broken(error.into()),
        };
        self.fill(size.frame_bytes())?;
        match Particle::decode(&self.chunk) {
            Ok(particle) => {
                let bytes = particle.frame().len();
                self.chunk = self.chunk.slice(bytes..);
                self.at += bytes as u64;
                Ok(Step::Particle {
                    particle,
                    end: self.at,
                })
            }
            Err(error) => broken(error),
        }
    }
}

/// Reads the particle that ends at byte `end`, every byte checked.
pub(super) fn particle_before(
    file: &dyn DiskFile,
    end: u64,
) -> io::Result<Result<(Particle, u64), DecodeError>> {
    let incomplete = |needed: usize| {
        let present = usize::try_from(end).unwrap_or(usize::MAX);
        Ok(Err(FrameError::Incomplete { present, needed }.into()))
    };
    let Some(suffix_at) = end.checked_sub(SUFFIX_BYTES) else {
        return incomplete(8);
    };
    let suffix = match read_exact_at(file, suffix_at, 8) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return incomplete(8),
        read => read?,
    };
    let bytes = match frame_bytes_backwards(&suffix) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error.into())),
    };
    let Some(start) = end.checked_sub(bytes as u64) else {
        return incomplete(bytes);
    };
    let frame = Bytes::from(read_exact_at(file, start, bytes)?);
    Ok(
        Particle::decode(&frame).and_then(|particle| match particle.frame().len() {
            length if length == bytes => Ok((particle, start)),
            length => Err(FrameError::SizesDiffer {
                front: length,
                back: bytes,
            }
            .into()),
        }),
    )
}
