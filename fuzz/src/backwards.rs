//! A stream read backwards gives the frames that it gives forwards.

use crate::particle::{
    Draft, FrameSize, Head, Id, Message, Particle, Stamp, Timestamp, frame_bytes_backwards,
};
use bytes::Bytes;

fn stamp() -> Stamp {
    Stamp {
        id: Id::from_uuid([7; 16]),
        created: Timestamp::from_nanos(0),
        in_batch: false,
    }
}

/// A chain of the input's pieces, so that payloads hold whatever the fuzzer comes to.
fn stream(input: &[u8]) -> Bytes {
    let topic = "fuzz".parse().expect("a name");
    let (mut head, root) = Head::root(&topic, &stamp()).expect("a root");
    let mut stream = root.frame().to_vec();
    for piece in input.split(|byte| *byte == 0x0a) {
        let message = Message::new(piece.to_vec());
        let draft = Draft::encode(&message, &stamp()).expect("a small message");
        let (next, particle) = head.link(draft);
        head = next;
        stream.extend_from_slice(particle.frame());
    }
    stream.into()
}

fn starts_backwards(stream: &[u8]) -> Vec<usize> {
    let mut end = stream.len();
    let mut starts = Vec::new();
    while end > 0 {
        end -= frame_bytes_backwards(&stream[..end]).expect("a frame ends here");
        starts.push(end);
    }
    starts.reverse();
    starts
}

fn starts_forwards(stream: &Bytes) -> Vec<usize> {
    let mut at = 0;
    let mut starts = Vec::new();
    while at < stream.len() {
        starts.push(at);
        let particle = Particle::decode(&stream.slice(at..)).expect("a particle begins here");
        at += particle.frame().len();
    }
    starts
}

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    if let (Ok(size), Ok(back)) = (FrameSize::whole(input), frame_bytes_backwards(input)) {
        assert!(size.frame_bytes() != input.len() || back == input.len());
    }
    let stream = stream(input);
    assert_eq!(starts_backwards(&stream), starts_forwards(&stream));
}
