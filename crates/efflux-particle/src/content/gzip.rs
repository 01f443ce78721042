//! gzip through flate2's Rust backend.

use std::io::{self, Read, Write};

pub(super) fn encode(content: &[u8]) -> Option<io::Result<Vec<u8>>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    Some(encoder.write_all(content).and_then(|()| encoder.finish()))
}

pub(super) fn reader(payload: &[u8], _bytes_max: usize) -> Option<impl Read> {
    Some(flate2::read::MultiGzDecoder::new(payload))
}
