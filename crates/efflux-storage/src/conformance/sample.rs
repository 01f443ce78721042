//! Topics and messages that checks use.

use efflux_particle::{Id, Message, Particle, Sequence};

use super::fixture::Fixture;
use crate::error::{ErrorKind, Result};
use crate::log::ReadLimit;
use crate::options::TopicOptions;
use crate::store::Store;
use crate::topic::Topic;

/// Small segments, so that checks cross their borders.
pub(super) fn options() -> TopicOptions {
    TopicOptions::default().with_segment_bytes(4096)
}

/// The topic of a check, made when it is not there.
pub(super) async fn topic_of(store: &Store) -> Result<Topic> {
    store.topic_or_create(&"checked".parse()?, options()).await
}

/// A new store with the topic of a check.
pub(super) async fn topic(fixture: &dyn Fixture) -> Result<Topic> {
    topic_of(&fixture.open().await?).await
}

/// The topic after closing and opening its store; other handles must be gone.
pub(super) async fn reopened(fixture: &dyn Fixture, topic: Topic) -> Result<Topic> {
    let store = topic.store().clone();
    drop(topic);
    topic_of(&fixture.reopen(store).await?).await
}

/// An id that is a text.
pub(super) fn id(number: usize) -> Result<Id> {
    let id = format!("id {number}").parse::<Id>();
    id.map_err(|error| crate::Error::invalid(error.to_string()))
}

/// A message with something to search for, a different one for each number.
pub(super) fn message(number: usize) -> Message {
    Message::new(format!("message {number} ").repeat(1 + number % 12))
        .with_data_type(format!("type {}", number % 3))
        .with_message_group(format!("group {}", number % 4))
        .with_property(
            "parity",
            if number.is_multiple_of(2) {
                "even"
            } else {
                "odd"
            },
        )
}

/// Messages with these numbers.
pub(super) fn messages(numbers: std::ops::Range<usize>) -> Vec<Message> {
    numbers.map(message).collect()
}

/// Appends messages with these numbers, in batches of one to four.
pub(super) async fn fill(topic: &Topic, numbers: std::ops::Range<usize>) -> Result<()> {
    let all = messages(numbers);
    let mut rest = all.as_slice();
    let mut size = 1;
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(size.min(rest.len()));
        topic.append_batch(batch.to_vec()).await?;
        rest = later;
        size = 1 + size % 4;
    }
    Ok(())
}

/// All particles of a topic, the root first.
pub(super) async fn read_all(topic: &Topic) -> Result<Vec<Particle>> {
    let mut all: Vec<Particle> = Vec::new();
    loop {
        let from = Sequence::new(all.len() as u64);
        let read = topic.read(from, ReadLimit::default()).await?;
        if read.is_empty() {
            return Ok(all);
        }
        all.extend(read);
    }
}

/// The kind of error that came back; none when it went well.
pub(super) fn kind<T>(result: &Result<T>) -> Option<ErrorKind> {
    result.as_ref().err().map(crate::Error::kind)
}
