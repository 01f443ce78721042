//! Messages that are appended as frames: a batch, or several one behind the other.

use bytes::Bytes;
use efflux_flow::particle::{FrameSize, Head, Message, Particle, ROOT_DATA_TYPE, Sequence};

use super::elements::check_count;
use crate::server::refusal::{Answer, Refusal};

/// Reads frames, one behind the other, each of which must check by itself. Payloads that were hashed
/// here are not hashed again when they are sealed.
pub(crate) fn from_frames(bytes: &Bytes) -> Answer<Vec<Message>> {
    let mut messages = Vec::new();
    for read in Frames::of(bytes) {
        messages.push(read?.1);
    }
    Ok(messages)
}

/// Reads several batches, one behind the other: each frame says how many of its batch follow it, and
/// links to the one before it.
pub(crate) fn batches_from_frames(bytes: &Bytes) -> Answer<Vec<Vec<Message>>> {
    let (mut batches, mut batch, mut at) = (Vec::new(), Vec::new(), 0);
    let mut before: Option<(Head, u32)> = None;
    for read in Frames::of(bytes) {
        let (particle, message) = read?;
        let remaining = particle.metadata().batch_remaining();
        let follows = before.is_none_or(|(head, expected)| {
            remaining == expected && head.check_link(&particle).is_ok()
        });
        if !follows {
            let why = "it does not follow the one before it in its batch";
            return Err(Refusal::invalid(format!("frame {at}: {why}")));
        }
        batch.push(message);
        before = remaining
            .checked_sub(1)
            .map(|left| (Head::on(&particle), left));
        if before.is_none() {
            batches.push(std::mem::take(&mut batch));
        }
        at += 1;
    }
    match batch.is_empty() {
        true => Ok(batches),
        false => Err(Refusal::invalid("the last batch is cut off")),
    }
}

/// The frames of a body.
struct Frames {
    rest: Bytes,
    count: usize,
}

impl Frames {
    fn of(bytes: &Bytes) -> Self {
        Self {
            rest: bytes.clone(),
            count: 0,
        }
    }

    fn read(&mut self) -> Answer<(Particle, Message)> {
        let at = self.count;
        self.count += 1;
        check_count(self.count)?;
        let refuse = |why: String| Refusal::invalid(format!("frame {at}: {why}"));
        let size = FrameSize::forwards(&self.rest).map_err(|error| refuse(error.to_string()))?;
        if size.frame_bytes() > self.rest.len() {
            return Err(refuse("it is cut off".to_owned()));
        }
        let frame = self.rest.split_to(size.frame_bytes());
        let read = Particle::decode_message(&frame);
        let (particle, message) = read.map_err(|error| refuse(error.to_string()))?;
        let is_root = particle.sequence() == Sequence::ROOT
            && particle.metadata().data_type() == Some(ROOT_DATA_TYPE);
        if is_root {
            let why = "it is the root of a topic, and this topic has its own: leave it out";
            return Err(refuse(why.to_owned()));
        }
        Ok((particle, message))
    }
}

impl Iterator for Frames {
    type Item = Answer<(Particle, Message)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest.clear();
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in ["no frame", "\0"] {
            let bytes = Bytes::from(bytes);
            assert!(from_frames(&bytes).is_err());
            assert!(batches_from_frames(&bytes).is_err());
        }
    }
}
