//! A topic's log in memory.

use async_trait::async_trait;
use efflux_particle::{Head, Particle, Sequence, Stamp, TopicName};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::frames::Frames;
use crate::log::{Appended, Batch, ReadLimit, TopicLog};
use crate::sequencer::{Sequenced, Sequencer};
use crate::verify::{Progress, Verified};

/// A topic's log in memory. What it acknowledged lives as long as the process.
#[derive(Debug)]
pub(crate) struct MemoryLog {
    name: TopicName,
    state: Mutex<State>,
    head: watch::Sender<Shown>,
}

/// What readers see.
#[derive(Clone, Copy, Debug)]
struct Shown {
    head: Head,
    is_closed: bool,
}

#[derive(Debug)]
struct State {
    sequencer: Sequencer,
    particles: Vec<Particle>,
}

impl MemoryLog {
    pub(crate) fn create(name: &TopicName, stamp: &Stamp) -> Result<Self> {
        let (head, root) = Head::root(name, stamp)?;
        Ok(Self {
            name: name.clone(),
            state: Mutex::new(State {
                sequencer: Sequencer::new(head),
                particles: vec![root],
            }),
            head: watch::Sender::new(Shown {
                head,
                is_closed: false,
            }),
        })
    }

    /// A log of particles that were sealed before, the last of which is at `head`.
    pub(super) fn of(name: &TopicName, head: Head, particles: Vec<Particle>) -> Self {
        Self {
            name: name.clone(),
            state: Mutex::new(State {
                sequencer: Sequencer::new(head),
                particles,
            }),
            head: watch::Sender::new(Shown {
                head,
                is_closed: false,
            }),
        }
    }

    fn closed(&self) -> Error {
        Error::closed(format!(
            "topic {} is closed: its store was closed, or it was deleted",
            self.name
        ))
    }
}

fn place(sequence: Sequence) -> usize {
    usize::try_from(sequence.get()).unwrap_or(usize::MAX)
}

/// As many of the particles as the limit allows, one at least.
fn within<'a>(particles: impl Iterator<Item = &'a Particle>, limit: ReadLimit) -> Vec<Particle> {
    let limit = limit.bounded();
    let mut bytes = 0_usize;
    let fits = |(at, particle): &(usize, &Particle)| {
        bytes = bytes.saturating_add(particle.frame().len());
        *at == 0 || bytes <= limit.bytes
    };
    let particles = particles.take(limit.particles).enumerate().take_while(fits);
    particles.map(|(_, particle)| particle.clone()).collect()
}

#[async_trait]
impl TopicLog for MemoryLog {
    fn name(&self) -> &TopicName {
        &self.name
    }

    fn head(&self) -> Head {
        self.head.borrow().head
    }

    async fn append(&self, batch: Batch) -> Result<Appended> {
        let mut state = self.state.lock();
        if self.head.borrow().is_closed {
            return Err(self.closed());
        }
        match state.sequencer.append(batch)? {
            Sequenced::Linked { linked, receipts } => {
                state.particles.extend(linked.into_particles());
                self.head
                    .send_modify(|shown| shown.head = state.sequencer.head());
                Ok(Appended::Placed(receipts))
            }
            Sequenced::LookUpAgain {
                batch,
                through,
                matched_through,
            } => Ok(Appended::LookUpAgain {
                batch: Box::new(batch),
                through,
                matched_through,
            }),
        }
    }

    async fn read(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        let state = self.state.lock();
        Ok(within(state.particles.iter().skip(place(from)), limit))
    }

    async fn read_frames(&self, from: Sequence, limit: ReadLimit) -> Result<Frames> {
        let particles = self.read(from, limit).await?;
        let frames: Vec<&[u8]> = particles.iter().map(|one| &**one.frame()).collect();
        Ok(Frames::new(from, frames.len(), frames.concat().into()))
    }

    async fn read_back(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        let state = self.state.lock();
        let count = place(from.next()).min(state.particles.len());
        Ok(within(state.particles.iter().take(count).rev(), limit))
    }

    async fn read_each(&self, sequences: &[Sequence]) -> Result<Vec<Particle>> {
        let state = self.state.lock();
        let read = |sequence: &Sequence| {
            state
                .particles
                .get(place(*sequence))
                .cloned()
                .ok_or_else(|| {
                    Error::not_found(format!("topic {} has no sequence {sequence}", self.name))
                })
        };
        sequences.iter().map(read).collect()
    }

    async fn wait_past(&self, sequence: Sequence) -> Result<Head> {
        let mut shown = self.head.subscribe();
        let is_over = |shown: &Shown| shown.head.sequence > sequence || shown.is_closed;
        match shown.wait_for(is_over).await {
            Ok(shown) if shown.head.sequence > sequence => Ok(shown.head),
            _ => Err(self.closed()),
        }
    }

    fn indexed_through(&self, sequence: Sequence) {
        self.state.lock().sequencer.indexed_through(sequence);
    }

    async fn verify(&self, progress: Progress) -> Result<Verified> {
        let particles = self.state.lock().particles.clone();
        let broken = |sequence: usize, problem: String| {
            Error::corrupt(crate::error::Damage {
                topic: self.name.clone(),
                file: "memory".to_owned(),
                offset: 0,
                sequence: Some(Sequence::new(sequence as u64)),
                problem,
            })
        };
        let mut head = None;
        let mut bytes = 0;
        for (at, particle) in particles.iter().enumerate() {
            let next = match head {
                None => Head::check_root(&self.name, particle),
                Some(head) => Head::check(head, particle),
            };
            head = Some(next.map_err(|error| broken(at, error.to_string()))?);
            bytes += particle.frame().len() as u64;
            progress.tell(at as u64 + 1, bytes);
        }
        let head = head.ok_or_else(|| broken(0, "the root is missing".to_owned()))?;
        let particles = particles.len() as u64;
        Ok(Verified {
            particles,
            bytes,
            segments: 0,
            head,
            notes: Vec::new(),
        })
    }

    async fn close(&self) -> Result<()> {
        let _state = self.state.lock();
        self.head.send_modify(|shown| shown.is_closed = true);
        Ok(())
    }
}
