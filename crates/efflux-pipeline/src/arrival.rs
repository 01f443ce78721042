//! A message as a broker delivered it, on its way to become one of ours.

use bytes::Bytes;
use efflux_storage::particle::limits::{METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX, PROPERTIES_MAX};
use efflux_storage::particle::{ContentEncoding, Id, Message, Timestamp};
use serde::Deserialize;

use crate::derived_id::derived_id;
use crate::parcel::CORRELATION;
use crate::stage_error::StageError;

/// Bytes of metadata that are left to what the pipeline and the store add: 4 KiB.
const METADATA_BYTES_LEFT: usize = 4096;
/// Bytes that a text takes in the metadata beside its own: the lengths of name and value.
const TEXT_BYTES_BESIDE: usize = 8;
/// Properties of what is refused that its dead letter keeps: it gets some of its own.
const REFUSED_PROPERTIES_MAX: usize = PROPERTIES_MAX / 2;

/// Which id a message gets whose sender gave it none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WithoutId {
    /// One of its own each time it is delivered: nothing is lost, and what the broker delivers
    /// again, after a connection was lost or a crash, is there twice.
    #[default]
    Fresh,
    /// One that follows from all that it holds: what is delivered again is there once, and so are
    /// two messages that are alike in everything.
    Content,
}

/// A number that no other connection has: what has no id is told apart by it.
pub(crate) fn nonce() -> Result<[u8; 16], StageError> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| {
        StageError::unavailable(format!("the system gives no randomness: {error}"))
    })?;
    Ok(nonce)
}

/// What a broker delivered, field by field. Nothing is checked until the end.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    payload: Bytes,
    id: Option<String>,
    timestamp: Option<Timestamp>,
    data_type: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<ContentEncoding>,
    message_group: Option<String>,
    properties: Vec<(String, String)>,
    fault: Option<String>,
}

impl Arrival {
    pub(crate) fn new(payload: impl Into<Bytes>) -> Self {
        let mut payload = payload.into();
        let bytes = payload.len();
        let mut arrival = Self::default();
        if bytes > PAYLOAD_BYTES_MAX {
            payload.truncate(PAYLOAD_BYTES_MAX);
            arrival.fault(format!(
                "the payload has {bytes} bytes, at most {PAYLOAD_BYTES_MAX} are allowed; \
                 what is kept are the first of them"
            ));
        }
        arrival.payload = payload;
        arrival
    }

    /// Says that it can be no message, and why; the first reason counts.
    pub(crate) fn fault(&mut self, why: impl Into<String>) {
        self.fault.get_or_insert_with(|| why.into());
    }

    pub(crate) fn id(&mut self, id: &str) {
        self.id = some(id);
    }

    pub(crate) const fn timestamp(&mut self, timestamp: Timestamp) {
        self.timestamp = Some(timestamp);
    }

    pub(crate) fn data_type(&mut self, data_type: &str) {
        self.data_type = some(data_type);
    }

    pub(crate) fn content_type(&mut self, content_type: &str) {
        self.content_type = some(content_type);
    }

    /// One that is known says so; another is a property like others.
    pub(crate) fn content_encoding(&mut self, name: &str, encoding: &str) {
        match encoding.parse() {
            Ok(encoding) => self.content_encoding = Some(encoding),
            Err(_) => self.property(name, encoding),
        }
    }

    pub(crate) fn message_group(&mut self, message_group: &str) {
        self.message_group = some(message_group);
    }

    pub(crate) fn correlation(&mut self, correlation: &str) {
        self.property(CORRELATION, correlation);
    }

    /// A property; a later one of the same name counts.
    pub(crate) fn property(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.properties.push((name.into(), value.into()));
    }

    /// An id that follows from all that the message holds, and where it came from.
    pub(crate) fn content_id(&self, source: &str) -> Id {
        let time = self.timestamp.map(|time| time.to_string());
        let mut parts: Vec<&[u8]> = vec![source.as_bytes(), &self.payload];
        for text in [
            &self.data_type,
            &self.content_type,
            &self.message_group,
            &time,
        ] {
            parts.push(text.as_ref().map_or(&[][..], String::as_bytes));
        }
        for (name, value) in &self.properties {
            parts.extend([name.as_bytes(), value.as_bytes()]);
        }
        derived_id(&parts)
    }

    /// The message; where it can be none, the closest that could be made, and why.
    ///
    /// `other_id` makes the id where the sender gave none, or one that cannot be an id.
    pub(crate) fn into_message(
        mut self,
        other_id: impl FnOnce(&Self) -> Id,
    ) -> Result<Message, Box<(Message, StageError)>> {
        let given = self.id.take().map(|text| (text.parse::<Id>(), text));
        let id = match given {
            Some((Ok(id), _)) => id,
            Some((Err(error), text)) => {
                self.fault(format!("its id {:?} is none: {error}", start_of(&text)));
                other_id(&self)
            }
            None => other_id(&self),
        };
        let whole = self.build(id.clone(), |_| true, PROPERTIES_MAX + 1);
        let metadata_max = METADATA_BYTES_MAX - METADATA_BYTES_LEFT;
        let why = match (self.fault.take(), whole.check(), bytes_of(&whole)) {
            (None, Ok(()), bytes) if bytes <= metadata_max => return Ok(whole),
            (Some(fault), _, _) => fault,
            (None, Err(error), _) => error.to_string(),
            (None, Ok(()), bytes) => {
                format!("the metadata have {bytes} bytes, at most {metadata_max} are allowed")
            }
        };
        let fits = |message: &Message| message.check().is_ok() && bytes_of(message) <= metadata_max;
        let closest = self.build(id, fits, REFUSED_PROPERTIES_MAX);
        Err(Box::new((closest, StageError::rejected(why))))
    }

    /// The message with those fields that `keeps` lets stay.
    fn build(&self, id: Id, keeps: impl Fn(&Message) -> bool, properties_max: usize) -> Message {
        let mut message = Message::new(self.payload.clone()).with_id(id);
        if let Some(timestamp) = self.timestamp {
            message = message.with_timestamp(timestamp);
        }
        if let Some(encoding) = self.content_encoding {
            message = message.with_content_encoding(encoding);
        }
        let add = |message: Message, with: &dyn Fn(Message) -> Message| {
            let with = with(message.clone());
            if keeps(&with) { with } else { message }
        };
        if let Some(text) = &self.data_type {
            message = add(message, &|message| message.with_data_type(text));
        }
        if let Some(text) = &self.content_type {
            message = add(message, &|message| message.with_content_type(text));
        }
        if let Some(text) = &self.message_group {
            message = add(message, &|message| message.with_message_group(text));
        }
        for (name, value) in &self.properties {
            if message.properties().len() < properties_max {
                message = add(message, &|message| message.with_property(name, value));
            }
        }
        message
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn start_of(text: &str) -> String {
    text.chars().take(80).collect()
}

/// What the texts of a message take in its metadata, at most.
fn bytes_of(message: &Message) -> usize {
    let fields = [
        message.data_type(),
        message.content_type(),
        message.message_group(),
    ];
    let fields = fields.into_iter().flatten().map(str::len);
    let properties = message.properties();
    let properties = properties.map(|(name, value)| name.len() + value.len());
    fields
        .chain(properties)
        .map(|bytes| bytes + TEXT_BYTES_BESIDE)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(arrival: Arrival) -> Result<Message, Box<(Message, StageError)>> {
        arrival.into_message(|arrival| arrival.content_id("queue"))
    }

    fn with_properties(properties: impl IntoIterator<Item = (String, String)>) -> Arrival {
        let mut arrival = Arrival::new("x");
        arrival.properties.extend(properties);
        arrival
    }

    #[test]
    fn what_fits_becomes_a_message_with_all_it_has() {
        let mut arrival = Arrival::new("payload");
        arrival.id("order-1");
        arrival.data_type("order");
        arrival.content_type("");
        arrival.content_encoding("encoding", "gzip");
        arrival.property("a", "1");
        arrival.property("a", "2");
        let message = made(arrival).unwrap();
        assert_eq!(message.id().unwrap().to_string(), "order-1");
        assert_eq!(message.data_type(), Some("order"));
        assert_eq!(message.content_type(), None);
        assert_eq!(message.content_encoding(), Some(ContentEncoding::Gzip));
        assert_eq!(message.property("a"), Some("2"));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_keeps_the_rest() {
        let text = |text: &str, times| text.repeat(times);
        let check = |arrival: Arrival, told: &str| {
            let (message, error) = *made(arrival).unwrap_err();
            let why = error.reason();
            assert!(why.contains(told), "{why} does not tell {told}");
            message.check().unwrap();
            assert!(bytes_of(&message) <= METADATA_BYTES_MAX);
            message
        };
        let mut arrival = with_properties([("bad\nname".into(), "1".into())]);
        arrival.property("good", "2");
        let message = check(arrival, "control character");
        assert_eq!(message.properties().collect::<Vec<_>>(), [("good", "2")]);

        check(with_properties([(text("n", 129), "1".into())]), "129 bytes");
        check(
            with_properties([("n".into(), text("v", 4097))]),
            "4097 bytes",
        );
        check(with_properties([(String::new(), "1".into())]), "is empty");
        let many = (0..10_000).map(|n| (n.to_string(), "v".to_owned()));
        check(with_properties(many), "65 properties");
        let large = (0..20).map(|n| (n.to_string(), text("v", 4000)));
        check(with_properties(large), "the metadata have");

        let mut arrival = Arrival::new(vec![7; PAYLOAD_BYTES_MAX + 1]);
        arrival.data_type(&text("t", 300));
        arrival.id(&text("i", 300));
        let message = check(arrival, "16777217 bytes");
        assert_eq!(message.payload().len(), PAYLOAD_BYTES_MAX);
        let mut arrival = Arrival::new("x");
        arrival.id("a\0b");
        check(arrival, "its id \"a\\0b\" is none");
    }

    #[test]
    fn an_id_that_follows_from_the_content_differs_with_any_part_of_it() {
        let id = |change: fn(&mut Arrival)| {
            let mut arrival = Arrival::new("x");
            change(&mut arrival);
            arrival.content_id("queue")
        };
        let plain = id(|_| {});
        assert_eq!(plain, id(|_| {}));
        assert_ne!(plain, id(|arrival| arrival.data_type("t")));
        assert_ne!(plain, id(|arrival| arrival.content_type("t")));
        assert_ne!(plain, id(|arrival| arrival.property("a", "b")));
        assert_ne!(
            plain,
            id(|arrival| arrival.timestamp(Timestamp::from_nanos(1)))
        );
        assert_ne!(plain, Arrival::new("y").content_id("queue"));
        assert_ne!(plain, Arrival::new("x").content_id("other"));
    }
}
