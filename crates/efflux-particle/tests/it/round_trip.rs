//! What goes in comes out.

use bytes::Bytes;
use efflux_particle::{
    Draft, Fingerprint, Head, Message, Metadata, Particle, PayloadHash, Sequence, Stamp,
    frame_bytes_backwards,
};
use proptest::prelude::*;

use crate::arbitrary::{
    chain_of, check, id, message, root, stamp, timestamp, unknown, with_unknown,
};

/// Every field of `metadata`, so that two of them can be held against each other.
fn fields(metadata: &Metadata) -> String {
    format!(
        "{:?}",
        (
            metadata.id(),
            metadata.sequence(),
            metadata.created(),
            metadata.timestamp(),
            metadata.payload_hash(),
            metadata.linked_fingerprint(),
            metadata.batch_remaining(),
            metadata.data_type(),
            metadata.content_type(),
            metadata.content_encoding(),
            metadata.message_group(),
            metadata.properties().collect::<Vec<_>>(),
        )
    )
}

/// The fields that a message sets, but for those that the store fills in.
fn descriptive(metadata: &Metadata) -> String {
    format!(
        "{:?}",
        (
            metadata.id(),
            metadata.timestamp(),
            metadata.payload_hash(),
            metadata.data_type(),
            metadata.content_type(),
            metadata.content_encoding(),
            metadata.message_group(),
            metadata.properties().collect::<Vec<_>>(),
        )
    )
}

#[test]
fn a_linked_message_decodes_to_the_same_fields() {
    let case = (
        message(),
        stamp(),
        any::<[u8; 32]>(),
        0..u64::MAX - 1,
        0..65_536_u32,
    );
    check(case, |(message, stamp, before, number, remaining)| {
        let head = Head {
            sequence: Sequence::new(number),
            fingerprint: Fingerprint::from_bytes(before),
        };
        let remaining = if stamp.in_batch { remaining } else { 0 };
        let draft = Draft::encode(&message, &stamp).unwrap();
        let frame_bytes = draft.frame_bytes();
        let (head_after, sealed) = head.link_in_batch(draft, remaining).unwrap();
        let read = Particle::decode(sealed.frame()).unwrap();
        prop_assert_eq!(fields(sealed.metadata()), fields(read.metadata()));
        prop_assert_eq!(&sealed, &read);
        prop_assert_eq!(sealed.frame().len(), frame_bytes);
        prop_assert_eq!(head.check(&read), Ok(head_after));

        let metadata = read.metadata();
        prop_assert_eq!(&metadata.id(), message.id().unwrap_or(&stamp.id));
        prop_assert_eq!(metadata.sequence().get(), number + 1);
        prop_assert_eq!(metadata.created(), stamp.created);
        prop_assert_eq!(
            metadata.timestamp(),
            message.timestamp().unwrap_or(stamp.created)
        );
        prop_assert_eq!(metadata.payload_hash(), PayloadHash::of(message.payload()));
        prop_assert_eq!(metadata.linked_fingerprint(), Some(head.fingerprint));
        prop_assert_eq!(metadata.batch_remaining(), remaining);
        prop_assert_eq!(metadata.data_type(), message.data_type());
        prop_assert_eq!(metadata.content_type(), message.content_type());
        prop_assert_eq!(metadata.content_encoding(), message.content_encoding());
        prop_assert_eq!(metadata.message_group(), message.message_group());
        prop_assert!(metadata.properties().eq(message.properties()));
        prop_assert_eq!(&read.payload(), message.payload());
        Ok(())
    });
}

#[test]
fn a_draft_tells_what_its_particle_will_say() {
    check((message(), stamp()), |(message, stamp)| {
        let draft = Draft::encode(&message, &stamp).unwrap();
        prop_assert_eq!(&draft.id(), message.id().unwrap_or(&stamp.id));
        prop_assert_eq!(draft.payload_hash(), PayloadHash::of(message.payload()));
        prop_assert_eq!(draft.message_group(), message.message_group());
        Ok(())
    });
}

#[test]
fn a_copy_says_the_same_unknown_keys_included() {
    let case = (message(), stamp(), unknown(), id(), timestamp());
    check(case, |(message, stamp, entries, other_id, later)| {
        let (head, _) = root();
        let (_, particle) = head.link(Draft::encode(&message, &stamp).unwrap());
        let particle = with_unknown(&particle, &entries);
        let copy = Message::from(&particle);
        prop_assert_eq!(copy.check(), Ok(()));
        let stamp = Stamp {
            id: other_id,
            created: later,
            in_batch: true,
        };
        let (_, copied) = head.link(Draft::encode(&copy, &stamp).unwrap());
        let copied = Particle::decode(copied.frame()).unwrap();
        prop_assert_eq!(
            descriptive(copied.metadata()),
            descriptive(particle.metadata())
        );
        prop_assert_eq!(copied.payload(), particle.payload());
        let tail = entries.concat();
        prop_assert!(copied.metadata().bytes().ends_with(&tail));
        prop_assert_eq!(Message::from(&copied), copy);
        Ok(())
    });
}

#[test]
fn frames_read_backwards_are_the_ones_read_forwards() {
    check(proptest::collection::vec(message(), 0..12), |messages| {
        let particles = chain_of(&messages);
        let stream: Bytes = particles
            .iter()
            .map(|p| p.frame().clone())
            .collect::<Vec<_>>()
            .concat()
            .into();
        let mut forwards = Vec::new();
        let mut rest = stream.clone();
        while !rest.is_empty() {
            let particle = Particle::decode(&rest).unwrap();
            rest = rest.slice(particle.frame().len()..);
            forwards.push(particle);
        }
        let mut backwards = Vec::new();
        let mut rest = stream;
        while !rest.is_empty() {
            let start = rest.len() - frame_bytes_backwards(&rest).unwrap();
            backwards.push(Particle::decode(&rest.slice(start..)).unwrap());
            rest = rest.slice(..start);
        }
        backwards.reverse();
        prop_assert_eq!(&forwards, &particles);
        prop_assert_eq!(&backwards, &particles);
        Ok(())
    });
}
