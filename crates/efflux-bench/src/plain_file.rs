//! The frames that topics of the rows that read hold, in a plain file: what a bare loop reads.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;

use sha2::{Digest, Sha256};

use crate::Result;
use crate::frame::Encoder;
use crate::workload::Workload;

/// Frames that the limit of scans hashes, from memory.
const SAMPLE: u64 = 50_000;
/// Bytes read at a time at most; pieces are begun every half of it.
const PIECE_BYTES: usize = 2 * 1024 * 1024;
const METADATA_SIZE_AT: usize = 10;
const METADATA_AT: usize = 46;
const FOOTER_BYTES: usize = 8;

/// The frames of the limit programs, in a file and partly in memory.
pub(crate) struct PlainFile {
    pub(crate) file: File,
    /// Where each frame begins, and its bytes.
    pub(crate) places: Vec<(u64, usize)>,
    sample: Vec<u8>,
}

impl PlainFile {
    pub(crate) fn write(folder: &Path, workload: &Workload, records: u64) -> Result<Self> {
        let path = folder.join("frames");
        std::fs::write(&path, b"")?;
        let file = File::options().read(true).write(true).open(path)?;
        let (mut encoder, mut at) = (Encoder::default(), 0);
        let (mut places, mut sample) = (Vec::new(), Vec::new());
        for number in 1..=records {
            encoder.add(&workload.record(number), None);
            file.write_all_at(&encoder.buffer, at)?;
            places.push((at, encoder.buffer.len()));
            at += encoder.buffer.len() as u64;
            if number <= SAMPLE {
                sample.extend_from_slice(&encoder.buffer);
            }
            encoder.buffer.clear();
        }
        Ok(Self {
            file,
            places,
            sample,
        })
    }

    /// Hashes metadata and payload of every frame of the sample; how many frames.
    pub(crate) fn hash_all(&self) -> u64 {
        let (mut rest, mut count) = (&*self.sample, 0);
        for (_, bytes) in &self.places {
            let Some((frame, after)) = rest.split_at_checked(*bytes) else {
                break;
            };
            hash(frame);
            rest = after;
            count += 1;
        }
        count
    }

    /// Hashes the sample on that many threads, once on each; how many frames.
    pub(crate) fn hash_all_on(&self, cores: usize) -> Result<u64> {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..cores)
                .map(|_| scope.spawn(|| self.hash_all()))
                .collect();
            let mut count = 0;
            for thread in threads {
                count += thread.join().map_err(|_| "a thread panicked")?;
            }
            Ok(count)
        })
    }

    /// Reads the file in large pieces and computes the CRC-32C of every frame; how many frames.
    pub(crate) fn checksum_all(&self) -> Result<u64> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut count = 0;
        for frames in self.places.chunk_by(|(one, _), (other, _)| {
            one / (PIECE_BYTES as u64 / 2) == other / (PIECE_BYTES as u64 / 2)
        }) {
            let start = frames.first().map_or(0, |(at, _)| *at);
            let bytes = frames.iter().map(|(_, bytes)| bytes).sum::<usize>();
            let piece = piece
                .get_mut(..bytes)
                .ok_or("frames are larger than a piece")?;
            self.file.read_exact_at(piece, start)?;
            let mut rest = &*piece;
            for (_, bytes) in frames {
                let (frame, after) = rest.split_at_checked(*bytes).ok_or("a frame is cut")?;
                std::hint::black_box(crc32c::crc32c(frame));
                rest = after;
                count += 1;
            }
        }
        Ok(count)
    }

    /// One read of one frame, into bytes of its own.
    pub(crate) fn read(&self, number: u64) -> Result<Vec<u8>> {
        let at = usize::try_from(number.saturating_sub(1))?;
        let (place, bytes) = self.places.get(at).ok_or("there is no such frame")?;
        let mut frame = vec![0; *bytes];
        self.file.read_exact_at(&mut frame, *place)?;
        Ok(frame)
    }
}

fn hash(frame: &[u8]) {
    let size = frame.get(METADATA_SIZE_AT..).and_then(<[u8]>::first_chunk);
    let metadata_bytes = size.map_or(0, |size| u32::from_le_bytes(*size)) as usize;
    let payload_at = METADATA_AT + metadata_bytes;
    let metadata = frame.get(METADATA_AT..payload_at);
    let payload = frame.get(payload_at..frame.len() - FOOTER_BYTES);
    for part in [metadata, payload].into_iter().flatten() {
        std::hint::black_box(Sha256::digest(part));
    }
}
