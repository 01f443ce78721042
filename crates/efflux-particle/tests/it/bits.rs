//! A flipped bit is noticed, wherever it is.

use bytes::Bytes;
use efflux_particle::{Draft, Head, Message, Particle};
use proptest::prelude::*;

use crate::arbitrary::{chain_of, check, message, numbered, root, stamp, with_unknown};

fn flipped(frame: &[u8], bit: usize) -> Bytes {
    let mut bytes = frame.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes.into()
}

/// Whether reading the frame or checking it against the head before it fails.
fn is_noticed(head: Head, frame: &Bytes) -> bool {
    Particle::decode(frame).is_err_and(|_| true)
        || Particle::decode(frame).is_ok_and(|particle| head.check(&particle).is_err())
}

#[test]
fn every_single_bit_of_a_handful_of_frames_is_guarded() {
    let rich = Message::new("{\"total\":12}")
        .with_id("order 7".parse().unwrap())
        .with_data_type("order.placed")
        .with_content_type("application/json")
        .with_message_group("größe")
        .with_property("region", "eu")
        .with_property("a", "");
    let particles = chain_of(&[Message::new(""), Message::new("x"), rich]);
    for (before, particle) in particles.iter().zip(&particles[1..]) {
        let particle = with_unknown(particle, &[vec![0xa1, b'x', 0x91, 0xc0]]);
        let head = Head::on(before);
        assert!(!is_noticed(head, particle.frame()));
        for bit in 0..particle.frame().len() * 8 {
            let frame = flipped(particle.frame(), bit);
            assert!(is_noticed(head, &frame), "bit {bit} of {particle:?}");
        }
    }
}

#[test]
fn a_flipped_bit_of_any_frame_is_noticed() {
    let case = (
        message(),
        stamp(),
        proptest::collection::vec(any::<prop::sample::Index>(), 20),
    );
    check(case, |(message, stamp, places)| {
        let (head, _) = root();
        let (_, particle) = head.link(Draft::encode(&message, &stamp).unwrap());
        for place in places {
            let bit = place.index(particle.frame().len() * 8);
            prop_assert!(
                is_noticed(head, &flipped(particle.frame(), bit)),
                "bit {}",
                bit
            );
        }
        Ok(())
    });
}

#[test]
fn a_flipped_bit_within_a_stream_is_noticed() {
    let messages: Vec<_> = (0..5)
        .map(|n| Message::new(format!("payload {n}")))
        .collect();
    let particles = chain_of(&messages);
    let stream: Vec<u8> = particles.iter().flat_map(|p| p.frame().to_vec()).collect();
    let read = |stream: &Bytes| -> bool {
        let mut rest = stream.clone();
        let mut head = None;
        while !rest.is_empty() {
            let Ok(particle) = Particle::decode(&rest) else {
                return false;
            };
            let checked = match head {
                None => Head::check_root(&crate::arbitrary::topic(), &particle),
                Some(head) => Head::check(head, &particle),
            };
            let Ok(next) = checked else { return false };
            head = Some(next);
            rest = rest.slice(particle.frame().len()..);
        }
        head == particles.last().map(Head::on)
    };
    assert!(read(&stream.clone().into()));
    for bit in 0..stream.len() * 8 {
        assert!(!read(&flipped(&stream, bit)), "bit {bit}");
    }
}

#[test]
fn a_byte_that_is_cut_off_or_added_at_the_end_is_seen() {
    let (head, _) = root();
    let draft = Draft::encode(&Message::new("payload"), &numbered(1)).unwrap();
    let (_, particle) = head.link(draft);
    for end in 0..particle.frame().len() {
        assert!(
            Particle::decode(&particle.frame().slice(..end)).is_err(),
            "{end}"
        );
    }
    let longer: Bytes = [particle.frame(), &b"\0"[..]].concat().into();
    assert_eq!(Particle::decode(&longer).unwrap(), particle);
}
