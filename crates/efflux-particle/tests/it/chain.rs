//! A chain in which anything was moved does not check, and the error says what.

use bytes::Bytes;
use efflux_particle::{
    Broken, Chain, DecodeError, Draft, Head, Message, NotInBatch, Particle, ROOT_DATA_TYPE,
    ROOT_TOPIC_PROPERTY, Sequence, Stamp,
};
use proptest::prelude::*;

use crate::arbitrary::{chain_of, check, message, numbered, root, topic};

/// Checks a whole chain from its root.
fn verify(particles: &[Particle]) -> Result<Head, Broken> {
    let (root, rest) = particles.split_first().unwrap();
    let mut chain = Chain::root(&topic(), root)?;
    for particle in rest {
        chain.check(particle)?;
    }
    chain.end()
}

fn numbered_chain(count: usize) -> Vec<Particle> {
    let messages: Vec<_> = (0..count).map(|n| Message::new(format!("{n}"))).collect();
    chain_of(&messages)
}

/// A root, then a batch of `sizes[0]` particles, then one of `sizes[1]`, and so on.
fn batches(sizes: &[u32]) -> Vec<Particle> {
    let (mut head, first) = root();
    let mut particles = vec![first];
    for remaining in sizes.iter().flat_map(|size| (0..*size).rev()) {
        let stamp = Stamp {
            in_batch: true,
            ..numbered(particles.len() as u64)
        };
        let draft = Draft::encode(&Message::new("m"), &stamp).unwrap();
        let (next, particle) = head.link_in_batch(draft, remaining).unwrap();
        head = next;
        particles.push(particle);
    }
    particles
}

#[test]
fn any_chain_checks_to_the_head_it_was_linked_to() {
    check(proptest::collection::vec(message(), 0..10), |messages| {
        let particles = chain_of(&messages);
        prop_assert_eq!(verify(&particles), Ok(Head::on(particles.last().unwrap())));
        Ok(())
    });
}

#[test]
fn a_particle_that_is_left_out_is_missed_by_its_sequence() {
    for missing in 1..5 {
        let mut particles = numbered_chain(5);
        particles.remove(missing);
        let expected = Sequence::new(missing as u64);
        let found = expected.next();
        assert_eq!(
            verify(&particles),
            Err(Broken::Sequence { expected, found })
        );
    }
}

#[test]
fn swapped_and_doubled_particles_stand_at_the_wrong_sequence() {
    for at in 1..5 {
        let expected = Sequence::new(at as u64);
        let mut swapped = numbered_chain(5);
        swapped.swap(at, at + 1);
        let found = expected.next();
        assert_eq!(verify(&swapped), Err(Broken::Sequence { expected, found }));
        let mut doubled = numbered_chain(5);
        doubled.insert(at, doubled[at - 1].clone());
        let found = expected.previous().unwrap();
        assert_eq!(verify(&doubled), Err(Broken::Sequence { expected, found }));
    }
}

#[test]
fn a_particle_of_another_history_does_not_link() {
    let mine = numbered_chain(4);
    let other = chain_of(&[Message::new("x"), Message::new("y"), Message::new("z")]);
    let mixed = [&mine[..2], &other[2..]].concat();
    let error = Broken::Link {
        expected: mine[1].fingerprint(),
        found: Some(other[1].fingerprint()),
    };
    assert_eq!(verify(&mixed), Err(error));
}

#[test]
fn a_history_that_was_sealed_again_ends_at_another_head() {
    let mine = numbered_chain(4);
    let forged = chain_of(&[Message::new("0"), Message::new("forged"), Message::new("2")]);
    assert!(verify(&forged).is_ok());
    assert_ne!(verify(&forged), verify(&mine[..4]));
}

#[test]
fn a_root_within_a_chain_and_a_message_at_its_beginning_are_refused() {
    let particles = numbered_chain(2);
    let (root, first) = (&particles[0], &particles[1]);
    let error = Head::on(first).check(root).unwrap_err();
    let (expected, found) = (Sequence::new(2), Sequence::ROOT);
    assert_eq!(error, Broken::Sequence { expected, found });
    let error = Head::check_root(&topic(), first).unwrap_err().to_string();
    assert!(
        error.contains("found the particle with sequence 1"),
        "{error}"
    );
}

#[test]
fn the_root_of_another_topic_is_refused_by_name() {
    let error = Head::check_root(&"invoices".parse().unwrap(), &root().1).unwrap_err();
    let expect = "expected the root of topic invoices, found the root of topic \"orders.eu\"";
    assert_eq!(error.to_string(), expect);
}

#[test]
fn a_message_that_plays_the_root_does_not_pass_for_one() {
    let message = Message::new("")
        .with_data_type(ROOT_DATA_TYPE)
        .with_property(ROOT_TOPIC_PROPERTY, topic().as_str());
    let before = Head {
        sequence: Sequence::MAX,
        fingerprint: root().0.fingerprint,
    };
    let (_, particle) = before.link(Draft::encode(&message, &numbered(0)).unwrap());
    assert!(
        Particle::decode(particle.frame()).is_err(),
        "no particle has the last sequence"
    );
    let (_, particle) = root()
        .0
        .link(Draft::encode(&message, &numbered(1)).unwrap());
    assert!(Head::check_root(&topic(), &particle).is_err());
}

#[test]
fn altered_bytes_are_told_apart_from_a_broken_chain() {
    let particles = numbered_chain(2);
    let frame = particles[2].frame();
    let flip = |at: usize| -> Bytes {
        let mut bytes = frame.to_vec();
        bytes[at] ^= 1;
        bytes.into()
    };
    let payload_at = frame.len() - 9;
    let read = |at| Particle::decode_unchecked(&flip(at)).unwrap();
    let head = Head::on(&particles[1]);
    let payload = head.check(&read(payload_at)).unwrap_err();
    assert!(matches!(
        payload,
        Broken::Particle(DecodeError::Payload { .. })
    ));
    let fingerprint = head.check(&read(14)).unwrap_err();
    assert!(matches!(
        fingerprint,
        Broken::Particle(DecodeError::Fingerprint { .. })
    ));
}

#[test]
fn whole_batches_check_and_count_down() {
    let sizes = proptest::collection::vec(1..6_u32, 1..5);
    check(sizes, |sizes| {
        let particles = batches(&sizes);
        prop_assert_eq!(verify(&particles), Ok(Head::on(particles.last().unwrap())));
        let remaining = particles.iter().map(|p| p.metadata().batch_remaining());
        let expect = sizes.iter().flat_map(|size| (0..*size).rev());
        prop_assert!(remaining.skip(1).eq(expect));
        Ok(())
    });
}

#[test]
fn a_batch_that_is_cut_off_is_unfinished() {
    let particles = batches(&[2, 3]);
    for (end, lacking) in [
        (4, Some(2)),
        (5, Some(1)),
        (6, None),
        (3, None),
        (1, None),
        (2, Some(1)),
    ] {
        let expect = match lacking {
            None => Ok(Head::on(&particles[end - 1])),
            Some(expected) => Err(Broken::Batch { expected, found: 0 }),
        };
        assert_eq!(verify(&particles[..end]), expect, "{end}");
    }
}

#[test]
fn a_batch_that_does_not_count_down_is_refused() {
    let mut head = root().0;
    let mut chain = Chain::after(head);
    for (number, remaining) in [2, 0].into_iter().enumerate() {
        let stamp = Stamp {
            in_batch: true,
            ..numbered(number as u64)
        };
        let draft = Draft::encode(&Message::new("m"), &stamp).unwrap();
        let (next, particle) = head.link_in_batch(draft, remaining).unwrap();
        let checked = chain.check(&particle);
        let expect = match number {
            0 => Ok(next),
            _ => Err(Broken::Batch {
                expected: 2,
                found: 1,
            }),
        };
        assert_eq!(checked, expect);
        if number == 0 {
            head = next;
        }
    }
    assert_eq!((chain.head(), chain.batch_remaining()), (head, 2));
}

#[test]
fn a_check_can_begin_within_a_batch() {
    let particles = batches(&[4]);
    let mut chain = Chain::after(Head::on(&particles[2]));
    assert!(chain.check(&particles[3]).is_ok());
    assert!(chain.check(&particles[4]).is_ok());
    assert_eq!(chain.end(), Ok(Head::on(&particles[4])));
}

#[test]
fn a_draft_of_a_single_message_stands_in_no_batch() {
    let head = root().0;
    let draft = Draft::encode(&Message::new("m"), &numbered(1)).unwrap();
    assert_eq!(head.link_in_batch(draft.clone(), 1), Err(NotInBatch));
    assert!(head.link_in_batch(draft, 0).is_ok());
    let stamp = Stamp {
        in_batch: true,
        ..numbered(1)
    };
    let draft = Draft::encode(&Message::new("m"), &stamp).unwrap();
    assert!(head.link_in_batch(draft.clone(), 65_535).is_ok());
    assert_eq!(head.link_in_batch(draft, 65_536), Err(NotInBatch));
}
