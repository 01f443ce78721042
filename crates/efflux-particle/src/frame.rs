//! The frame around a particle: where it begins and ends, forwards and backwards.
//!
//! ```text
//! offset           bytes
//! 0                6       header ID 05 01 14 29 83 0A
//! 6                4       message size: bytes between header ID and footer ID, little-endian
//! 10               4       metadata size, little-endian
//! 14               32      fingerprint: SHA-256 of the metadata bytes
//! 46               m       metadata, MessagePack
//! 46 + m           p       payload
//! 46 + m + p       4       message size again, little-endian
//! 50 + m + p       4       footer ID 06 11 52 5B
//! ```

use thiserror::Error;

use crate::hash::{Fingerprint, HASH_BYTES};
use crate::limits::{FRAME_BYTES_MAX, FRAME_OVERHEAD_BYTES, METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX};

/// The bytes that every frame begins with.
pub const HEADER_ID: [u8; 6] = [0x05, 0x01, 0x14, 0x29, 0x83, 0x0A];
/// The bytes that every frame ends with.
pub const FOOTER_ID: [u8; 4] = [0x06, 0x11, 0x52, 0x5B];

pub(crate) const MESSAGE_SIZE_AT: usize = 6;
pub(crate) const METADATA_SIZE_AT: usize = 10;
pub(crate) const FINGERPRINT_AT: usize = 14;
pub(crate) const METADATA_AT: usize = 46;
/// Bytes of the header ID and the footer ID, which the message size leaves out.
pub(crate) const IDS_BYTES: usize = 10;
const PREFIX_BYTES: usize = 14;
const SUFFIX_BYTES: usize = 8;

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The bytes end before the frame does.
    #[error("the frame ends after {present} of {needed} bytes")]
    Incomplete {
        /// How many bytes there are.
        present: usize,
        /// How many are needed at least.
        needed: usize,
    },
    /// No header ID stands where a frame should begin.
    #[error(
        "no frame begins here: expected the header ID 05 01 14 29 83 0a, found {}",
        hex(found)
    )]
    Header {
        /// What stands there.
        found: [u8; 6],
    },
    /// No footer ID stands where the frame should end.
    #[error(
        "the frame does not end here: expected the footer ID 06 11 52 5b, found {}",
        hex(found)
    )]
    Footer {
        /// What stands there.
        found: [u8; 4],
    },
    /// A size is impossible.
    #[error("the frame's {field} is {bytes}, {reason}")]
    Size {
        /// Which size.
        field: &'static str,
        /// Its value in bytes.
        bytes: usize,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// The two copies of the message size differ.
    #[error("the frame's message size is {front} in front and {back} at its end")]
    SizesDiffer {
        /// The copy behind the header ID.
        front: usize,
        /// The copy before the footer ID.
        back: usize,
    },
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The sizes of one frame.
///
/// - both are within their limits
///
/// ```
/// use efflux_particle::{FrameSize, HEADER_ID};
///
/// // 44 bytes that every message size covers, 100 of metadata, 6 of payload.
/// let prefix = [&HEADER_ID[..], &150_u32.to_le_bytes(), &100_u32.to_le_bytes()].concat();
/// let size = FrameSize::forwards(&prefix)?;
/// assert_eq!((size.metadata_bytes(), size.payload_bytes()), (100, 6));
/// assert_eq!(size.frame_bytes(), 160);
/// # Ok::<(), efflux_particle::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSize {
    metadata_bytes: usize,
    payload_bytes: usize,
}

impl FrameSize {
    /// Bytes of the metadata.
    #[must_use]
    pub const fn metadata_bytes(self) -> usize {
        self.metadata_bytes
    }

    /// Bytes of the payload.
    #[must_use]
    pub const fn payload_bytes(self) -> usize {
        self.payload_bytes
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub const fn frame_bytes(self) -> usize {
        FRAME_OVERHEAD_BYTES + self.metadata_bytes + self.payload_bytes
    }

    /// Reads the sizes of the frame that `bytes` begin with; 14 bytes are enough.
    ///
    /// # Errors
    /// [`FrameError`] when no frame can begin with these bytes.
    pub fn forwards(bytes: &[u8]) -> Result<Self, FrameError> {
        let incomplete = FrameError::Incomplete {
            present: bytes.len(),
            needed: PREFIX_BYTES,
        };
        if let Some(found) = array::<6>(bytes, 0)
            && found != HEADER_ID
        {
            return Err(FrameError::Header { found });
        }
        let (Some(message), Some(metadata)) = (
            size_at(bytes, MESSAGE_SIZE_AT),
            size_at(bytes, METADATA_SIZE_AT),
        ) else {
            return Err(incomplete);
        };
        Self::checked(message, metadata)
    }

    fn checked(message_bytes: usize, metadata_bytes: usize) -> Result<Self, FrameError> {
        let size = |field, bytes, reason| {
            Err(FrameError::Size {
                field,
                bytes,
                reason,
            })
        };
        if metadata_bytes == 0 {
            return size("metadata size", 0, "every particle has metadata");
        }
        if metadata_bytes > METADATA_BYTES_MAX {
            return size("metadata size", metadata_bytes, "more than is allowed");
        }
        let fixed = FRAME_OVERHEAD_BYTES - IDS_BYTES;
        let Some(payload_bytes) = message_bytes.checked_sub(fixed + metadata_bytes) else {
            return size(
                "message size",
                message_bytes,
                "less than its metadata needs",
            );
        };
        if payload_bytes > PAYLOAD_BYTES_MAX {
            return size("message size", message_bytes, "more than is allowed");
        }
        Ok(Self {
            metadata_bytes,
            payload_bytes,
        })
    }

    /// Checks that `bytes` begin with one whole frame and tells its sizes.
    ///
    /// # Errors
    /// [`FrameError`], [`FrameError::Incomplete`] when more bytes may make it a frame.
    pub fn whole(bytes: &[u8]) -> Result<Self, FrameError> {
        let size = Self::forwards(bytes)?;
        let Some(frame) = bytes.get(..size.frame_bytes()) else {
            return Err(FrameError::Incomplete {
                present: bytes.len(),
                needed: size.frame_bytes(),
            });
        };
        let (front, back) = (size.frame_bytes() - IDS_BYTES, message_bytes_at_end(frame)?);
        if front != back {
            return Err(FrameError::SizesDiffer { front, back });
        }
        Ok(size)
    }
}

/// Reads the length of the frame that `bytes` end with; the last 8 bytes are enough.
///
/// # Errors
/// [`FrameError`] when no frame can end with these bytes.
pub fn frame_bytes_backwards(bytes: &[u8]) -> Result<usize, FrameError> {
    let message_bytes = message_bytes_at_end(bytes)?;
    let frame_bytes = message_bytes.saturating_add(IDS_BYTES);
    let size = |reason| FrameError::Size {
        field: "message size",
        bytes: message_bytes,
        reason,
    };
    if frame_bytes <= FRAME_OVERHEAD_BYTES {
        return Err(size("less than every frame has"));
    }
    if frame_bytes > FRAME_BYTES_MAX {
        return Err(size("more than is allowed"));
    }
    Ok(frame_bytes)
}

fn message_bytes_at_end(bytes: &[u8]) -> Result<usize, FrameError> {
    let Some(suffix) = bytes
        .len()
        .checked_sub(SUFFIX_BYTES)
        .and_then(|at| bytes.get(at..))
    else {
        return Err(FrameError::Incomplete {
            present: bytes.len(),
            needed: SUFFIX_BYTES,
        });
    };
    if let Some(found) = array::<4>(suffix, 4)
        && found != FOOTER_ID
    {
        return Err(FrameError::Footer { found });
    }
    Ok(size_at(suffix, 0).unwrap_or(0))
}

/// The fingerprint that stands in a frame.
pub(crate) fn fingerprint(frame: &[u8]) -> Fingerprint {
    Fingerprint::from_bytes(array(frame, FINGERPRINT_AT).unwrap_or([0; HASH_BYTES]))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn size_at(bytes: &[u8], at: usize) -> Option<usize> {
    array(bytes, at).map(|size| u32::from_le_bytes(size) as usize)
}
