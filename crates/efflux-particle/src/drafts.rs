//! Messages encoded one after the other in one buffer, but for their places in a chain.

use crate::hash::PayloadHash;
use crate::id::Id;
use crate::layout::{Layout, Stamp, split};
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
        split(&self.frames, &self.layouts).map(|(frame, layout)| DraftRef {
            metadata: layout.metadata(frame),
            layout,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Head;
    use crate::particle::Particle;
    use crate::timestamp::Timestamp;

    fn stamp(number: u8) -> Stamp {
        Stamp {
            id: Id::from_uuid([number; 16]),
            created: Timestamp::from_nanos(1_767_225_600_000_000_000),
            in_batch: true,
        }
    }

    fn message(number: u8) -> Message {
        Message::new(vec![number; usize::from(number) * 10])
            .with_message_group(format!("group-{number}"))
            .with_property("number", number.to_string())
    }

    fn drafts(numbers: impl IntoIterator<Item = u8>) -> Drafts {
        let mut drafts = Drafts::default();
        for number in numbers {
            drafts.push(&message(number), &stamp(number)).unwrap();
        }
        drafts
    }

    #[test]
    fn linking_all_makes_what_linking_each_makes() {
        let (root, _) = Head::root(&"orders".parse().unwrap(), &stamp(0)).unwrap();
        let (head, linked) = root.link_all(drafts(1..=4)).unwrap();
        let (mut each_head, mut frames) = (root, Vec::new());
        for number in 1..=4_u8 {
            let draft = crate::draft::Draft::encode(&message(number), &stamp(number)).unwrap();
            let remaining = u32::from(4 - number);
            let (next, particle) = each_head.link_in_batch(draft, remaining).unwrap();
            each_head = next;
            frames.push(particle);
        }
        assert_eq!(head, each_head);
        let metadata: Vec<_> = linked.metadata().iter().collect();
        let seen: Vec<_> = linked
            .iter()
            .map(|it| (it.sequence(), it.fingerprint(), it.id(), it.payload_hash()))
            .collect();
        let particles: Vec<_> = linked.into_particles().collect();
        assert_eq!(particles, frames);
        for ((particle, metadata), seen) in particles.iter().zip(metadata).zip(seen) {
            assert_eq!(particle.metadata().bytes(), metadata.bytes());
            let id = (particle.sequence(), particle.fingerprint(), particle.id());
            assert_eq!((seen.0, seen.1, seen.2), id);
            assert_eq!(seen.3, particle.payload_hash());
            assert_eq!(Particle::decode(particle.frame()).as_ref(), Ok(particle));
        }
    }

    #[test]
    fn a_message_that_was_read_is_sealed_as_any_other() {
        let (root, _) = Head::root(&"orders".parse().unwrap(), &stamp(0)).unwrap();
        let draft = |message: &Message| crate::draft::Draft::encode(message, &stamp(3)).unwrap();
        let (_, particle) = root.link(draft(&message(3)));
        let (read, again) = Particle::decode_message(particle.frame()).unwrap();
        assert_eq!(read, particle);
        let copy = Message::from(&particle);
        assert_eq!(again, copy);
        let seal = |message: &Message| root.link(draft(message)).1;
        assert_eq!(seal(&again), seal(&copy));
        assert_eq!(seal(&again).check_hashes(), Ok(()));
        if let Ok(compressed) = again.compressed(crate::content::ContentEncoding::Gzip) {
            assert_eq!(seal(&compressed).check_hashes(), Ok(()));
        }
    }

    #[test]
    fn what_is_left_out_leaves_no_trace() {
        let (root, _) = Head::root(&"orders".parse().unwrap(), &stamp(0)).unwrap();
        for kept in [
            vec![],
            vec![1],
            vec![5],
            vec![1, 3, 5],
            vec![2, 4],
            vec![1, 2, 3, 4, 5],
        ] {
            let mut some = drafts(1..=5);
            let mut numbers = 1..=5_u8;
            some.retain(|| numbers.next().is_some_and(|number| kept.contains(&number)));
            let (_, some) = root.link_all(some).unwrap();
            let (_, only) = root.link_all(drafts(kept)).unwrap();
            assert_eq!(some.frames(), only.frames());
        }
    }

    #[test]
    fn a_message_that_is_refused_leaves_the_others_as_they_are() {
        let mut drafts = drafts(1..=2);
        let before = drafts.clone().into_parts().0;
        let bad = Message::new("").with_data_type("a\nb");
        assert!(drafts.push(&bad, &stamp(3)).is_err());
        let huge = (0..60).fold(Message::new(""), |message, number| {
            message.with_property(format!("p{number}"), "v".repeat(4096))
        });
        assert!(drafts.push(&huge, &stamp(3)).is_err());
        assert_eq!((drafts.len(), drafts.into_parts().0), (2, before));
    }

    #[test]
    fn several_messages_stamped_as_single_ones_make_no_batch() {
        let (root, _) = Head::root(&"orders".parse().unwrap(), &stamp(0)).unwrap();
        let mut drafts = Drafts::default();
        for number in 1..=2 {
            let single = Stamp {
                in_batch: false,
                ..stamp(number)
            };
            drafts.push(&message(number), &single).unwrap();
        }
        assert!(root.link_all(drafts).is_err());
    }
}
