//! Reading a topic with every byte held against its hashes.

use std::fmt;
use std::sync::Arc;

use efflux_particle::{Chain, DecodeError, Head, Particle, Sequence};

use crate::crew::Crew;
use crate::error::{Damage, Error, Result};
use crate::frames::Frames;
use crate::log::{ReadLimit, TopicLog};

/// Bytes read at a time: they fit the cache of a core.
const PIECE_BYTES: usize = 512 * 1024;
/// Pieces that are read ahead for each core.
const PIECES_PER_CORE: usize = 2;

/// Reads a topic upwards and checks each particle before it is given: its metadata against its
/// fingerprint, its payload against its hash, its link against the particle before, its batch.
///
/// [`Topic::read`](crate::Topic::read) holds bytes against a checksum, which tells rot from what was
/// written. An audit tells forgery too: it proves that every particle follows from the head it began
/// with. It reads ahead and hashes on all cores; reading ahead holds a few MiB.
///
/// [`Topic::audit`](crate::Topic::audit) has an example.
pub struct Audit {
    log: Arc<dyn TopicLog>,
    chain: Option<Chain>,
    /// What is read next.
    next: Sequence,
    hashing: Crew<Frames, Vec<Result<Particle, DecodeError>>>,
}

impl Audit {
    pub(crate) fn new(log: Arc<dyn TopicLog>, after: Option<Head>) -> Self {
        Self {
            log,
            chain: after.map(Chain::after),
            next: after.map_or(Sequence::ROOT, |head| head.sequence.next()),
            hashing: Crew::new(hash),
        }
    }

    /// The last particle that was checked; none before the root.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.chain.map(Chain::head)
    }

    /// The next particles, all of them checked; none at the topic's head. Cancel-safe.
    ///
    /// What stands before a damaged particle is given first. The error comes with the next call,
    /// and again with each later one.
    ///
    /// # Errors
    /// `Corrupt` when the next particle does not check. It names the particle;
    /// [`Topic::verify`](crate::Topic::verify) names the byte. `Unavailable` when reading fails.
    pub async fn next_batch(&mut self) -> Result<Vec<Particle>> {
        let failed = self.read_ahead().await.err();
        let Some(hashed) = self.hashing.take() else {
            return failed.map_or(Ok(Vec::new()), Err);
        };
        let mut checked = Vec::with_capacity(hashed.len());
        for read in hashed {
            match self.check(read) {
                Ok(particle) => checked.push(particle),
                Err(problem) => {
                    let broken = self.expected();
                    self.hashing.discard();
                    self.next = broken;
                    if checked.is_empty() {
                        return Err(self.damage(broken, problem));
                    }
                    break;
                }
            }
        }
        Ok(checked)
    }

    async fn read_ahead(&mut self) -> Result<()> {
        let limit = ReadLimit {
            bytes: PIECE_BYTES,
            ..ReadLimit::default()
        };
        while self.hashing.pending() < PIECES_PER_CORE * self.hashing.cores() {
            let frames = self.log.read_frames(self.next, limit).await?;
            if frames.is_empty() {
                break;
            }
            self.next = frames.next();
            self.hashing.put(frames);
        }
        Ok(())
    }

    /// Holds a particle whose own bytes check against the one before.
    fn check(&mut self, read: Result<Particle, DecodeError>) -> Result<Particle, String> {
        let particle = read.map_err(|error| error.to_string())?;
        let checked = match &mut self.chain {
            Some(chain) => chain.check_link(&particle).map(drop),
            None => Chain::root(self.log.name(), &particle).map(|root| self.chain = Some(root)),
        };
        checked.map_err(|error| error.to_string())?;
        Ok(particle)
    }

    /// The sequence behind the last particle that was checked.
    fn expected(&self) -> Sequence {
        self.head()
            .map_or(Sequence::ROOT, |head| head.sequence.next())
    }

    fn damage(&self, sequence: Sequence, problem: String) -> Error {
        Error::corrupt(Damage {
            topic: self.log.name().clone(),
            file: "stream".to_owned(),
            offset: 0,
            sequence: Some(sequence),
            problem,
        })
    }
}

/// Checks each frame by its hashes, up to the first that is no particle.
fn hash(frames: &Frames) -> Vec<Result<Particle, DecodeError>> {
    let mut hashed = Vec::with_capacity(frames.count());
    for frame in frames.each() {
        let read = Particle::decode(&frame);
        let is_broken = read.is_err();
        hashed.push(read);
        if is_broken {
            break;
        }
    }
    hashed
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit")
            .field("topic", self.log.name())
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use efflux_particle::{Draft, Id, Message, Stamp, Timestamp};

    #[test]
    fn frames_are_hashed_up_to_the_first_that_was_altered() {
        let stamp = Stamp {
            id: Id::from_uuid([1; 16]),
            created: Timestamp::from_nanos(0),
            in_batch: false,
        };
        let (mut head, root) = Head::root(&"audited".parse().unwrap(), &stamp).unwrap();
        let mut frames = vec![root.frame().to_vec()];
        for _ in 0..3 {
            let draft = Draft::encode(&Message::new("payload"), &stamp).unwrap();
            let (next, particle) = head.link(draft);
            head = next;
            frames.push(particle.frame().to_vec());
        }
        let read = |frames: &[Vec<u8>]| {
            let bytes = Bytes::from(frames.concat());
            hash(&Frames::new(Sequence::ROOT, frames.len(), bytes))
        };
        assert!(read(&frames).iter().all(Result::is_ok) && read(&frames).len() == 4);
        let payload_at = frames[2].len() - 9;
        frames[2][payload_at] ^= 1;
        let hashed = read(&frames);
        assert_eq!(hashed.len(), 3);
        assert!(matches!(hashed[2], Err(DecodeError::Payload { .. })));
    }
}
