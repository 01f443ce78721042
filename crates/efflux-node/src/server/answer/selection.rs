//! Which particles of a topic are read, in which order.

use efflux_flow::particle::{Particle, Sequence};
use efflux_flow::storage::{FindOptions, Finder, Query, ReadLimit, Result, Topic};

use crate::server::limits::{PIECE_BYTES, PIECE_PARTICLES};

/// Which particles are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) from: Sequence,
    pub(crate) until: Option<Sequence>,
    pub(crate) reverse: bool,
    pub(crate) limit: Option<usize>,
    pub(crate) query: Option<Query>,
}

/// Reads the particles that are wanted, of those that stood there when it was made.
#[derive(Debug)]
pub(crate) struct Selection {
    topic: Topic,
    reading: Reading,
    left: usize,
    /// The last sequence that belongs to the selection.
    until: Sequence,
}

#[derive(Debug)]
enum Reading {
    Finding(Finder),
    /// The next sequence upwards.
    Up(Sequence),
    /// The next sequence downwards, and the last one to read.
    Down(Sequence, Sequence),
    Ended,
}

impl Selection {
    /// # Errors
    /// Those of [`Topic::find`].
    pub(crate) async fn new(topic: Topic, wanted: &Wanted) -> Result<Self> {
        let head = topic.head().sequence;
        let until = wanted.until.map_or(head, |until| until.min(head));
        let reading = match &wanted.query {
            _ if wanted.from > until => Reading::Ended,
            Some(query) => {
                let mut options = FindOptions::default()
                    .with_from(wanted.from)
                    .with_until(until)
                    .with_reverse(wanted.reverse);
                options.limit = wanted.limit;
                Reading::Finding(topic.find(query, options).await?)
            }
            None if wanted.reverse => Reading::Down(until, wanted.from),
            None => Reading::Up(wanted.from),
        };
        Ok(Self {
            topic,
            reading,
            left: wanted.limit.unwrap_or(usize::MAX),
            until,
        })
    }

    pub(crate) const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The last sequence that was looked at when everything was read.
    pub(crate) const fn until(&self) -> Sequence {
        self.until
    }

    /// The next particles; none at the end.
    pub(crate) async fn next_batch(&mut self) -> Result<Vec<Particle>> {
        let limit = ReadLimit {
            particles: self.left.min(PIECE_PARTICLES),
            bytes: PIECE_BYTES,
        };
        if self.left == 0 {
            return Ok(Vec::new());
        }
        let mut read = match &mut self.reading {
            Reading::Finding(finder) => finder.next_batch().await?,
            Reading::Up(from) => self.topic.read(*from, limit).await?,
            Reading::Down(from, _) => self.topic.read_back(*from, limit).await?,
            Reading::Ended => Vec::new(),
        };
        let until = self.until;
        match self.reading {
            Reading::Down(_, last) => read.retain(|particle| particle.sequence() >= last),
            _ => read.retain(|particle| particle.sequence() <= until),
        }
        self.left = self.left.saturating_sub(read.len());
        let last = read.last().map(Particle::sequence);
        self.advance(last);
        Ok(read)
    }

    fn advance(&mut self, last: Option<Sequence>) {
        self.reading = match (&self.reading, last) {
            (Reading::Finding(_), Some(_)) => return,
            (Reading::Up(_), Some(last)) if last < self.until => Reading::Up(last.next()),
            (Reading::Down(_, end), Some(last)) if last > *end => match last.previous() {
                Some(next) => Reading::Down(next, *end),
                None => Reading::Ended,
            },
            _ => Reading::Ended,
        };
    }
}
