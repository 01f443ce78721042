//! How many messages a second are delivered, over all deliveries that go on at once.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// Lets messages through so that no more are delivered in a second than it says.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u32,
    /// When the next message may be delivered.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) const fn new(per_second: u32) -> Self {
        Self {
            per_second,
            next: Mutex::new(None),
        }
    }

    /// How many messages go at once: a tenth of a second's, so that the pace is even.
    pub(super) fn at_once(&self) -> usize {
        usize::try_from(self.per_second / 10)
            .unwrap_or(usize::MAX)
            .max(1)
    }

    /// Waits until so many messages may be delivered.
    pub(super) async fn wait(&self, messages: usize) {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        let time = Duration::from_secs(1).saturating_mul(messages) / self.per_second.max(1);
        let now = Instant::now();
        let begin = {
            let mut next = self.next.lock();
            let begin = next.map_or(now, |next| next.max(now));
            *next = begin.checked_add(time);
            begin
        };
        sleep_until(begin).await;
    }
}
