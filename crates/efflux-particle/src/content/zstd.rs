//! zstd through the reference library.

use std::io::{self, BufRead, Read};

/// A frame that asks for a larger window (2^27 bytes is the library's own default) is refused.
const WINDOW_LOG_MAX: u32 = 27;

pub(super) fn encode(content: &[u8]) -> Option<io::Result<Vec<u8>>> {
    Some(zstd::stream::encode_all(
        content,
        zstd::DEFAULT_COMPRESSION_LEVEL,
    ))
}

pub(super) fn reader(payload: &[u8]) -> Option<impl Read> {
    Some(Stream::open(payload))
}

/// A decoder whose opening can fail, told at the first read.
enum Stream<R: BufRead> {
    Open(Box<zstd::stream::read::Decoder<'static, R>>),
    Refused(Option<io::Error>),
}

impl<R: BufRead> Stream<R> {
    fn open(payload: R) -> Self {
        let decoder = zstd::stream::read::Decoder::with_buffer(payload).and_then(|mut decoder| {
            decoder.window_log_max(WINDOW_LOG_MAX)?;
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
