//! Where bytes come from: a file or standard input, decompressed when they are gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

const BUFFER_BYTES: usize = 256 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How many bytes of the file were read so far, compressed ones where it is compressed.
#[derive(Clone, Debug, Default)]
pub struct BytesRead(Arc<AtomicU64>);

impl BytesRead {
    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A file or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Source {
    /// The source that an argument names: `-` is standard input.
    #[must_use]
    pub fn named(argument: &str) -> Self {
        match argument {
            "-" => Self::Stdin,
            path => Self::File(PathBuf::from(path)),
        }
    }

    /// What messages call it.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "<stdin>".to_owned(),
        }
    }

    /// The name that ids are derived from: the file's whole path, or `stdin`.
    #[must_use]
    pub fn identity(&self) -> String {
        match self {
            Self::File(path) => match path.canonicalize() {
                Ok(whole) => whole.to_string_lossy().into_owned(),
                Err(_) => path.to_string_lossy().into_owned(),
            },
            Self::Stdin => "stdin".to_owned(),
        }
    }

    /// The file's path, if it is a file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Stdin => None,
        }
    }

    /// The file's size in bytes, if it has one.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let metadata = std::fs::metadata(self.path()?).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    /// Opens it, decompressing gzip.
    ///
    /// # Errors
    /// The file's own error; one of kind `IsADirectory` for a folder.
    pub fn open(&self, read: &BytesRead) -> io::Result<Box<dyn BufRead + Send>> {
        let bytes: Box<dyn Read + Send> = match self {
            Self::File(path) => {
                let file = File::open(path)?;
                if file.metadata()?.is_dir() {
                    return Err(io::Error::new(
                        io::ErrorKind::IsADirectory,
                        "it is a folder, name the files in it",
                    ));
                }
                Box::new(file)
            }
            Self::Stdin => Box::new(io::stdin()),
        };
        let counted = Counted {
            bytes,
            read: read.clone(),
        };
        let mut plain = BufReader::with_capacity(BUFFER_BYTES, counted);
        if plain.fill_buf()?.starts_with(&GZIP_MAGIC) {
            let gzip = MultiGzDecoder::new(plain);
            return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, gzip)));
        }
        Ok(Box::new(plain))
    }
}

struct Counted {
    bytes: Box<dyn Read + Send>,
    read: BytesRead,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.read.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
