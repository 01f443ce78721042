//! zstd through the reference library.

use std::io::{self, BufRead, Read};

/// Every decoder should take a window of this size: 8 MiB, RFC 8878, section 3.1.1.1.2.
const WINDOW_LOG_MIN: u32 = 23;
/// The library's own bound, 128 MiB.
const WINDOW_LOG_MAX: u32 = 27;

/// The largest window for content of at most `bytes_max` bytes.
///
/// The decoder allocates the window that a stream asks for before there is any content, so it
/// belongs to the bound of the content.
fn window_log_max(bytes_max: usize) -> u32 {
    let bits = usize::BITS - bytes_max.saturating_sub(1).leading_zeros();
    bits.clamp(WINDOW_LOG_MIN, WINDOW_LOG_MAX)
}

pub(super) fn encode(content: &[u8]) -> Option<io::Result<Vec<u8>>> {
    Some(zstd::stream::encode_all(
        content,
        zstd::DEFAULT_COMPRESSION_LEVEL,
    ))
}

pub(super) fn reader(payload: &[u8], bytes_max: usize) -> Option<impl Read> {
    Some(Stream::open(payload, bytes_max))
}

/// A decoder whose opening can fail, told at the first read.
enum Stream<R: BufRead> {
    Open(Box<zstd::stream::read::Decoder<'static, R>>),
    Refused(Option<io::Error>),
}

impl<R: BufRead> Stream<R> {
    fn open(payload: R, bytes_max: usize) -> Self {
        let decoder = zstd::stream::read::Decoder::with_buffer(payload).and_then(|mut decoder| {
            decoder.window_log_max(window_log_max(bytes_max))?;
            Ok(decoder)
        });
        match decoder {
            Ok(decoder) => Self::Open(Box::new(decoder)),
            Err(error) => Self::Refused(Some(error)),
        }
    }
}

impl<R: BufRead> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Open(decoder) => decoder.read(buffer),
            Self::Refused(error) => {
                Err(error.take().unwrap_or_else(|| io::ErrorKind::Other.into()))
            }
        }
    }
}
