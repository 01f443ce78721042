//! A topic whose payloads are values of a Rust type.

use std::collections::VecDeque;
use std::marker::PhantomData;

use efflux_particle::limits::CONTENT_BYTES_DEFAULT_MAX;
use efflux_particle::{Id, Message, Particle, Sequence, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::expect::{Expect, Receipt};
use crate::find::{FindOptions, Finder};
use crate::query::Query;
use crate::topic::{Follower, Topic};

/// A Rust type that is kept in a topic: what it is called there, and what it is found by.
pub trait Data: Serialize + DeserializeOwned {
    /// The data type of its messages, as in `order.placed`.
    const DATA_TYPE: &'static str;

    /// The message's id, where the value has one; without, every append is a new message.
    fn id(&self) -> Option<Id> {
        None
    }

    /// When the data came to be; without, the time of the append.
    fn timestamp(&self) -> Option<Timestamp> {
        None
    }

    /// The message group, in which particles are consumed one after the other.
    fn message_group(&self) -> Option<String> {
        None
    }

    /// Properties it can be found by.
    fn properties(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// How values are written as payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// JSON, `application/json`.
    #[default]
    Json,
    /// MessagePack with field names, `application/msgpack`.
    MessagePack,
}

impl Encoding {
    /// The content type of its payloads.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
        }
    }

    fn of(particle: &Particle) -> Result<Self> {
        match particle.metadata().content_type() {
            Some("application/json") | None => Ok(Self::Json),
            Some("application/msgpack" | "application/vnd.msgpack") => Ok(Self::MessagePack),
            Some(other) => Err(Error::invalid(format!(
                "particle {} has content type {other:?}, which is no encoding of values",
                particle.sequence()
            ))),
        }
    }
}

/// A topic whose payloads are values of a Rust type.
///
/// The topic may hold other data types too: they are passed over.
///
/// # Examples
/// ```
/// use efflux_storage::{Data, Encoding, Store, TopicOptions, TypedTopic};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct OrderPlaced {
///     customer: u64,
///     total: u64,
/// }
///
/// impl Data for OrderPlaced {
///     const DATA_TYPE: &'static str = "order.placed";
///
///     fn message_group(&self) -> Option<String> {
///         Some(format!("customer-{}", self.customer))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::open("mem:").await?;
/// let topic = store.create_topic(&"orders".parse()?, TopicOptions::default()).await?;
/// let orders = TypedTopic::<OrderPlaced>::new(topic, Encoding::Json);
///
/// orders.append(&OrderPlaced { customer: 42, total: 12 }).await?;
/// let query = "message_group = 'customer-42'".parse()?;
/// let mut found = orders.find(&query, Default::default()).await?;
/// let (_, order) = &found.next_batch().await?[0];
/// assert_eq!(order.total, 12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TypedTopic<T> {
    topic: Topic,
    encoding: Encoding,
    data: PhantomData<fn() -> T>,
}

impl<T> Clone for TypedTopic<T> {
    fn clone(&self) -> Self {
        Self {
            topic: self.topic.clone(),
            encoding: self.encoding,
            data: PhantomData,
        }
    }
}

impl<T: Data> TypedTopic<T> {
    /// Reads and writes values of `T` in `topic`. Both encodings are read, this one is written.
    #[must_use]
    pub const fn new(topic: Topic, encoding: Encoding) -> Self {
        Self {
            topic,
            encoding,
            data: PhantomData,
        }
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The message that a value becomes.
    ///
    /// # Errors
    /// `Invalid` when the value cannot be encoded.
    pub fn message(&self, value: &T) -> Result<Message> {
        let refuse = |error: String| {
            Error::invalid(format!("this {} cannot be encoded: {error}", T::DATA_TYPE))
        };
        let payload = match self.encoding {
            Encoding::Json => serde_json::to_vec(value).map_err(|e| refuse(e.to_string()))?,
            Encoding::MessagePack => {
                rmp_serde::to_vec_named(value).map_err(|e| refuse(e.to_string()))?
            }
        };
        let mut message = Message::new(payload)
            .with_data_type(T::DATA_TYPE)
            .with_content_type(self.encoding.content_type());
        if let Some(id) = value.id() {
            message = message.with_id(id);
        }
        if let Some(timestamp) = value.timestamp() {
            message = message.with_timestamp(timestamp);
        }
        if let Some(group) = value.message_group() {
            message = message.with_message_group(group);
        }
        let properties = value.properties().into_iter();
        Ok(properties.fold(message, |message, (name, text)| {
            message.with_property(name, text)
        }))
    }

    /// Appends a value. See [`Topic::append`].
    ///
    /// # Errors
    /// As for [`Topic::append`]; `Invalid` when the value cannot be encoded.
    pub async fn append(&self, value: &T) -> Result<Receipt> {
        self.topic.append(self.message(value)?).await
    }

    /// Appends values together. See [`Topic::append_expecting`].
    ///
    /// # Errors
    /// As for [`Topic::append_expecting`]; `Invalid` when a value cannot be encoded.
    pub async fn append_expecting(&self, values: &[T], expect: Expect) -> Result<Vec<Receipt>> {
        let messages = values
            .iter()
            .map(|value| self.message(value))
            .collect::<Result<_>>()?;
        self.topic.append_expecting(messages, expect).await
    }

    /// The value at this place; none past the head or when another data type stands there.
    ///
    /// # Errors
    /// As for [`Topic::get`]; `Invalid` when the payload is no such value.
    pub async fn get(&self, sequence: Sequence) -> Result<Option<T>> {
        match self.topic.get(sequence).await? {
            Some(particle) => decode(&particle),
            None => Ok(None),
        }
    }

    /// Finds the values that match a query. See [`Topic::find`].
    ///
    /// # Errors
    /// As for [`Topic::find`].
    pub async fn find(&self, query: &Query, options: FindOptions) -> Result<TypedBatches<T>> {
        let query = Query::data_type(T::DATA_TYPE).and(query.clone());
        let source = Source::Found(self.topic.find(&query, options).await?);
        Ok(TypedBatches::of(source))
    }

    /// Reads values from `from` upwards and goes on with what is appended later.
    #[must_use]
    pub fn follow(&self, from: Sequence) -> TypedBatches<T> {
        TypedBatches::of(Source::Followed(self.topic.follow(from)))
    }
}

/// Batches of values, each with the particle that it came from.
#[derive(Debug)]
pub struct TypedBatches<T> {
    source: Source,
    /// Particles that were read and not yet given out.
    waiting: VecDeque<Particle>,
    data: PhantomData<fn() -> T>,
}

#[derive(Debug)]
enum Source {
    Found(Finder),
    Followed(Follower),
}

impl<T: Data> TypedBatches<T> {
    const fn of(source: Source) -> Self {
        Self {
            source,
            waiting: VecDeque::new(),
            data: PhantomData,
        }
    }

    /// The next values: of a search, empty at its end; of a follower, one at least.
    ///
    /// # Errors
    /// Those of reading; `Invalid` when a payload is no such value, naming the particle: the values
    /// before it were given out, and the next call goes on behind it.
    pub async fn next_batch(&mut self) -> Result<Vec<(Particle, T)>> {
        loop {
            if self.waiting.is_empty() {
                let (particles, is_over) = match &mut self.source {
                    Source::Found(finder) => (finder.next_batch().await?, true),
                    Source::Followed(follower) => (follower.next_batch().await?, false),
                };
                if particles.is_empty() && is_over {
                    return Ok(Vec::new());
                }
                self.waiting = particles.into();
            }
            let values = self.decode_waiting()?;
            if !values.is_empty() {
                return Ok(values);
            }
        }
    }

    /// Decodes up to the first payload that cannot be; an error only when that comes first.
    fn decode_waiting(&mut self) -> Result<Vec<(Particle, T)>> {
        let mut values = Vec::with_capacity(self.waiting.len());
        while let Some(particle) = self.waiting.pop_front() {
            match decode(&particle) {
                Ok(Some(value)) => values.push((particle, value)),
                Ok(None) => {}
                Err(error) if values.is_empty() => return Err(error),
                Err(_) => {
                    self.waiting.push_front(particle);
                    break;
                }
            }
        }
        Ok(values)
    }
}

fn decode<T: Data>(particle: &Particle) -> Result<Option<T>> {
    if particle.metadata().data_type() != Some(T::DATA_TYPE) {
        return Ok(None);
    }
    let refuse = |error: String| {
        let place = particle.sequence();
        Error::invalid(format!(
            "the payload of particle {place} is no {}: {error}",
            T::DATA_TYPE
        ))
    };
    let content = particle
        .content(CONTENT_BYTES_DEFAULT_MAX)
        .map_err(|e| refuse(e.to_string()))?;
    let value = match Encoding::of(particle)? {
        Encoding::Json => serde_json::from_slice(&content).map_err(|e| refuse(e.to_string())),
        Encoding::MessagePack => rmp_serde::from_slice(&content).map_err(|e| refuse(e.to_string())),
    };
    value.map(Some)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{ErrorKind, Store, TopicOptions};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Reading {
        sensor: String,
        value: i64,
    }

    impl Data for Reading {
        const DATA_TYPE: &'static str = "reading";

        fn properties(&self) -> Vec<(String, String)> {
            vec![("sensor".to_owned(), self.sensor.clone())]
        }
    }

    fn reading(value: i64) -> Reading {
        Reading {
            sensor: "s1".to_owned(),
            value,
        }
    }

    async fn new_topic() -> Topic {
        let store = Store::open("mem:").await.unwrap();
        let name = "t".parse().unwrap();
        store
            .create_topic(&name, TopicOptions::default())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn values_of_both_encodings_come_back_and_other_types_are_passed_over() {
        let topic = new_topic().await;
        let json = TypedTopic::<Reading>::new(topic.clone(), Encoding::Json);
        let packed = TypedTopic::<Reading>::new(topic.clone(), Encoding::MessagePack);
        json.append(&reading(1)).await.unwrap();
        topic
            .append(Message::new("other").with_data_type("note"))
            .await
            .unwrap();
        packed.append(&reading(2)).await.unwrap();
        let query = "properties.sensor = s1".parse().unwrap();
        let mut found = json.find(&query, FindOptions::default()).await.unwrap();
        let values = found.next_batch().await.unwrap();
        let values: Vec<_> = values.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [reading(1), reading(2)]);
        assert_eq!(json.get(Sequence::new(2)).await.unwrap(), None);
        assert_eq!(
            packed.follow(Sequence::new(2)).next_batch().await.unwrap()[0].1,
            reading(2)
        );
    }

    #[tokio::test]
    async fn values_around_a_payload_of_another_shape_are_not_lost() {
        let topic = new_topic().await;
        let typed = TypedTopic::<Reading>::new(topic.clone(), Encoding::Json);
        typed.append(&reading(1)).await.unwrap();
        topic
            .append(Message::new("{}").with_data_type("reading"))
            .await
            .unwrap();
        typed.append(&reading(2)).await.unwrap();
        let mut found = typed
            .find(&Query::all(), FindOptions::default())
            .await
            .unwrap();
        assert_eq!(found.next_batch().await.unwrap()[0].1, reading(1));
        assert!(found.next_batch().await.is_err());
        assert_eq!(found.next_batch().await.unwrap()[0].1, reading(2));
        assert!(found.next_batch().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_payload_of_another_shape_is_named() {
        let topic = new_topic().await;
        topic
            .append(Message::new("{}").with_data_type("reading"))
            .await
            .unwrap();
        let typed = TypedTopic::<Reading>::new(topic, Encoding::Json);
        let error = typed.get(Sequence::FIRST).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("particle 1"), "{error}");
    }
}
