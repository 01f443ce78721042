//! How long a client may take nothing of its answer.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::limits::{HURRIED_STALL_TIME, STALL_CHECK_TIME};

/// How long a client may take nothing of its answer: less while its place is wanted by others, or
/// while the node shuts down.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    time: Duration,
    is_hurried: watch::Receiver<bool>,
}

impl Patience {
    pub(crate) const fn new(time: Duration, is_hurried: watch::Receiver<bool>) -> Self {
        Self { time, is_hurried }
    }

    /// How long to wait before this is asked again, for a client whose turn it has been since then;
    /// none when that was for too long.
    pub(crate) fn left(&self, since: Instant) -> Option<Duration> {
        let time = match *self.is_hurried.borrow() {
            true => self.time.min(HURRIED_STALL_TIME),
            false => self.time,
        };
        let left = time.checked_sub(since.elapsed());
        let left = left.filter(|left| !left.is_zero());
        left.map(|left| left.min(STALL_CHECK_TIME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hurried_node_waits_a_shorter_time() {
        let is_hurried = watch::Sender::new(false);
        let patience = Patience::new(Duration::from_secs(30), is_hurried.subscribe());
        let since = Instant::now();
        tokio::time::advance(HURRIED_STALL_TIME).await;
        assert_eq!(patience.left(since), Some(STALL_CHECK_TIME));
        is_hurried.send_replace(true);
        assert_eq!(patience.left(since), None);
        is_hurried.send_replace(false);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(patience.left(since), None);
    }
}
