//! Frames that came from a node, each held against its hashes and the one before it.

use bytes::Bytes;
use efflux_particle::{FrameSize, Head, Particle, Sequence, TopicName};

use crate::error::{Damage, Error, Result};

/// In which order frames come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Each behind the one before.
    Up,
    /// Each before the one before.
    Down,
    /// With others left out between them.
    Some,
}

/// Reads frames from a body: each must check by itself and against its neighbours.
///
/// # Errors
/// `Corrupt` with the first that does not.
pub(super) fn particles(topic: &TopicName, body: &Bytes, order: Order) -> Result<Vec<Particle>> {
    let mut rest = body.clone();
    let mut particles: Vec<Particle> = Vec::new();
    while !rest.is_empty() {
        let before = particles.last();
        let broken = |why: String| damage(topic, before.map(Particle::sequence), why);
        let size = FrameSize::forwards(&rest).map_err(|error| broken(error.to_string()))?;
        if size.frame_bytes() > rest.len() {
            return Err(broken("the last frame is cut off".to_owned()));
        }
        let frame = rest.split_to(size.frame_bytes());
        let particle = Particle::decode(&frame).map_err(|error| broken(error.to_string()))?;
        if let Some(before) = before {
            let linked = match order {
                Order::Up => Head::on(before).check_link(&particle).map(drop),
                Order::Down => Head::on(&particle).check_link(before).map(drop),
                Order::Some => Ok(()),
            };
            linked.map_err(|error| damage(topic, Some(particle.sequence()), error.to_string()))?;
        }
        particles.push(particle);
    }
    Ok(particles)
}

/// How many frames a body seems to hold, none of them looked into; none when it holds something else.
pub(super) fn count(body: &Bytes) -> Option<u64> {
    let (mut rest, mut count) = (&**body, 0);
    while !rest.is_empty() {
        let size = FrameSize::forwards(rest).ok()?;
        rest = rest.get(size.frame_bytes()..)?;
        count += 1;
    }
    (count > 0).then_some(count)
}

/// What came from the node does not check.
pub(super) fn damage(topic: &TopicName, sequence: Option<Sequence>, problem: String) -> Error {
    Error::corrupt(Damage {
        topic: topic.clone(),
        file: "remote".to_owned(),
        offset: 0,
        sequence,
        problem,
    })
}
