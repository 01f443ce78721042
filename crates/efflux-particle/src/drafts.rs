//! Messages encoded one after the other in one buffer, but for their places in a chain.

use crate::hash::PayloadHash;
use crate::id::Id;
use crate::layout::{Layout, Stamp};
use crate::message::{Message, MessageError};

/// Messages encoded one after the other in one buffer, but for their places in a chain.
///
/// As many [`Draft`](crate::Draft)s would be, at the cost of one allocation.
/// [`Head::link_all`](crate::Head::link_all) makes a batch of them.
///
/// ```
/// use efflux_particle::{Drafts, Head, Id, Message, Stamp, Timestamp};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let stamp = |number| Stamp {
/// #     id: Id::from_uuid([number; 16]),
/// #     created: Timestamp::from_nanos(1_767_225_600_000_000_000),
/// #     in_batch: true,
/// # };
/// # let (head, _) = Head::root(&"orders".parse()?, &stamp(0))?;
/// let mut drafts = Drafts::default();
/// drafts.push(&Message::new("one"), &stamp(1))?;
/// drafts.push(&Message::new("two"), &stamp(2))?;
/// let (head, linked) = head.link_all(drafts)?;
/// assert_eq!((head.sequence.get(), linked.len()), (2, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Drafts {
    frames: Vec<u8>,
    layouts: Vec<Layout>,
}

/// One of the encoded messages.
#[derive(Clone, Copy, Debug)]
pub struct DraftRef<'a> {
    metadata: &'a [u8],
    layout: &'a Layout,
}

impl DraftRef<'_> {
    /// The id that the particle will have.
    #[must_use]
    pub fn id(&self) -> Id {
        self.layout.fields.id(self.metadata)
    }

    /// The payload's hash.
    #[must_use]
    pub fn payload_hash(&self) -> PayloadHash {
        self.layout.fields.payload_hash(self.metadata)
    }
}

impl Drafts {
    /// Room for `count` messages and, as a first guess, as many bytes of frames.
    #[must_use]
    pub fn with_capacity(count: usize, bytes: usize) -> Self {
        Self {
            frames: Vec::with_capacity(bytes),
            layouts: Vec::with_capacity(count),
        }
    }

    /// Encodes one more message and hashes its payload.
    ///
    /// # Errors
    /// [`MessageError`] when a part of the message is over its bound; the others stay as they are.
    pub fn push(&mut self, message: &Message, stamp: &Stamp) -> Result<(), MessageError> {
        let layout = Layout::encode(&mut self.frames, message, stamp, true)?;
        self.layouts.push(layout);
        Ok(())
    }

    /// How many messages there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.layouts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.layouts.is_empty()
    }

    /// Bytes of all frames together.
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        self.frames.len()
    }

    /// The messages in order.
    pub fn iter(&self) -> impl Iterator<Item = DraftRef<'_>> {
        let mut rest = self.frames.as_slice();
        self.layouts.iter().map(move |layout| {
            let (frame, later) = rest
                .split_at_checked(layout.frame_bytes)
                .unwrap_or_default();
            rest = later;
            DraftRef {
                metadata: layout.metadata(frame),
                layout,
            }
        })
    }

    /// Keeps the messages for which `keep` is true, asked in order and once each.
    pub fn retain(&mut self, mut keep: impl FnMut() -> bool) {
        let (mut from, mut to) = (0, 0);
        let frames = &mut self.frames;
        self.layouts.retain(|layout| {
            let frame = from..from + layout.frame_bytes;
            from = frame.end;
            let keeps = keep();
            if keeps && frame.start > to {
                frames.copy_within(frame, to);
            }
            to += if keeps { layout.frame_bytes } else { 0 };
            keeps
        });
        frames.truncate(to);
    }

    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<Layout>) {
        (self.frames, self.layouts)
    }
}
