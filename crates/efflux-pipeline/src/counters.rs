//! What a pipeline has done so far, for whoever watches it.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// What a running pipeline has done so far. It is read at any time, by anybody.
#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    filtered: AtomicU64,
    delivered: AtomicU64,
    dead_lettered: AtomicU64,
    skipped: AtomicU64,
    retries: AtomicU64,
    unanswered: AtomicU64,
    in_flight: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// What a pipeline had done at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that came in.
    pub received: u64,
    /// Messages that a step filtered out.
    pub filtered: u64,
    /// Messages that were delivered.
    pub delivered: u64,
    /// Messages that went to the dead-letter topic.
    pub dead_lettered: u64,
    /// Messages that failed and were left out.
    pub skipped: u64,
    /// Tries that failed and were made again.
    pub retries: u64,
    /// Intakes that were delivered, and whose source could not be told: they come again.
    pub unanswered: u64,
    /// Intakes that are under way.
    pub in_flight: u64,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// One of the counters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Received,
    Filtered,
    Delivered,
    DeadLettered,
    Skipped,
    Retries,
    Unanswered,
}

impl Counters {
    pub(crate) fn add(&self, count: Count, number: usize) {
        let counter = match count {
            Count::Received => &self.received,
            Count::Filtered => &self.filtered,
            Count::Delivered => &self.delivered,
            Count::DeadLettered => &self.dead_lettered,
            Count::Skipped => &self.skipped,
            Count::Retries => &self.retries,
            Count::Unanswered => &self.unanswered,
        };
        counter.fetch_add(number as u64, Ordering::Relaxed);
    }

    pub(crate) fn set_in_flight(&self, number: usize) {
        self.in_flight.store(number as u64, Ordering::Relaxed);
    }

    pub(crate) fn tell(&self, error: String) {
        *self.last_error.lock() = Some(error);
    }

    /// How many messages were delivered by now.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// What the pipeline has done by now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            received: read(&self.received),
            filtered: read(&self.filtered),
            delivered: read(&self.delivered),
            dead_lettered: read(&self.dead_lettered),
            skipped: read(&self.skipped),
            retries: read(&self.retries),
            unanswered: read(&self.unanswered),
            in_flight: read(&self.in_flight),
            last_error: self.last_error.lock().clone(),
        }
    }
}
