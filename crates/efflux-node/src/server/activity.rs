//! What a connection does: how many of its requests are under way, or since when it is idle.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// What a connection does.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    doing: Arc<watch::Sender<Doing>>,
}

#[derive(Clone, Copy, Debug)]
struct Doing {
    /// Requests that are under way.
    count: usize,
    /// Whether there ever was one.
    has_asked: bool,
    /// When the last one ended, or the connection began.
    since: Instant,
    /// Whether the connection is to end for others, if it is still idle.
    gives_way: bool,
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    doing: Arc<watch::Sender<Doing>>,
}

/// How ready an idle connection is to end for another: the least goes first. One that never asked
/// for anything goes before all that did, and else the one that was idle for longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Idle {
    has_asked: bool,
    since: Instant,
}

impl Activity {
    pub(crate) fn new() -> Self {
        let doing = Doing {
            count: 0,
            has_asked: false,
            since: Instant::now(),
            gives_way: false,
        };
        Self {
            doing: Arc::new(watch::Sender::new(doing)),
        }
    }

    /// One request more is under way.
    pub(crate) fn begin(&self) -> UnderWay {
        self.doing.send_modify(|doing| {
            doing.count += 1;
            doing.has_asked = true;
            doing.gives_way = false;
        });
        UnderWay {
            doing: Arc::clone(&self.doing),
        }
    }

    /// Since when the connection is idle, if that is at least so long.
    pub(crate) fn idle_since(&self, time: Duration) -> Option<Idle> {
        let doing = *self.doing.borrow();
        let is_idle = doing.count == 0 && !doing.gives_way && doing.since.elapsed() >= time;
        is_idle.then_some(Idle {
            has_asked: doing.has_asked,
            since: doing.since,
        })
    }

    /// Lets the connection end for another, if it is still idle.
    pub(crate) fn give_way(&self) {
        self.doing.send_if_modified(|doing| {
            doing.gives_way = doing.count == 0;
            doing.gives_way
        });
    }

    /// Returns when the connection is to end: no request came for the first time, or none was under
    /// way for the second, or it gives way to another.
    pub(crate) async fn is_over(&self, first: Duration, next: Duration) {
        let mut changes = self.doing.subscribe();
        loop {
            let doing = *changes.borrow_and_update();
            // The sender lives as long as `self`.
            if doing.count > 0 {
                let _ = changes.changed().await;
                continue;
            }
            let time = if doing.has_asked { next } else { first };
            let changed = timeout_at(doing.since + time, changes.changed());
            if doing.gives_way || changed.await.is_err() {
                return;
            }
        }
    }

    /// Returns when nothing is under way.
    pub(crate) async fn rests(&self) {
        let mut changes = self.doing.subscribe();
        let _ = changes.wait_for(|doing| doing.count == 0).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.doing.send_modify(|doing| {
            doing.count = doing.count.saturating_sub(1);
            doing.since = Instant::now();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_from_its_last_request_on() {
        let activity = Activity::new();
        let (first, second) = (activity.begin(), activity.begin());
        let idle = activity.clone();
        let idle = tokio::spawn(async move { idle.is_over(10 * SECOND, 60 * SECOND).await });
        tokio::time::advance(600 * SECOND).await;
        drop(first);
        tokio::time::advance(600 * SECOND).await;
        assert!(!idle.is_finished());
        assert_eq!(activity.idle_since(Duration::ZERO), None);
        drop(second);
        let start = Instant::now();
        idle.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_request_is_waited_for_a_shorter_time() {
        let (activity, start) = (Activity::new(), Instant::now());
        activity.is_over(10 * SECOND, 60 * SECOND).await;
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_idle_connection_gives_way_and_silent_ones_do_first() {
        let (silent, asked) = (Activity::new(), Activity::new());
        let request = asked.begin();
        asked.give_way();
        drop(request);
        tokio::time::advance(SECOND).await;
        let idle = |activity: &Activity| activity.idle_since(SECOND).unwrap();
        assert!(idle(&silent) < idle(&asked));
        silent.give_way();
        assert_eq!(silent.idle_since(SECOND), None);
        let start = Instant::now();
        silent.is_over(10 * SECOND, 60 * SECOND).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
