//! Walks through the places that may match a query.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

use efflux_particle::Sequence;

use super::TopicIndex;
use super::place::Place;
use super::plan::Plan;
use super::set::CHUNK;
use super::topic::Attached;
use crate::error::Result;
use crate::query::Query;

/// Chunks that are looked at before the walk pauses, so that whoever awaits it lets others run.
const CHUNKS_PER_STEP: usize = 32;

/// In which direction particles are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// Walks through the places that may match a query, lazily, in order.
#[derive(Debug)]
pub(crate) struct Candidates {
    topic: Arc<TopicIndex>,
    query: Arc<Query>,
    order: Order,
    /// What is still to be looked at; an end that was passed is none.
    left: Option<RangeInclusive<u64>>,
    loaded: Option<Loaded>,
    /// Found and not handed out, the next one first.
    found: VecDeque<u64>,
}

struct Loaded {
    start: u64,
    end: u64,
    plan: Plan,
}

impl Candidates {
    pub(super) fn new(
        topic: Arc<TopicIndex>,
        query: Arc<Query>,
        from: Sequence,
        until: Sequence,
        order: Order,
    ) -> Self {
        let left = (from <= until).then(|| from.get()..=until.get());
        Self {
            topic,
            query,
            order,
            left,
            loaded: None,
            found: VecDeque::new(),
        }
    }

    /// Up to `max` more places. None when there are no more within what is indexed by now; empty
    /// when the walk only pauses.
    ///
    /// # Errors
    /// `Unavailable` when the index cannot be read. Scan instead.
    pub(crate) fn next_batch(&mut self, max: usize) -> Result<Option<Vec<Sequence>>> {
        // What is found here and there is handed out together, so that it is read together.
        for _ in 0..CHUNKS_PER_STEP {
            if self.found.len() >= max {
                break;
            }
            if !self.step()? {
                if self.found.is_empty() {
                    return Ok(None);
                }
                break;
            }
        }
        let count = self.found.len().min(max);
        Ok(Some(self.found.drain(..count).map(Sequence::new).collect()))
    }

    /// The first place that was not looked at; none when there is none left.
    pub(crate) fn position(&self) -> Option<Sequence> {
        let left = self.left.as_ref()?;
        let next = match self.order {
            Order::Ascending => *left.start(),
            Order::Descending => *left.end(),
        };
        Some(Sequence::new(self.found.front().copied().unwrap_or(next)))
    }

    /// Looks at one chunk; false when nothing is left.
    fn step(&mut self) -> Result<bool> {
        let topic = Arc::clone(&self.topic);
        let Some(left) = self.left.clone() else {
            return Ok(false);
        };
        topic.look_up(|attached| self.step_in(attached, left))
    }

    fn step_in(&mut self, attached: &Attached, left: RangeInclusive<u64>) -> Result<bool> {
        let Some(end) = attached.runs.last().map(super::run::Run::end) else {
            return Ok(false);
        };
        let (from, until) = (*left.start(), (*left.end()).min(end.saturating_sub(1)));
        if from > until {
            return Ok(false);
        }
        let next = if self.order == Order::Ascending {
            from
        } else {
            until
        };
        let at = attached.runs.partition_point(|run| run.end() <= next);
        let Some(run) = attached.runs.get(at) else {
            return Ok(false);
        };
        if !self
            .loaded
            .as_ref()
            .is_some_and(|it| it.start == run.start && it.end == run.end())
        {
            let place = Place::new(attached, run, &self.topic.shared.held);
            let plan = Plan::load(self.query.expr(), place)?;
            self.loaded = Some(Loaded {
                start: run.start,
                end: run.end(),
                plan,
            });
        }
        let Some(Loaded { plan, .. }) = &self.loaded else {
            return Ok(false);
        };
        if matches!(plan, Plan::Never) {
            self.pass(run.start.max(from), (run.end() - 1).min(until));
            return Ok(true);
        }
        if let Some(offsets) = plan.few()? {
            let (first, last) = (run.start.max(from), (run.end() - 1).min(until));
            let found = offsets.into_iter().map(|it| run.start + u64::from(it));
            self.find(found.filter(|it| (first..=last).contains(it)));
            self.pass(first, last);
            return Ok(true);
        }
        let chunk = (next - run.start) / u64::from(CHUNK);
        let base = run.start + chunk * u64::from(CHUNK);
        let first = base.max(from);
        let last = (base + u64::from(CHUNK) - 1).min(run.end() - 1).min(until);
        let places = plan
            .chunk(u32::try_from(chunk).unwrap_or(u32::MAX))?
            .into_places();
        let found = places.into_iter().map(|place| base + u64::from(place));
        self.find(found.filter(|sequence| (first..=last).contains(sequence)));
        self.pass(first, last);
        Ok(true)
    }

    /// Adds what was found, which ascends.
    fn find(&mut self, found: impl DoubleEndedIterator<Item = u64>) {
        match self.order {
            Order::Ascending => self.found.extend(found),
            Order::Descending => self.found.extend(found.rev()),
        }
    }

    /// Takes what was looked at from what is left.
    fn pass(&mut self, first: u64, last: u64) {
        let Some(left) = self.left.take() else { return };
        self.left = match self.order {
            Order::Ascending => last
                .checked_add(1)
                .map(|next| next..=*left.end())
                .filter(|left| !left.is_empty()),
            Order::Descending => first
                .checked_sub(1)
                .map(|end| *left.start()..=end)
                .filter(|left| !left.is_empty()),
        };
    }
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}
