//! A message sealed into a topic.

use bytes::Bytes;
use thiserror::Error;

use crate::content::{ContentEncoding, ContentError};
use crate::frame::{FrameError, FrameSize, METADATA_AT, fingerprint};
use crate::hash::{Fingerprint, PayloadHash};
use crate::id::Id;
use crate::message::Message;
use crate::metadata::{Fields, Metadata, MetadataError};
use crate::sequence::Sequence;

/// A message sealed into a topic: it has a sequence, a link to its predecessor and a fingerprint.
///
/// A particle is its frame, read in place. Cloning one copies no bytes.
///
/// ```
/// use efflux_particle::{DecodeError, Draft, Head, Id, Message, Particle, Stamp, Timestamp};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stamp = Stamp {
/// #     id: Id::from_uuid([1; 16]),
/// #     created: Timestamp::from_nanos(1_767_225_600_000_000_000),
/// #     in_batch: false,
/// # };
/// # let (head, _) = Head::root(&"orders".parse()?, &stamp)?;
/// let (_, sealed) = head.link(Draft::encode(&Message::new("hello"), &stamp)?);
///
/// let read = Particle::decode(sealed.frame())?;
/// assert_eq!(read.sequence().get(), 1);
/// assert_eq!(read.payload(), "hello");
///
/// let mut altered = sealed.frame().to_vec();
/// let payload_at = altered.len() - 9;
/// altered[payload_at] = b'!';
/// let error = Particle::decode(&altered.into()).unwrap_err();
/// assert!(matches!(error, DecodeError::Payload { .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Particle {
    frame: Bytes,
    metadata: Metadata,
    fingerprint: Fingerprint,
}

/// Why bytes are no particle.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The frame is broken.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The metadata cannot be read.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The metadata is not what was sealed.
    #[error("the metadata was altered: expected fingerprint {expected}, found {found}")]
    Fingerprint {
        /// The fingerprint that stands in the frame.
        expected: Fingerprint,
        /// What the bytes hash to.
        found: Fingerprint,
    },
    /// The payload is not what was sealed.
    #[error("the payload was altered: expected hash {expected}, found {found}")]
    Payload {
        /// The hash that stands in the metadata.
        expected: PayloadHash,
        /// What the bytes hash to.
        found: PayloadHash,
    },
}

impl Particle {
    /// Reads the particle that `bytes` begin with and checks every byte of it against its hashes.
    ///
    /// Nothing is copied: the particle shares the buffer behind `bytes`, which lives as long as it.
    ///
    /// # Errors
    /// [`DecodeError`]; [`FrameError::Incomplete`] when more bytes may make it a particle.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let framed = Framed::read(bytes)?;
        // Before the metadata is looked into, so that altered bytes are told from ill-formed ones.
        check_fingerprint(framed.fingerprint, &framed.metadata)?;
        let particle = framed.particle()?;
        particle.check_payload()?;
        Ok(particle)
    }

    /// Reads and checks a particle as [`Particle::decode`] does, and makes a message of it that can be
    /// appended elsewhere: its payload is not hashed a second time when it is sealed.
    ///
    /// # Errors
    /// Those of [`Particle::decode`].
    pub fn decode_message(bytes: &Bytes) -> Result<(Self, Message), DecodeError> {
        let particle = Self::decode(bytes)?;
        let mut message = Message::from(&particle);
        message.payload_hash = Some(Box::new(particle.payload_hash()));
        Ok((particle, message))
    }

    /// Reads the particle that `bytes` begin with without computing its hashes.
    ///
    /// For bytes that were checked another way, as by the checksum of a segment's sidecar.
    ///
    /// # Errors
    /// [`DecodeError`] when the frame or the metadata is malformed.
    pub fn decode_unchecked(bytes: &Bytes) -> Result<Self, DecodeError> {
        Framed::read(bytes)?.particle()
    }

    pub(crate) fn sealed(
        frame: Bytes,
        metadata_bytes: usize,
        fields: Fields,
        fingerprint: Fingerprint,
    ) -> Self {
        let metadata = frame.slice(METADATA_AT..METADATA_AT + metadata_bytes);
        Self {
            metadata: Metadata::with_fields(metadata, fields),
            frame,
            fingerprint,
        }
    }

    /// Computes both hashes and holds them against the stored ones.
    ///
    /// # Errors
    /// [`DecodeError::Fingerprint`] or [`DecodeError::Payload`] when one differs.
    pub fn check_hashes(&self) -> Result<(), DecodeError> {
        check_fingerprint(self.fingerprint, self.metadata.bytes())?;
        self.check_payload()
    }

    fn check_payload(&self) -> Result<(), DecodeError> {
        let (expected, found) = (self.payload_hash(), PayloadHash::of(self.payload_slice()));
        if found != expected {
            return Err(DecodeError::Payload { expected, found });
        }
        Ok(())
    }

    /// The whole frame, byte for byte as stored.
    #[must_use]
    pub const fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The metadata.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The SHA-256 of the metadata bytes.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The payload as stored.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.frame.slice_ref(self.payload_slice())
    }

    fn payload_slice(&self) -> &[u8] {
        let start = METADATA_AT + self.metadata.bytes().len();
        self.frame
            .get(start..self.frame.len() - 8)
            .unwrap_or_default()
    }

    /// The payload, decompressed when its metadata says that it is compressed.
    ///
    /// # Errors
    /// [`ContentError::TooLarge`] past `bytes_max` bytes of content; [`ContentError::Malformed`],
    /// [`ContentError::NotBuilt`].
    pub fn content(&self, bytes_max: usize) -> Result<Bytes, ContentError> {
        match self.metadata.content_encoding() {
            None if self.payload_slice().len() > bytes_max => {
                Err(ContentError::TooLarge { bytes_max })
            }
            None => Ok(self.payload()),
            Some(encoding) => ContentEncoding::decode(encoding, self.payload_slice(), bytes_max),
        }
    }

    /// The particle's place in its topic.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.metadata.sequence()
    }

    /// The message's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.metadata.id()
    }

    /// The SHA-256 of the payload as stored.
    #[must_use]
    pub fn payload_hash(&self) -> PayloadHash {
        self.metadata.payload_hash()
    }
}

/// A frame whose metadata was not looked into.
struct Framed {
    frame: Bytes,
    metadata: Bytes,
    fingerprint: Fingerprint,
}

impl Framed {
    #[inline]
    fn read(bytes: &Bytes) -> Result<Self, FrameError> {
        let size = FrameSize::whole(bytes)?;
        let frame = bytes.slice(..size.frame_bytes());
        let metadata = frame.slice(METADATA_AT..METADATA_AT + size.metadata_bytes());
        let fingerprint = fingerprint(&frame);
        Ok(Self {
            frame,
            metadata,
            fingerprint,
        })
    }

    /// The fields are read into their place: a particle is too large to be moved for nothing.
    #[inline]
    fn particle(self) -> Result<Particle, DecodeError> {
        let mut particle = Particle {
            frame: self.frame,
            metadata: Metadata::with_fields(self.metadata, Fields::default()),
            fingerprint: self.fingerprint,
        };
        particle.metadata.read_fields()?;
        Ok(particle)
    }
}

fn check_fingerprint(expected: Fingerprint, metadata: &[u8]) -> Result<(), DecodeError> {
    let found = Fingerprint::of(metadata);
    if found == expected {
        Ok(())
    } else {
        Err(DecodeError::Fingerprint { expected, found })
    }
}

impl PartialEq for Particle {
    fn eq(&self, other: &Self) -> bool {
        self.frame == other.frame
    }
}

impl Eq for Particle {}
