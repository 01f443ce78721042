//! Finds the particles that match a query: the index says where to look, and what it has not seen
//! yet is scanned.

use std::ops::RangeInclusive;
use std::sync::Arc;

use efflux_particle::{Id, Particle, Sequence, TopicName};

use crate::error::Result;
use crate::host::Host;
use crate::index::{Candidates, Order, TopicIndex};
use crate::log::{ReadLimit, TopicLog};
use crate::query::Query;

/// Particles that are scanned rather than that the index is opened for them.
const SCAN_MAX: u64 = 4096;

/// Places that are read together at first, and at most.
const PLACES_DEFAULT: usize = 128;
const PLACES_MAX: usize = 4096;

/// Bytes read together below which more places are read the next time: 256 KiB.
const BYTES_LOW: usize = 256 * 1024;

/// Bytes read together above which fewer places are read the next time: 4 MiB.
const BYTES_HIGH: usize = 4 * 1024 * 1024;

/// How many particles are read for one that may match, rather than that each is read by itself.
const DENSE: u64 = 4;

/// Which of the particles that match are found, and in which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FindOptions {
    /// The first sequence that is looked at.
    pub from: Sequence,
    /// The last sequence that is looked at; none for the head at the time of the call.
    pub until: Option<Sequence>,
    /// Whether the newest is found first.
    pub reverse: bool,
    /// How many particles are found at most.
    pub limit: Option<usize>,
}

impl FindOptions {
    /// Sets the first sequence that is looked at.
    #[must_use]
    pub const fn with_from(mut self, from: Sequence) -> Self {
        self.from = from;
        self
    }

    /// Sets the last sequence that is looked at.
    #[must_use]
    pub const fn with_until(mut self, until: Sequence) -> Self {
        self.until = Some(until);
        self
    }

    /// Sets whether the newest is found first.
    #[must_use]
    pub const fn with_reverse(mut self, reverse: bool) -> Self {
        self.reverse = reverse;
        self
    }

    /// Sets how many particles are found at most.
    #[must_use]
    pub const fn with_limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// The particle with this id: one look-up in the index, then in what it does not know yet.
pub(crate) async fn by_id(
    log: &Arc<dyn TopicLog>,
    index: Option<&Arc<TopicIndex>>,
    id: &Id,
) -> Result<Option<Particle>> {
    let mut options = FindOptions::default().with_limit(1);
    if let Some(index) = index
        && let Some(through) = index.through()
        && let Ok(likely) = index.likely_id(id)
    {
        // When there is no place that is likely, there is none at all through there.
        options.from = through.next();
        if let Some(place) = likely {
            let read = log.read(place, ReadLimit::particles(1)).await?;
            if let Some(same) = read.into_iter().find(|particle| particle.id() == *id) {
                return Ok(Some(same));
            }
            options.from = Sequence::ROOT;
        }
    }
    let (log, index) = (Arc::clone(log), index.cloned());
    let mut finder = Finder::new(log, index, Query::id(id), options);
    Ok(finder.next_batch().await?.into_iter().next())
}

/// Finds the particles that match a query, batch by batch.
///
/// - Everything that was appended before it was made is seen, nothing that was appended later.
/// - Every particle it returns was held against the query itself: an index that leads astray costs
///   time, never a wrong answer.
#[derive(Debug)]
pub struct Finder {
    at: At,
}

/// Where a find is done.
#[derive(Debug)]
enum At {
    Here(Search),
    Host(Hosted),
}

/// A find that is done here.
#[derive(Debug)]
struct Search {
    log: Arc<dyn TopicLog>,
    index: Option<Arc<TopicIndex>>,
    query: Arc<Query>,
    order: Order,
    /// What is still to be looked at, but for what `walk` has left.
    left: Option<RangeInclusive<u64>>,
    walk: Option<Box<Candidates>>,
    limit: usize,
    places: usize,
}

/// A find that another process does: what is asked of it next.
#[derive(Debug)]
struct Hosted {
    host: Arc<dyn Host>,
    topic: TopicName,
    query: Query,
    options: FindOptions,
    is_over: bool,
}

impl Hosted {
    async fn next_batch(&mut self) -> Result<Vec<Particle>> {
        if self.is_over || self.options.limit == Some(0) {
            return Ok(Vec::new());
        }
        let found = self
            .host
            .find(&self.topic, &self.query, &self.options)
            .await?;
        // What is appended from the first answer on does not belong to the find.
        self.options.until = self.options.until.or(Some(found.head));
        let found = found.particles;
        let last = found.last().map(Particle::sequence);
        self.options.limit = self
            .options
            .limit
            .map(|limit| limit.saturating_sub(found.len()));
        match (last, self.options.reverse) {
            (Some(last), false) => self.options.from = last.next(),
            (Some(last), true) => match last.previous() {
                Some(next) => self.options.until = Some(next),
                None => self.is_over = true,
            },
            (None, _) => self.is_over = true,
        }
        Ok(found)
    }
}

impl Finder {
    pub(crate) fn new(
        log: Arc<dyn TopicLog>,
        index: Option<Arc<TopicIndex>>,
        query: Query,
        options: FindOptions,
    ) -> Self {
        let at = At::Here(Search::new(log, index, query, options));
        Self { at }
    }

    /// A find that the host does.
    pub(crate) const fn hosted(
        host: Arc<dyn Host>,
        topic: TopicName,
        query: Query,
        options: FindOptions,
    ) -> Self {
        let at = At::Host(Hosted {
            host,
            topic,
            query,
            options,
            is_over: false,
        });
        Self { at }
    }

    /// The next particles that match, in order; none when there are no more.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes do not check, `Unavailable` when reading fails.
    pub async fn next_batch(&mut self) -> Result<Vec<Particle>> {
        match &mut self.at {
            At::Here(search) => search.next_batch().await,
            At::Host(hosted) => hosted.next_batch().await,
        }
    }
}

impl Search {
    fn new(
        log: Arc<dyn TopicLog>,
        index: Option<Arc<TopicIndex>>,
        query: Query,
        options: FindOptions,
    ) -> Self {
        let head = log.head().sequence;
        let until = options.until.map_or(head, |until| until.min(head));
        let left = options.from.get()..=until.get();
        let limit = options.limit.unwrap_or(usize::MAX);
        Self {
            log,
            index,
            query: Arc::new(query),
            order: if options.reverse {
                Order::Descending
            } else {
                Order::Ascending
            },
            left: Some(left).filter(|left| !left.is_empty()),
            walk: None,
            limit,
            places: limit.clamp(1, PLACES_DEFAULT),
        }
    }

    async fn next_batch(&mut self) -> Result<Vec<Particle>> {
        self.open_index().await;
        while self.limit > 0 {
            let read = match self.candidates() {
                Some(places) => self.read_places(&places).await?,
                None => match self.scan().await? {
                    Some(read) => read,
                    None => break,
                },
            };
            let matching = read
                .into_iter()
                .filter(|it| self.query.matches(it.metadata()));
            let found: Vec<_> = matching.take(self.limit).collect();
            self.limit = self.limit.saturating_sub(found.len());
            if !found.is_empty() {
                return Ok(found);
            }
            tokio::task::yield_now().await;
        }
        Ok(Vec::new())
    }

    /// Opens the index when there is enough to look through. What it cannot answer is scanned.
    async fn open_index(&mut self) {
        let Some(left) = &self.left else { return };
        let count = left.end().saturating_sub(*left.start());
        if let Some(index) = &self.index
            && self.walk.is_none()
            && count > SCAN_MAX
            && index.through().is_none()
            && index.wait_through(Sequence::ROOT).await.is_err()
        {
            self.index = None;
        }
    }

    /// The next places that the index knows of, possibly none of them for now; none when what comes
    /// next must be scanned.
    fn candidates(&mut self) -> Option<Vec<Sequence>> {
        if self.walk.is_none() {
            self.walk = self.walk_on();
        }
        let walk = self.walk.as_mut()?;
        match walk.next_batch(self.places) {
            Ok(Some(places)) => Some(places),
            ended => {
                if ended.is_err() {
                    self.index = None;
                }
                let position = walk.position();
                self.walk = None;
                self.pass(position);
                None
            }
        }
    }

    /// A walk through what the index knows of what is left, if that is what comes next.
    fn walk_on(&self) -> Option<Box<Candidates>> {
        let (left, index) = (self.left.as_ref()?, self.index.as_ref()?);
        let next = match self.order {
            Order::Ascending => *left.start(),
            Order::Descending => *left.end(),
        };
        let (from, until) = (Sequence::new(*left.start()), Sequence::new(*left.end()));
        let is_known = index.through().is_some_and(|through| next <= through.get());
        is_known.then(|| Box::new(index.candidates(&self.query, from, until, self.order)))
    }

    /// What is left begins at `position`, or there is nothing left.
    fn pass(&mut self, position: Option<Sequence>) {
        let left = self.left.take();
        self.left = match (left, position, self.order) {
            (Some(left), Some(next), Order::Ascending) => Some(next.get()..=*left.end()),
            (Some(left), Some(next), Order::Descending) => Some(*left.start()..=next.get()),
            _ => None,
        };
        self.left = self.left.take().filter(|left| !left.is_empty());
    }

    /// Reads on what the index does not know; none when nothing is left.
    async fn scan(&mut self) -> Result<Option<Vec<Particle>>> {
        let Some(left) = self.left.clone() else {
            return Ok(None);
        };
        let limit = ReadLimit::default();
        let (first, last) = (*left.start(), *left.end());
        let mut read = match self.order {
            Order::Ascending => self.log.read(Sequence::new(first), limit).await?,
            Order::Descending => self.log.read_back(Sequence::new(last), limit).await?,
        };
        read.retain(|particle| left.contains(&particle.sequence().get()));
        let next = read.last().and_then(|last| match self.order {
            Order::Ascending => Some(last.sequence().next()),
            Order::Descending => last.sequence().previous(),
        });
        self.pass(next);
        Ok(Some(read))
    }

    /// Reads particles that may match, with some between them where that is faster.
    async fn read_places(&mut self, places: &[Sequence]) -> Result<Vec<Particle>> {
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return Ok(Vec::new());
        };
        let (low, high) = ((*first).min(*last), (*first).max(*last));
        let span = high.past(low) + 1;
        let read = if places.len() > 1 && span <= DENSE * places.len() as u64 {
            self.read_span(low, high).await?
        } else {
            self.log.read_each(places).await?
        };
        let bytes: usize = read.iter().map(|particle| particle.frame().len()).sum();
        if bytes > BYTES_HIGH {
            self.places = (self.places / 2).max(1);
        } else if bytes < BYTES_LOW {
            self.places = (self.places * 2).min(PLACES_MAX);
        }
        Ok(read)
    }

    async fn read_span(&self, low: Sequence, high: Sequence) -> Result<Vec<Particle>> {
        let mut all = Vec::new();
        let mut next = low;
        while next <= high {
            let count = usize::try_from(high.past(next) + 1).unwrap_or(usize::MAX);
            let read = self.log.read(next, ReadLimit::particles(count)).await?;
            let Some(last) = read.last() else { break };
            next = last.sequence().next();
            all.extend(read);
        }
        if self.order == Order::Descending {
            all.reverse();
        }
        Ok(all)
    }
}
