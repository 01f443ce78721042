//! What flows through a pipeline: a message, and where it comes from.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use efflux_storage::particle::limits::CONTENT_BYTES_DEFAULT_MAX;
use efflux_storage::particle::{Id, Message, Metadata, Particle, Sequence, TopicName};
use serde_json::Value;

use crate::limits::MESSAGE_BYTES;
use crate::stage::Stage;
use crate::stage_error::StageError;

/// The property that tells which message a message was made of: the id it had in its source.
pub const CAUSE: &str = "efflux.cause";
/// The property that all messages share that go back to the same first one: that one's id.
pub const CORRELATION: &str = "efflux.correlation";

/// A message on its way through a pipeline, and where it comes from.
///
/// ```
/// use efflux_pipeline::Parcel;
/// use efflux_pipeline::particle::Message;
///
/// let parcel = Parcel::of_message(Message::new("{\"total\":7}"));
/// assert_eq!(parcel.json()?["total"], 7);
/// # Ok::<(), efflux_pipeline::StageError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The message as it is by now.
    pub message: Message,
    origin: Arc<Origin>,
    /// The stage that it goes on with, when it was in the pipeline before.
    entry: Option<Stage>,
}

/// Where a parcel comes from: shared by all that become of it.
#[derive(Debug)]
pub struct Origin {
    /// The id of the message as its source gave it.
    id: Option<Id>,
    correlation: Option<String>,
    topic: Option<TopicName>,
    particle: Option<Particle>,
    /// Its place in the topic that the pipeline reads.
    place: Option<Sequence>,
}

impl Parcel {
    /// A message that comes from elsewhere than a topic.
    #[must_use]
    pub fn of_message(message: Message) -> Self {
        let origin = Arc::new(Origin {
            id: message.id().cloned(),
            correlation: message.property(CORRELATION).map(ToOwned::to_owned),
            topic: None,
            particle: None,
            place: None,
        });
        Self {
            message,
            origin,
            entry: None,
        }
    }

    /// A particle of a topic: its message has its id.
    #[must_use]
    pub fn of_particle(topic: TopicName, particle: Particle) -> Self {
        let message = Message::from(&particle);
        let metadata = particle.metadata();
        let origin = Arc::new(Origin {
            id: Some(metadata.id()),
            correlation: metadata.property(CORRELATION).map(ToOwned::to_owned),
            topic: Some(topic),
            place: Some(particle.sequence()),
            particle: Some(particle),
        });
        Self {
            message,
            origin,
            entry: None,
        }
    }

    /// Where it comes from.
    #[must_use]
    pub const fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// Another message from the same origin.
    pub(crate) fn become_of(origin: &Arc<Origin>, message: Message) -> Self {
        Self {
            message,
            origin: Arc::clone(origin),
            entry: None,
        }
    }

    /// The place, in the topic that the pipeline reads, of what it was made of.
    pub(crate) fn place(&self) -> Option<Sequence> {
        self.origin.place
    }

    /// A message that was in the pipeline before and goes on with this stage.
    pub(crate) fn returning(origin: Origin, message: Message, entry: Stage) -> Self {
        Self {
            message,
            origin: Arc::new(origin),
            entry: Some(entry),
        }
    }

    /// The same message, which goes on with this stage.
    pub(crate) fn going_on_with(mut self, entry: Stage) -> Self {
        self.entry = Some(entry);
        self
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        self.message.payload().len() + MESSAGE_BYTES
    }

    /// The stage that it goes on with, when it was in the pipeline before.
    pub(crate) const fn entry(&self) -> Option<&Stage> {
        self.entry.as_ref()
    }

    /// The payload, decompressed if the metadata say that it is compressed.
    ///
    /// # Errors
    /// `Rejected` when it does not decode, or becomes larger than 64 MiB.
    pub fn content(&self) -> Result<Bytes, StageError> {
        let payload = self.message.payload();
        let Some(encoding) = self.message.content_encoding() else {
            return Ok(payload.clone());
        };
        encoding
            .decode(payload, CONTENT_BYTES_DEFAULT_MAX)
            .map_err(StageError::rejected)
    }

    /// The payload as text.
    ///
    /// # Errors
    /// `Rejected` when it does not decode, or is no UTF-8; the error tells at which byte.
    pub fn text(&self) -> Result<String, StageError> {
        let content = self.content()?;
        match std::str::from_utf8(&content) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(StageError::rejected(format!(
                "the payload is no UTF-8 text: byte {} does not fit",
                error.valid_up_to()
            ))),
        }
    }

    /// The payload as JSON.
    ///
    /// # Errors
    /// `Rejected` when it does not decode or is no JSON; the error tells where.
    pub fn json(&self) -> Result<Value, StageError> {
        serde_json::from_slice(&self.content()?)
            .map_err(|error| StageError::rejected(format!("the payload is no JSON: {error}")))
    }
}

impl Origin {
    /// The origin that a dead letter tells, and the letter's own place.
    pub(crate) const fn told(
        place: Sequence,
        id: Option<Id>,
        correlation: Option<String>,
        topic: Option<TopicName>,
    ) -> Self {
        Self {
            id,
            correlation,
            topic,
            particle: None,
            place: Some(place),
        }
    }

    /// The id of the message as its source gave it.
    #[must_use]
    pub const fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// What all messages share that go back to the same first one.
    #[must_use]
    pub fn correlation(&self) -> Option<Cow<'_, str>> {
        match (&self.correlation, &self.id) {
            (Some(correlation), _) => Some(Cow::Borrowed(correlation)),
            (None, Some(id)) => Some(Cow::Owned(id.to_string())),
            (None, None) => None,
        }
    }

    /// The topic it stands in, if it comes from one.
    #[must_use]
    pub const fn topic(&self) -> Option<&TopicName> {
        self.topic.as_ref()
    }

    /// The particle, if it comes from a topic.
    #[must_use]
    pub const fn particle(&self) -> Option<&Particle> {
        self.particle.as_ref()
    }

    /// The particle's metadata, if it comes from a topic.
    #[must_use]
    pub fn metadata(&self) -> Option<&Metadata> {
        self.particle.as_ref().map(Particle::metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::ContentEncoding;

    #[test]
    fn compressed_payloads_are_read_as_what_they_were() {
        let message = Message::new("{\"a\":1}")
            .compressed(ContentEncoding::Gzip)
            .unwrap();
        assert_eq!(Parcel::of_message(message).json().unwrap()["a"], 1);
    }

    #[test]
    fn what_does_not_decode_is_rejected_with_its_place() {
        let reason = |message| Parcel::of_message(message).text().unwrap_err().reason();
        let told = reason(Message::new(&b"ab\xff"[..]));
        assert!(told.contains("byte 2"), "{told}");
        let torn = Message::new("no gzip").with_content_encoding(ContentEncoding::Gzip);
        assert!(!reason(torn).is_empty());
    }

    #[test]
    fn the_correlation_is_the_sources_own_or_its_id() {
        let id: Id = "order-1".parse().unwrap();
        let first = Parcel::of_message(Message::new("a").with_id(id));
        assert_eq!(first.origin().correlation().unwrap(), "order-1");
        let later = Message::new("a").with_property(CORRELATION, "order-1");
        let later = Parcel::of_message(later.with_id("x".parse().unwrap()));
        assert_eq!(later.origin().correlation().unwrap(), "order-1");
    }
}
