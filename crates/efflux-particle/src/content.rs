//! Content encodings: compressed payloads, and their bounded decoding.

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use bytes::Bytes;
use thiserror::Error;

#[cfg(not(all(feature = "gzip", feature = "zstd")))]
mod absent;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "zstd")]
mod zstd;

#[cfg(not(feature = "gzip"))]
use absent as gzip;
#[cfg(not(feature = "zstd"))]
use absent as zstd;

/// How a payload is compressed. The payload hash is over the compressed bytes.
///
/// Without the feature an encoding can still be named, stored and verified.
///
/// ```
/// use efflux_particle::ContentEncoding;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let gzip: ContentEncoding = "gzip".parse()?;
/// # if cfg!(feature = "gzip") {
/// let payload = gzip.encode(b"some content")?;
/// assert_eq!(gzip.decode(&payload, 100)?, "some content");
/// assert!(gzip.decode(&payload, 5).is_err(), "5 bytes are not enough");
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentEncoding {
    /// RFC 1952. Needs the feature `gzip`.
    Gzip,
    /// RFC 8878. Needs the feature `zstd`.
    Zstd,
}

/// Why a payload could not be compressed or decompressed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContentError {
    /// The name is not one of `gzip` and `zstd`.
    #[error("content encoding {0:?} is unknown: use gzip or zstd")]
    Unknown(String),
    /// This build leaves the encoding out.
    #[error("this build has no {0}: build with the feature `{0}`")]
    NotBuilt(ContentEncoding),
    /// The payload is not what its encoding says.
    #[error("the payload is no whole {encoding} stream: {reason}")]
    Malformed {
        /// The encoding that was tried.
        encoding: ContentEncoding,
        /// What the decoder said.
        reason: String,
    },
    /// The decoded payload would be larger than the caller allows.
    #[error("the decoded payload is larger than the {bytes_max} bytes allowed")]
    TooLarge {
        /// The bound that was given.
        bytes_max: usize,
    },
}

impl ContentEncoding {
    /// The name that stands in the metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses `content`.
    ///
    /// # Errors
    /// [`ContentError::NotBuilt`] when this build leaves the encoding out.
    pub fn encode(self, content: &[u8]) -> Result<Bytes, ContentError> {
        let encoded = match self {
            Self::Gzip => gzip::encode(content),
            Self::Zstd => zstd::encode(content),
        };
        match encoded {
            None => Err(ContentError::NotBuilt(self)),
            Some(Ok(bytes)) => Ok(bytes.into()),
            Some(Err(error)) => Err(self.malformed(&error)),
        }
    }

    /// Decompresses `payload`, at most `bytes_max` bytes of content.
    ///
    /// # Errors
    /// [`ContentError::TooLarge`] past the bound (nothing more is then decoded),
    /// [`ContentError::Malformed`] when the payload is no whole stream of this encoding, or a zstd
    /// stream whose window is beyond 8 MiB and beyond the bound,
    /// [`ContentError::NotBuilt`] when this build leaves the encoding out.
    pub fn decode(self, payload: &[u8], bytes_max: usize) -> Result<Bytes, ContentError> {
        let mut content = Vec::new();
        let bound = u64::try_from(bytes_max)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let read =
            match self {
                Self::Gzip => gzip::reader(payload, bytes_max)
                    .map(|r| r.take(bound).read_to_end(&mut content)),
                Self::Zstd => zstd::reader(payload, bytes_max)
                    .map(|r| r.take(bound).read_to_end(&mut content)),
            };
        match read {
            None => Err(ContentError::NotBuilt(self)),
            Some(Err(error)) => Err(self.malformed(&error)),
            Some(Ok(_)) if content.len() > bytes_max => Err(ContentError::TooLarge { bytes_max }),
            Some(Ok(_)) => Ok(content.into()),
        }
    }

    fn malformed(self, error: &std::io::Error) -> ContentError {
        ContentError::Malformed {
            encoding: self,
            reason: error.to_string(),
        }
    }
}

impl fmt::Display for ContentEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ContentEncoding {
    type Err = ContentError;

    fn from_str(text: &str) -> Result<Self, ContentError> {
        match text {
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            other => Err(ContentError::Unknown(other.to_owned())),
        }
    }
}

#[cfg(all(test, feature = "gzip", feature = "zstd"))]
mod tests {
    use super::*;

    const BOTH: [ContentEncoding; 2] = [ContentEncoding::Gzip, ContentEncoding::Zstd];

    #[test]
    fn content_comes_back_as_it_was() {
        for encoding in BOTH {
            for content in [&b""[..], b"a", &[7; 100_000]] {
                let payload = encoding.encode(content).unwrap();
                assert_eq!(encoding.decode(&payload, 100_000).unwrap(), content);
            }
        }
    }

    #[test]
    fn a_bomb_stops_at_the_bound() {
        for encoding in BOTH {
            let payload = encoding.encode(&vec![0; 50_000_000]).unwrap();
            assert!(
                payload.len() < 100_000,
                "{encoding}: {} bytes",
                payload.len()
            );
            let error = encoding.decode(&payload, 1_000_000).unwrap_err();
            assert_eq!(
                error,
                ContentError::TooLarge {
                    bytes_max: 1_000_000
                }
            );
        }
    }

    #[test]
    fn torn_and_foreign_payloads_are_refused() {
        for encoding in BOTH {
            let payload = encoding.encode(&[7; 1000]).unwrap();
            let torn = &payload[..payload.len() - 3];
            for bytes in [&b"no stream"[..], torn] {
                let error = encoding.decode(bytes, 10_000).unwrap_err();
                assert!(
                    matches!(error, ContentError::Malformed { .. }),
                    "{encoding}: {error}"
                );
            }
        }
    }
}
