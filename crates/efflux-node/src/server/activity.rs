//! How many requests of a connection are under way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Counts the requests of a connection that are under way.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    count: Arc<watch::Sender<usize>>,
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    count: Arc<watch::Sender<usize>>,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            count: Arc::new(watch::Sender::new(0)),
        }
    }

    /// One request more is under way.
    pub(crate) fn begin(&self) -> UnderWay {
        self.count.send_modify(|count| *count += 1);
        UnderWay {
            count: Arc::clone(&self.count),
        }
    }

    /// Returns when no request has been under way for this long.
    pub(crate) async fn idle_for(&self, time: Duration) {
        let mut count = self.count.subscribe();
        loop {
            // The sender lives as long as `self`.
            let _ = count.wait_for(|count| *count == 0).await;
            let changed = count.wait_for(|count| *count > 0);
            if tokio::time::timeout(time, changed).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.count
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_from_its_last_request_on() {
        let activity = Activity::new();
        let (first, second) = (activity.begin(), activity.begin());
        let idle = activity.clone();
        let idle = tokio::spawn(async move { idle.idle_for(Duration::from_secs(60)).await });
        tokio::time::advance(Duration::from_secs(600)).await;
        drop(first);
        tokio::time::advance(Duration::from_secs(600)).await;
        assert!(!idle.is_finished());
        drop(second);
        idle.await.unwrap();
    }
}
