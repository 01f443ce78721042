//! How far the index is behind what was acknowledged.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use efflux_node::particle::Sequence;
use efflux_node::storage::Topic;

/// Looked at after every append, so that nothing is missed but what is over between two of them.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    /// The head after each append that the index does not answer for yet, and when that was.
    appended: VecDeque<(u64, Instant)>,
    pub(crate) particles_max: u64,
    pub(crate) time_max: Duration,
}

impl Lag {
    /// Another topic is looked at from here on.
    pub(crate) fn begin(&mut self) {
        self.appended.clear();
    }

    pub(crate) fn look(&mut self, topic: &Topic) {
        let (head, at) = (topic.head().sequence.get(), Instant::now());
        self.appended.push_back((head, at));
        let through = topic.indexed_through().map_or(0, Sequence::get);
        while self
            .appended
            .front()
            .is_some_and(|(head, _)| *head <= through)
        {
            self.appended.pop_front();
        }
        if let Some((_, since)) = self.appended.front() {
            self.time_max = self.time_max.max(since.elapsed());
            self.particles_max = self.particles_max.max(head.saturating_sub(through));
        }
    }
}

#[cfg(test)]
mod tests {
    use efflux_node::particle::Message;
    use efflux_node::storage::{Store, TopicOptions};

    use super::*;

    #[tokio::test]
    async fn what_one_topic_left_behind_is_no_lag_of_the_next() {
        let store = Store::open("mem:").await.unwrap();
        let create = async |name: &str| {
            let name = name.parse().unwrap();
            let topic = store.create_topic(&name, TopicOptions::default()).await;
            topic.unwrap()
        };
        let mut lag = Lag::default();
        let full = create("full").await;
        let messages = vec![Message::new("1"), Message::new("2")];
        full.append_batch(messages).await.unwrap();
        lag.look(&full);
        assert_eq!(lag.particles_max, 2, "nothing has asked for the index");

        lag.begin();
        lag.look(&create("empty").await);
        assert_eq!(lag.appended.len(), 0);
    }
}
