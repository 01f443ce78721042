//! How many requests a token may send.

use tokio::time::Instant;

/// Requests that may still be sent: so many a second come back, up to a second's worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// None for no bound.
    per_second: Option<u32>,
    left: f64,
    /// When it was last looked at.
    at: Option<Instant>,
}

impl Bucket {
    pub(super) fn new(per_second: Option<u32>) -> Self {
        Self {
            per_second,
            left: per_second.map_or(0.0, f64::from),
            at: None,
        }
    }

    /// Takes one, if there is one left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let Some(per_second) = self.per_second.map(f64::from) else {
            return true;
        };
        let passed = self
            .at
            .map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.at = Some(now);
        self.left = (self.left + passed * per_second).min(per_second);
        let is_there = self.left >= 1.0;
        if is_there {
            self.left -= 1.0;
        }
        is_there
    }

    /// The same bound, with what is left of another one that had it too.
    pub(super) fn or_rest_of(self, other: Self) -> Self {
        match self.per_second == other.per_second {
            true => other,
            false => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_seconds_worth_is_there_at_once_and_comes_back_in_a_second() {
        let (mut bucket, start) = (Bucket::new(Some(2)), Instant::now());
        assert!(bucket.take(start) && bucket.take(start) && !bucket.take(start));
        let half = start + Duration::from_millis(500);
        assert!(bucket.take(half) && !bucket.take(half));
        let later = start + Duration::from_secs(60);
        assert!(bucket.take(later) && bucket.take(later) && !bucket.take(later));
        let mut free = Bucket::new(None);
        assert!((0..1000).all(|_| free.take(start)));
    }
}
