//! How long to wait before something is tried again.

use std::time::Duration;

use crate::policy::Retry;

/// The waits of one thing that is tried again and again.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    retry: Retry,
    failures: u32,
    /// The state of a generator of random numbers (xorshift64*).
    random: u64,
}

impl Backoff {
    /// The same seed makes the same waits.
    pub(crate) const fn new(retry: Retry, seed: u64) -> Self {
        Self {
            retry,
            failures: 0,
            random: seed | 1,
        }
    }

    /// How often it failed.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// The wait after one more failure; `asked` is how long the target wants to be left alone.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let doublings = self.failures.min(30);
        self.failures = self.failures.saturating_add(1);
        let full = self.retry.initial.saturating_mul(1 << doublings);
        let full = full.min(self.retry.max);
        let nanos = u64::try_from(full.as_nanos()).unwrap_or(u64::MAX);
        let shortened = nanos - self.random_below(nanos / 2 + 1);
        let wait = Duration::from_nanos(shortened);
        asked.map_or(wait, |asked| asked.min(self.retry.max).max(wait))
    }

    fn random_below(&mut self, end: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) % end.max(1)
    }

    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_shortened_by_half_at_most() {
        let retry = Retry::default();
        let mut backoff = Backoff::new(retry, 7);
        let mut full = retry.initial;
        for _ in 0..40 {
            let wait = backoff.next(None);
            assert!(wait <= full && wait >= full / 2, "{wait:?} for {full:?}");
            full = (full * 2).min(retry.max);
        }
    }

    #[test]
    fn who_asks_to_be_left_alone_is_but_not_for_ever() {
        let mut backoff = Backoff::new(Retry::default(), 7);
        assert_eq!(
            backoff.next(Some(Duration::from_secs(5))),
            Duration::from_secs(5)
        );
        assert_eq!(
            backoff.next(Some(Duration::from_secs(9999))),
            Duration::from_secs(60)
        );
    }
}
