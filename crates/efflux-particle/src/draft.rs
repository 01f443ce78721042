//! One message encoded as a frame, but for its place in a chain.

use crate::hash::{Fingerprint, PayloadHash};
use crate::id::Id;
use crate::layout::{Layout, NotInBatch, Stamp};
use crate::message::{Message, MessageError};
use crate::metadata::Fields;
use crate::sequence::Sequence;

/// A message encoded as a frame, but for its place in a chain.
///
/// Making one hashes the payload and may run on many threads. [`Head::link`](crate::Head::link)
/// then only fills in the sequence, the link and the fingerprint. [`Drafts`](crate::Drafts) holds
/// many in one buffer.
///
/// ```
/// use efflux_particle::{Draft, Id, Message, PayloadHash, Stamp, Timestamp};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stamp = Stamp {
/// #     id: Id::from_uuid([1; 16]),
/// #     created: Timestamp::from_nanos(1_767_225_600_000_000_000),
/// #     in_batch: false,
/// # };
/// let draft = Draft::encode(&Message::new("hello"), &stamp)?;
/// assert_eq!(draft.id(), stamp.id);
/// assert_eq!(draft.payload_hash(), PayloadHash::of(b"hello"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    frame: Vec<u8>,
    layout: Layout,
}

impl Draft {
    /// Encodes a message and hashes its payload.
    ///
    /// # Errors
    /// [`MessageError`] when a part of the message is over its bound.
    pub fn encode(message: &Message, stamp: &Stamp) -> Result<Self, MessageError> {
        Self::encode_with_link(message, stamp, true)
    }

    /// Encodes a message that will stand at the beginning of a chain.
    pub(crate) fn encode_root(message: &Message, stamp: &Stamp) -> Result<Self, MessageError> {
        Self::encode_with_link(message, stamp, false)
    }

    fn encode_with_link(
        message: &Message,
        stamp: &Stamp,
        has_link: bool,
    ) -> Result<Self, MessageError> {
        let mut frame = Vec::new();
        let layout = Layout::encode(&mut frame, message, stamp, has_link)?;
        Ok(Self { frame, layout })
    }

    /// The id that the particle will have.
    #[must_use]
    pub fn id(&self) -> Id {
        self.layout.fields.id(self.metadata())
    }

    /// The payload's hash.
    #[must_use]
    pub fn payload_hash(&self) -> PayloadHash {
        self.layout.fields.payload_hash(self.metadata())
    }

    /// The message group, if there is one.
    #[must_use]
    pub fn message_group(&self) -> Option<&str> {
        let span = self.layout.fields.message_group?;
        Some(span.text(self.metadata()))
    }

    /// Bytes of the frame that the draft becomes.
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    pub(crate) const fn metadata_bytes(&self) -> usize {
        self.layout.metadata_bytes
    }

    fn metadata(&self) -> &[u8] {
        self.layout.metadata(&self.frame)
    }

    /// Fills in the place in the chain; the frame, its metadata fields and its fingerprint.
    pub(crate) fn seal(
        mut self,
        sequence: Sequence,
        linked: Option<Fingerprint>,
        batch_remaining: u32,
    ) -> Result<(Vec<u8>, Fields, Fingerprint), NotInBatch> {
        let layout = &mut self.layout;
        let fingerprint = layout.seal(&mut self.frame, sequence, linked, batch_remaining)?;
        Ok((self.frame, self.layout.fields, fingerprint))
    }
}
