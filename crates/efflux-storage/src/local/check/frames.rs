//! The frames of a segment one after the other, hashed on all cores.
//!
//! One thread reads and finds out where frames begin and end; it is the only one that touches the
//! disk. Pieces of whole frames are hashed wherever a core is free, and come back in order: what is
//! found, and where the first damage is, does not depend on how many cores there are.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use efflux_particle::{DecodeError, FrameError, FrameSize, Particle};

use crate::crew::Crew;
use crate::disk::DiskFile;
use crate::limits::VERIFY_BYTES_MAX;
use crate::local::buffers::Buffers;

/// Bytes read at a time: they fit the cache of a core.
const PIECE_BYTES: usize = 512 * 1024;
/// Pieces that are read ahead for each core.
const PIECES_PER_CORE: usize = 2;
/// Bytes that tell how long a frame is.
const SIZES_BYTES: usize = 14;

/// Whole frames, as far as their sizes tell, and the byte at which they begin.
pub(super) struct Piece {
    start: u64,
    bytes: Bytes,
}

/// What stands at a place.
#[derive(Debug)]
pub(super) enum Found {
    /// A particle whose bytes check, where it begins, and the CRC-32C of its frame.
    Particle {
        particle: Particle,
        start: u64,
        crc: u32,
    },
    /// Nothing: the end of the file, or zeros that were written ahead.
    End { at: u64 },
    /// Bytes that are no particle.
    Broken { at: u64, error: DecodeError },
}

/// The cores that hash, and memory to read into.
pub(super) struct Hashing {
    crew: Crew<Piece, Hashed>,
    buffers: Arc<Buffers>,
}

/// What stands in a piece, up to the first that is no particle.
struct Hashed {
    bytes: usize,
    found: Vec<Found>,
}

impl Hashing {
    pub(super) fn on_all_cores() -> Self {
        Self {
            crew: Crew::new(hash),
            buffers: Arc::default(),
        }
    }

    /// The frames of a file from its beginning on, not beyond byte `until`.
    pub(super) fn frames<'a>(&'a mut self, file: &'a dyn DiskFile, until: u64) -> Frames<'a> {
        Frames {
            file,
            hashing: self,
            until,
            read_at: 0,
            pending_bytes: 0,
            last: None,
            hashed: Vec::new().into_iter(),
            position: 0,
        }
    }
}

fn hash(piece: &Piece) -> Hashed {
    let bytes = piece.bytes.len();
    let (mut rest, mut at) = (piece.bytes.clone(), piece.start);
    // As many as there are if they are all as long as the first. Found ones are large to move.
    let like_the_first = FrameSize::forwards(&rest).map_or(1, FrameSize::frame_bytes);
    let mut found = Vec::with_capacity(bytes / like_the_first + 1);
    while !rest.is_empty() {
        match Particle::decode(&rest) {
            Ok(particle) => {
                let length = particle.frame().len();
                let crc = crc32c::crc32c(particle.frame());
                rest = rest.slice(length..);
                let start = at;
                at += length as u64;
                found.push(Found::Particle {
                    particle,
                    start,
                    crc,
                });
            }
            Err(error) => {
                found.push(Found::Broken { at, error });
                break;
            }
        }
    }
    Hashed { bytes, found }
}

/// Walks the frames of a file from its beginning on, every byte checked.
pub(super) struct Frames<'a> {
    file: &'a dyn DiskFile,
    hashing: &'a mut Hashing,
    /// Not beyond this byte.
    until: u64,
    /// The byte from which on nothing was read yet.
    read_at: u64,
    /// Bytes that were handed to the hashers and did not come back.
    pending_bytes: usize,
    /// What stands behind all pieces, once that is reached; it is told when they are done.
    last: Option<io::Result<Found>>,
    hashed: std::vec::IntoIter<Found>,
    position: u64,
}

impl Frames<'_> {
    /// The byte behind the last particle that was found.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// What stands next. Behind what is no particle nothing is looked at.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        loop {
            if let Some(found) = self.hashed.next() {
                if let Found::Particle {
                    particle, start, ..
                } = &found
                {
                    self.position = start + particle.frame().len() as u64;
                }
                return Ok(found);
            }
            self.read_ahead();
            if let Some(hashed) = self.hashing.crew.take() {
                self.hashed = hashed.found.into_iter();
                self.pending_bytes -= hashed.bytes;
            } else {
                let nothing = Found::End { at: self.read_at };
                return self.last.take().unwrap_or(Ok(nothing));
            }
        }
    }

    /// Hands pieces to the hashers, as many as may be in memory.
    fn read_ahead(&mut self) {
        let pieces_max = PIECES_PER_CORE * self.hashing.crew.cores();
        while self.last.is_none()
            && self.hashing.crew.pending() < pieces_max
            && (self.pending_bytes < VERIFY_BYTES_MAX || self.hashing.crew.pending() == 0)
        {
            match self.read_piece() {
                Ok((piece, behind)) => {
                    self.read_at += piece.bytes.len() as u64;
                    let at = self.read_at;
                    self.last = match behind {
                        Behind::More { .. } => None,
                        Behind::Nothing => Some(Ok(Found::End { at })),
                        Behind::Broken(error) => Some(Ok(Found::Broken {
                            at,
                            error: error.into(),
                        })),
                    };
                    if !piece.bytes.is_empty() {
                        self.pending_bytes += piece.bytes.len();
                        self.hashing.crew.put(piece);
                    }
                }
                Err(error) => self.last = Some(Err(error)),
            }
        }
    }

    /// Reads the next piece, one frame at least unless none stands there.
    fn read_piece(&self) -> io::Result<(Piece, Behind)> {
        let mut count = PIECE_BYTES;
        loop {
            let room = self.until.saturating_sub(self.read_at);
            let asked = count.min(usize::try_from(room).unwrap_or(usize::MAX));
            let mut bytes = self
                .hashing
                .buffers
                .read_up_to(self.file, self.read_at, asked)?;
            let (whole, behind) = split(&bytes, bytes.len() < count);
            if let (0, Behind::More { needed }) = (whole, &behind) {
                count = *needed;
                continue;
            }
            bytes.truncate(whole);
            let start = self.read_at;
            return Ok((Piece { start, bytes }, behind));
        }
    }
}

impl Drop for Frames<'_> {
    fn drop(&mut self) {
        self.hashing.crew.discard();
    }
}

/// What stands behind the last whole frame of bytes that were read.
enum Behind {
    /// A frame that needs so many bytes, which have not all been read.
    More { needed: usize },
    /// The end of the file, or zeros that were written ahead.
    Nothing,
    /// No frame.
    Broken(FrameError),
}

/// How many of the bytes are whole frames, as far as their sizes tell, and what stands behind them.
/// With `is_end`, no byte follows these.
fn split(bytes: &[u8], is_end: bool) -> (usize, Behind) {
    let mut whole = 0;
    loop {
        let rest = bytes.get(whole..).unwrap_or_default();
        let sizes = rest.get(..SIZES_BYTES).unwrap_or(rest);
        if sizes.len() < SIZES_BYTES && !is_end {
            let needed = SIZES_BYTES;
            return (whole, Behind::More { needed });
        }
        if sizes.iter().all(|byte| *byte == 0) {
            return (whole, Behind::Nothing);
        }
        let needed = match FrameSize::forwards(sizes) {
            Ok(size) => size.frame_bytes(),
            Err(error) => return (whole, Behind::Broken(error)),
        };
        let present = rest.len();
        if needed > present && is_end {
            let error = FrameError::Incomplete { present, needed };
            return (whole, Behind::Broken(error));
        }
        if needed > present {
            return (whole, Behind::More { needed });
        }
        whole += needed;
    }
}

#[cfg(test)]
mod tests;
