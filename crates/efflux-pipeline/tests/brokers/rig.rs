//! What the tests of all brokers need: topics, pipelines, and patience.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use efflux_pipeline::particle::{Sequence, TopicName};
use efflux_pipeline::storage::{ReadLimit, Store, Topic, TopicOptions};
use efflux_pipeline::{
    Batch, Failed, IntakeMax, PipelineOptions, Policy, Port, Retry, StageError, TopicsPort,
};

pub(crate) const MANY: IntakeMax = IntakeMax {
    messages: 100_000,
    bytes: usize::MAX,
};
/// How long something is waited for that must come.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// How long something is waited for that must not come.
pub(crate) const A_WHILE: Duration = Duration::from_millis(300);

pub(crate) fn options(idle: Option<Duration>) -> PipelineOptions {
    PipelineOptions {
        policy: Policy {
            retry: Retry {
                initial: Duration::from_millis(20),
                max: Duration::from_millis(500),
                ..Retry::default()
            },
            delivery_timeout: Duration::from_secs(3),
            ..Policy::default()
        },
        ends_when_idle: idle,
        ..PipelineOptions::default()
    }
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

pub(crate) async fn soon<T>(it: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, it).await.unwrap()
}

pub(crate) fn named(name: &str) -> TopicName {
    name.parse().unwrap()
}

pub(crate) async fn store() -> Store {
    Store::open("mem:").await.unwrap()
}

pub(crate) async fn topic(store: &Store, name: &str) -> Topic {
    store
        .create_topic(&named(name), TopicOptions::default())
        .await
        .unwrap()
}

/// Payloads of a topic, by id.
pub(crate) async fn stored(topic: &Topic) -> BTreeMap<String, String> {
    let head = topic.head().sequence.get();
    let mut payloads = BTreeMap::new();
    let mut from = Sequence::FIRST;
    while let Some(read) = (from.get() <= head).then(|| topic.read(from, ReadLimit::default())) {
        for particle in read.await.unwrap().iter() {
            let payload = String::from_utf8(particle.payload().to_vec()).unwrap();
            payloads.insert(particle.metadata().id().to_string(), payload);
            from = particle.sequence().next();
        }
    }
    assert_eq!(payloads.len() as u64, head, "an id is there twice");
    payloads
}

/// Waits until the topic has this many particles.
pub(crate) async fn has(topic: &Topic, count: u64) {
    soon(async {
        while topic.head().sequence.get() < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(crate) fn into_topics(store: &Store, name: &str) -> TopicsPort {
    TopicsPort::new(store.clone(), named(name), Some(TopicOptions::default()))
}

/// A target that takes nothing.
#[derive(Debug)]
pub(crate) struct Nowhere;

#[async_trait::async_trait]
impl Port for Nowhere {
    async fn deliver(&self, _batch: Batch<'_>) -> Result<(), Failed> {
        Err(StageError::fatal("the target is gone").into())
    }
}
