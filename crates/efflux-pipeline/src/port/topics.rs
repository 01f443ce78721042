//! Topics of a store, here or on a node.

use std::collections::HashMap;

use async_trait::async_trait;
use efflux_storage::particle::limits::BATCH_PARTICLES_MAX;
use efflux_storage::particle::{Message, TopicName};
use efflux_storage::{ErrorKind, Store, Topic, TopicOptions};
use parking_lot::Mutex;

use super::{Batch, Failed, Port};
use crate::router::{Route, Router};
use crate::stage_error::StageError;

/// Bytes of payload that one append takes: 8 MiB, so that memory and the largest request stay small.
const APPEND_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Topics of a store, here or on a node, chosen by a router.
///
/// A message is appended under its id, so that one that comes twice adds nothing. What a batch has
/// for one topic is appended together; topics that are not there are made, unless `makes_topics` says
/// otherwise.
#[derive(Debug)]
pub struct TopicsPort {
    store: Store,
    router: Box<dyn Router>,
    makes_topics: Option<TopicOptions>,
    topics: Mutex<HashMap<TopicName, Topic>>,
}

impl TopicsPort {
    /// Appends to the topics of `store` that `router` chooses; those that are not there are made with
    /// `options`, or refused when there are none.
    #[must_use]
    pub fn new(store: Store, router: impl Router + 'static, options: Option<TopicOptions>) -> Self {
        Self {
            store,
            router: Box::new(router),
            makes_topics: options,
            topics: Mutex::default(),
        }
    }

    async fn topic(&self, name: &TopicName) -> Result<Topic, StageError> {
        if let Some(topic) = self.topics.lock().get(name) {
            return Ok(topic.clone());
        }
        let opened = match &self.makes_topics {
            Some(options) => self.store.topic_or_create(name, options.clone()).await,
            None => self.found(name).await,
        };
        let topic = opened.map_err(|error| match error.kind() {
            // The others of the batch may go elsewhere.
            ErrorKind::NotFound => StageError::rejected(format!(
                "there is no topic {name}: make it, or let the pipeline make topics"
            )),
            _ => error.into(),
        })?;
        self.topics.lock().insert(name.clone(), topic.clone());
        Ok(topic)
    }

    /// A topic that is there: this one, or the router's other one.
    async fn found(&self, name: &TopicName) -> Result<Topic, efflux_storage::Error> {
        match (self.store.topic(name).await, self.router.otherwise()) {
            (Err(error), Some(otherwise)) if error.kind() == ErrorKind::NotFound => {
                self.store.topic(otherwise).await
            }
            (found, _) => found,
        }
    }

    /// Appends messages, each with its place in the batch, to one topic; returns what failed.
    async fn append(
        &self,
        name: &TopicName,
        messages: Vec<(usize, Message)>,
    ) -> Vec<(usize, StageError)> {
        let topic = match self.topic(name).await {
            Ok(topic) => topic,
            Err(error) => return for_each(&messages, &error),
        };
        let mut failed = Vec::new();
        for run in runs(messages) {
            // What comes behind one that is held up waits too: the order within groups stays.
            if let Some(held) = held_up(&failed) {
                failed.extend(for_each(&run, &held));
                continue;
            }
            let together = run.iter().map(|(_, message)| message.clone()).collect();
            let error = match topic.append_batch(together).await {
                Ok(_) => continue,
                Err(error) => error,
            };
            if error.kind() == ErrorKind::Closed {
                self.topics.lock().remove(name);
                let _ = self.store.reopen_topic(name).await;
            }
            let refuses_one = matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict);
            if refuses_one && run.len() > 1 {
                failed.extend(one_by_one(&topic, run).await);
            } else {
                failed.extend(for_each(&run, &StageError::from(error)));
            }
        }
        failed
    }
}

/// The same error for each, told anew: errors cannot be copied.
fn for_each(messages: &[(usize, Message)], error: &StageError) -> Vec<(usize, StageError)> {
    let failed = messages.iter().map(|(at, _)| (*at, error.again()));
    failed.collect()
}

/// The error for what comes behind a message that may be appended later; none when there is none.
fn held_up(failed: &[(usize, StageError)]) -> Option<StageError> {
    let is_held = failed.iter().any(|(_, error)| error.is_retryable());
    is_held.then(|| StageError::unavailable("a message before it could not be appended"))
}

/// Messages that are appended together.
fn runs(messages: Vec<(usize, Message)>) -> Vec<Vec<(usize, Message)>> {
    let mut runs: Vec<Vec<_>> = Vec::new();
    let mut bytes = 0;
    for (at, message) in messages {
        let size = message.payload().len();
        let fits = bytes + size <= APPEND_BYTES_MAX;
        match runs.last_mut() {
            Some(run) if fits && run.len() < BATCH_PARTICLES_MAX => {
                bytes += size;
                run.push((at, message));
            }
            _ => {
                bytes = size;
                runs.push(vec![(at, message)]);
            }
        }
    }
    runs
}

async fn one_by_one(topic: &Topic, run: Vec<(usize, Message)>) -> Vec<(usize, StageError)> {
    let mut failed = Vec::new();
    for (at, message) in run {
        if let Some(held) = held_up(&failed) {
            failed.push((at, held));
            continue;
        }
        if let Err(error) = topic.append(message).await {
            failed.push((at, StageError::from(error)));
        }
    }
    failed
}

#[async_trait]
impl Port for TopicsPort {
    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let mut failed = Vec::new();
        let mut order: Vec<TopicName> = Vec::new();
        let mut routed: HashMap<TopicName, Vec<(usize, Message)>> = HashMap::new();
        for (at, parcel) in batch.parcels.iter().enumerate() {
            match self.router.route(parcel) {
                Ok(Route::To(topic)) => {
                    if !routed.contains_key(&topic) {
                        order.push(topic.clone());
                    }
                    let messages = routed.entry(topic).or_default();
                    messages.push((at, parcel.message.clone()));
                }
                Ok(Route::Drop(_)) => {}
                Err(error) => failed.push((at, error)),
            }
        }
        for topic in order {
            let messages = routed.remove(&topic).unwrap_or_default();
            failed.extend(self.append(&topic, messages).await);
        }
        if failed.is_empty() {
            return Ok(());
        }
        failed.sort_by_key(|(at, _)| *at);
        let all_are_away = failed.len() == batch.parcels.len()
            && failed.iter().all(|(_, error)| error.is_retryable());
        match failed.pop() {
            Some((_, error)) if all_are_away => Err(Failed::Whole(error)),
            Some(last) => {
                failed.push(last);
                Err(Failed::Parts(failed))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure;
    use crate::parcel::Parcel;
    use efflux_storage::ReadLimit;
    use efflux_storage::particle::Sequence;

    fn parcels(regions: &[&str]) -> Vec<Parcel> {
        let numbered = regions.iter().enumerate();
        let messages = numbered.map(|(number, region)| {
            let message = Message::new(format!("{number}")).with_property("region", region);
            message.with_id(format!("m-{number}").parse().unwrap())
        });
        messages.map(Parcel::of_message).collect()
    }

    fn by_region() -> impl Router {
        closure::router(|parcel| {
            let region = parcel.message.property("region").unwrap_or_default();
            match format!("orders-{region}").parse() {
                Ok(topic) => Ok(Route::To(topic)),
                Err(error) => Err(StageError::rejected(error)),
            }
        })
    }

    async fn payloads(store: &Store, topic: &str) -> Vec<String> {
        let topic = store.topic(&topic.parse().unwrap()).await.unwrap();
        let read = topic.read(Sequence::FIRST, ReadLimit::default()).await;
        let read = read.unwrap();
        let texts = read
            .iter()
            .map(|it| String::from_utf8_lossy(&it.payload()).into_owned());
        texts.collect()
    }

    #[tokio::test]
    async fn messages_go_to_their_topics_in_order_and_once() {
        let store = Store::open("mem:").await.unwrap();
        let port = TopicsPort::new(store.clone(), by_region(), Some(TopicOptions::default()));
        let parcels = parcels(&["eu", "us", "eu"]);
        for _ in 0..2 {
            let batch = Batch {
                parcels: &parcels,
                position: None,
            };
            port.deliver(batch).await.unwrap();
        }
        assert_eq!(payloads(&store, "orders-eu").await, ["0", "2"]);
        assert_eq!(payloads(&store, "orders-us").await, ["1"]);
    }

    #[tokio::test]
    async fn one_that_is_refused_does_not_hold_up_the_others() {
        let store = Store::open("mem:").await.unwrap();
        let port = TopicsPort::new(store.clone(), by_region(), Some(TopicOptions::default()));
        let mut parcels = parcels(&["eu", "eu", "eu", "not a name"]);
        parcels[1].message = parcels[1].message.clone().with_data_type("a\nb");
        let batch = Batch {
            parcels: &parcels,
            position: None,
        };
        let Err(Failed::Parts(failed)) = port.deliver(batch).await else {
            panic!("two cannot be delivered");
        };
        let places: Vec<_> = failed.iter().map(|(at, _)| *at).collect();
        assert_eq!(places, [1, 3]);
        assert_eq!(payloads(&store, "orders-eu").await, ["0", "2"]);
    }

    #[tokio::test]
    async fn a_topic_that_is_not_there_is_told() {
        let store = Store::open("mem:").await.unwrap();
        let port = TopicsPort::new(store, by_region(), None);
        let batch = Batch {
            parcels: &parcels(&["eu"]),
            position: None,
        };
        let Err(Failed::Parts(failed)) = port.deliver(batch).await else {
            panic!("there is no topic");
        };
        assert!(failed[0].1.to_string().contains("no topic orders-eu"));
    }
}
