//! The particle format of Efflux: messages, frames, fingerprints and the hash chain, without I/O.
//!
//! A [`Message`] is what a producer hands in. Encoded as a [`Draft`] and linked to a [`Head`], it
//! becomes a [`Particle`]: a frame of bytes that carries the SHA-256 of its own metadata, of its
//! payload, and of the metadata before it. Anyone who has the frames can check that nothing was
//! altered, left out or put in; docs/format.md says how in any language.
//!
//! ```
//! use efflux_particle::{Draft, Head, Id, Message, Particle, Stamp, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stamp = |number| Stamp {
//!     id: Id::from_uuid([number; 16]),
//!     created: Timestamp::from_nanos(1_767_225_600_000_000_000),
//!     in_batch: false,
//! };
//! let topic = "orders".parse()?;
//! let (head, root) = Head::root(&topic, &stamp(0))?;
//!
//! let message = Message::new("hello").with_data_type("greeting");
//! let (head, particle) = head.link(Draft::encode(&message, &stamp(1))?);
//!
//! let read = Particle::decode(particle.frame())?;
//! assert_eq!(Head::check_root(&topic, &root)?.check(&read)?, head);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod limits;

mod sequence;
mod timestamp;

mod name;

mod term;

mod id;

mod hash;

mod content;

mod msgpack;

mod message;

mod metadata;

mod frame;

mod layout;

mod draft;

mod drafts;

mod particle;

mod linked;

mod head;

mod chain;

pub use chain::Chain;
pub use content::{ContentEncoding, ContentError};
pub use draft::Draft;
pub use drafts::{DraftRef, Drafts};
pub use frame::{FOOTER_ID, FrameError, FrameSize, HEADER_ID, frame_bytes_backwards};
pub use hash::{Fingerprint, HASH_BYTES, HashError, PayloadHash};
pub use head::{Broken, Head, HeadError, ROOT_DATA_TYPE, ROOT_TOPIC_PROPERTY};
pub use id::{Id, IdError};
pub use layout::{NotInBatch, Stamp};
pub use linked::{Linked, LinkedMetadata, LinkedRef};
pub use message::{Message, MessageError};
pub use metadata::{FORMAT_VERSION, Metadata, MetadataError};
pub use name::{ConsumerName, NameError, TopicName};
pub use particle::{DecodeError, Particle};
pub use sequence::Sequence;
pub use timestamp::{Timestamp, TimestampError};

/// The README's example runs with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
