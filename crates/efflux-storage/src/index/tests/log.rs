//! A log in memory that can lose its end.

use std::sync::Arc;

use async_trait::async_trait;
use efflux_particle::{Draft, Head, Id, Message, Particle, Sequence, Stamp, Timestamp, TopicName};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::find::FindOptions;
use crate::frames::Frames;
use crate::log::{Appended, Batch, ReadLimit, TopicLog};
use crate::query::Query;
use crate::verify::{Progress, Verified};

#[derive(Debug)]
pub(super) struct TestLog {
    name: TopicName,
    particles: Mutex<Vec<Particle>>,
    head: watch::Sender<Head>,
    made: Mutex<u64>,
}

fn stamp(number: u64, created: i64) -> Stamp {
    let mut uuid = [7; 16];
    uuid[..8].copy_from_slice(&number.to_le_bytes());
    let created = Timestamp::from_nanos(created);
    Stamp {
        id: Id::from_uuid(uuid),
        created,
        in_batch: false,
    }
}

impl TestLog {
    /// A log whose root is another one for each `seed`.
    pub(super) fn new(name: &str, seed: i64) -> Arc<Self> {
        let name: TopicName = name.parse().unwrap();
        let (head, root) = Head::root(&name, &stamp(0, seed)).unwrap();
        Arc::new(Self {
            name,
            particles: Mutex::new(vec![root]),
            head: watch::Sender::new(head),
            made: Mutex::new(0),
        })
    }

    pub(super) fn push(&self, messages: impl IntoIterator<Item = Message>) {
        let clock = |made: i64| 1_700_000_000_000_000_000 + made * 1_000_000;
        self.push_at(messages, clock);
    }

    /// Adds messages by a clock that tells the time for each number of them.
    pub(super) fn push_at(
        &self,
        messages: impl IntoIterator<Item = Message>,
        clock: impl Fn(i64) -> i64,
    ) {
        let mut particles = self.particles.lock();
        let mut head = *self.head.borrow();
        let mut made = self.made.lock();
        for message in messages {
            *made += 1;
            let created = clock(i64::try_from(*made).unwrap());
            let draft = Draft::encode(&message, &stamp(*made, created)).unwrap();
            let (next, particle) = head.link(draft);
            particles.push(particle);
            head = next;
        }
        self.head.send_replace(head);
    }

    /// Loses the particles from this place on.
    pub(super) fn cut(&self, from: u64) {
        let mut particles = self.particles.lock();
        particles.truncate(usize::try_from(from).unwrap());
        self.head.send_replace(Head::on(particles.last().unwrap()));
    }

    pub(super) fn all(&self) -> Vec<Particle> {
        self.particles.lock().clone()
    }

    pub(super) fn scan(&self, query: &Query, options: FindOptions) -> Vec<Sequence> {
        let particles = self.particles.lock();
        let until = options.until.unwrap_or(Sequence::MAX);
        let mut found: Vec<_> = particles
            .iter()
            .filter(|it| (options.from..=until).contains(&it.sequence()))
            .filter(|it| query.matches(it.metadata()))
            .map(Particle::sequence)
            .collect();
        if options.reverse {
            found.reverse();
        }
        found.truncate(options.limit.unwrap_or(usize::MAX));
        found
    }
}

fn place(sequence: Sequence) -> usize {
    usize::try_from(sequence.get()).unwrap_or(usize::MAX)
}

#[async_trait]
impl TopicLog for TestLog {
    fn name(&self) -> &TopicName {
        &self.name
    }

    fn head(&self) -> Head {
        *self.head.borrow()
    }

    async fn append(&self, _: Batch) -> Result<Appended> {
        Err(Error::invalid("tests push"))
    }

    async fn read(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        let particles = self.particles.lock();
        Ok(particles
            .iter()
            .skip(place(from))
            .take(limit.bounded().particles)
            .cloned()
            .collect())
    }

    async fn read_frames(&self, _: Sequence, _: ReadLimit) -> Result<Frames> {
        Err(Error::invalid("not for tests"))
    }

    async fn read_back(&self, from: Sequence, limit: ReadLimit) -> Result<Vec<Particle>> {
        let particles = self.particles.lock();
        let count = place(from).saturating_add(1).min(particles.len());
        let below = particles.iter().take(count).rev();
        Ok(below.take(limit.bounded().particles).cloned().collect())
    }

    async fn read_each(&self, sequences: &[Sequence]) -> Result<Vec<Particle>> {
        let particles = self.particles.lock();
        let read = |at: &Sequence| particles.get(place(*at)).cloned();
        sequences
            .iter()
            .map(|at| read(at).ok_or_else(|| Error::not_found("not there")))
            .collect()
    }

    async fn wait_past(&self, sequence: Sequence) -> Result<Head> {
        let mut head = self.head.subscribe();
        let past = head.wait_for(|head| head.sequence > sequence).await;
        past.map(|head| *head).map_err(|_| Error::closed("closed"))
    }

    fn indexed_through(&self, _: Sequence) {}

    async fn verify(&self, _: Progress) -> Result<Verified> {
        Err(Error::invalid("not for tests"))
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
