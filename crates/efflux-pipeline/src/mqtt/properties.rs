//! Properties of MQTT 5, and what they are in a message.
//!
//! | MQTT | message |
//! | --- | --- |
//! | user property `efflux.id`, or the one that the settings name | id |
//! | user properties `efflux.data_type`, `efflux.message_group`, `efflux.timestamp`, `efflux.content_encoding` | data type, message group, timestamp, content encoding |
//! | content type | content type |
//! | correlation data | property `efflux.correlation`; where they are no text, `mqtt.correlation_data` in hexadecimal |
//! | other user properties | properties of the same name; of several, the last one |
//! | topic, response topic | properties `mqtt.topic`, `mqtt.response_topic` |
//! | retained | property `mqtt.retain` is `true` |

use std::fmt::Write as _;

use efflux_storage::particle::{ContentEncoding, Message};
use rumqttc::{Publish, PublishProperties};

use super::limits::TOPIC_BYTES_MAX;
use crate::arrival::Arrival;
use crate::parcel::CORRELATION;
use crate::stage_error::StageError;

/// What the names of properties begin with that the broker tells.
const OF_BROKER: &str = "mqtt.";
pub(crate) const ID: &str = "efflux.id";
const DATA_TYPE: &str = "efflux.data_type";
const GROUP: &str = "efflux.message_group";
const TIMESTAMP: &str = "efflux.timestamp";
const ENCODING: &str = "efflux.content_encoding";

/// What a publication holds; its id stands in the user property of this name.
pub(crate) fn arrival(publish: &Publish, id_property: &str) -> Arrival {
    let mut arrival = Arrival::new(publish.payload.clone());
    for (name, value) in publish.properties.iter().flat_map(|it| &it.user_properties) {
        match name.as_str() {
            name if name == id_property => arrival.id(value),
            // What begins so, the broker says, and no sender.
            name if name.starts_with(OF_BROKER) => {}
            DATA_TYPE => arrival.data_type(value),
            GROUP => arrival.message_group(value),
            ENCODING => arrival.content_encoding(ENCODING, value),
            TIMESTAMP => match value.parse() {
                Ok(timestamp) => arrival.timestamp(timestamp),
                Err(_) => arrival.property(name.as_str(), value),
            },
            name => arrival.property(name, value),
        }
    }
    if let Some(properties) = &publish.properties {
        if let Some(content_type) = &properties.content_type {
            arrival.content_type(content_type);
        }
        match properties
            .correlation_data
            .as_deref()
            .map(std::str::from_utf8)
        {
            None | Some(Ok("")) => {}
            Some(Ok(text)) => arrival.correlation(text),
            Some(Err(_)) => {
                let data = properties.correlation_data.as_deref().unwrap_or_default();
                let mut text = String::with_capacity(data.len() * 2);
                for byte in data {
                    // Writing to a text cannot fail.
                    let _ = write!(text, "{byte:02x}");
                }
                arrival.property("mqtt.correlation_data", text);
            }
        }
        if let Some(topic) = &properties.response_topic {
            arrival.property("mqtt.response_topic", topic);
        }
    }
    arrival.property("mqtt.topic", String::from_utf8_lossy(&publish.topic));
    if publish.retain {
        arrival.property("mqtt.retain", "true");
    }
    arrival
}

/// What a message says of itself to a broker.
///
/// # Errors
/// `Rejected` when a text has characters that MQTT does not allow: a broker would end the
/// connection.
pub(crate) fn properties(message: &Message) -> Result<PublishProperties, StageError> {
    let mut user_properties = Vec::new();
    let mut correlation_data = None;
    let mut add = |name: &str, value: &str| {
        checked("the name of a property", name)?;
        checked(&format!("the property {name:?}"), value)?;
        user_properties.push((name.to_owned(), value.to_owned()));
        Ok::<_, StageError>(())
    };
    let id = message.id().map(ToString::to_string);
    let timestamp = message.timestamp().map(|it| it.to_string());
    let encoding = message.content_encoding().map(ContentEncoding::as_str);
    for (name, value) in [
        (ID, id.as_deref()),
        (DATA_TYPE, message.data_type()),
        (GROUP, message.message_group()),
        (TIMESTAMP, timestamp.as_deref()),
        (ENCODING, encoding),
    ] {
        if let Some(value) = value {
            add(name, value)?;
        }
    }
    for (name, value) in message.properties() {
        match name {
            CORRELATION => correlation_data = Some(value.to_owned().into()),
            name => add(name, value)?,
        }
    }
    let content_type = message.content_type();
    if let Some(content_type) = content_type {
        checked("the content type", content_type)?;
    }
    Ok(PublishProperties {
        correlation_data,
        user_properties,
        content_type: content_type.map(ToOwned::to_owned),
        ..PublishProperties::default()
    })
}

/// The name of a topic to publish to.
///
/// # Errors
/// `Rejected` when it is empty, too long, or has characters that a name cannot have.
pub(crate) fn checked_topic(topic: &str) -> Result<(), StageError> {
    checked("the topic", topic)?;
    let why = match topic {
        "" => "is empty",
        topic if topic.len() > TOPIC_BYTES_MAX => "has more than 65535 bytes",
        topic if topic.contains(['+', '#']) => "has a '+' or '#', which only filters have",
        topic if topic.starts_with('$') => "begins with '$', which is the broker's own",
        _ => return Ok(()),
    };
    let start: String = topic.chars().take(80).collect();
    Err(StageError::rejected(format!("the topic {start:?} {why}")))
}

fn checked(what: &str, text: &str) -> Result<(), StageError> {
    let is_refused = |letter: char| {
        let code = u32::from(letter);
        letter.is_control() || code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
    };
    match text.find(is_refused) {
        None => Ok(()),
        Some(at) => Err(StageError::rejected(format!(
            "{what} has a character at byte {at} that MQTT does not allow"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::Timestamp;
    use rumqttc::QoS;

    fn published(properties: PublishProperties) -> Result<Message, String> {
        let publish = Publish::new("a/b", QoS::AtLeastOnce, "p", Some(properties));
        let message = arrival(&publish, ID).into_message(|it| it.content_id("topic"));
        message.map_err(|refused| refused.1.reason())
    }

    #[test]
    fn what_is_sent_comes_back_as_it_was() {
        let message = Message::new("p")
            .with_id("order-1".parse().unwrap())
            .with_data_type("order")
            .with_content_type("application/json")
            .with_content_encoding(ContentEncoding::Gzip)
            .with_message_group("g")
            .with_timestamp(Timestamp::from_nanos(1_700_000_000_123_456_789))
            .with_property("region", "eu")
            .with_property(CORRELATION, "order-0");
        let back = published(properties(&message).unwrap()).unwrap();
        assert_eq!(back, message.with_property("mqtt.topic", "a/b"));
    }

    #[test]
    fn correlation_data_that_are_no_text_are_shown_as_bytes() {
        let back = published(PublishProperties {
            correlation_data: Some(vec![0xff, 0x0a].into()),
            ..PublishProperties::default()
        });
        assert_eq!(
            back.unwrap().property("mqtt.correlation_data"),
            Some("ff0a")
        );
    }

    #[test]
    fn hostile_properties_are_refused() {
        let user_properties = |name: &str, value: String| PublishProperties {
            user_properties: vec![(name.to_owned(), value)],
            ..PublishProperties::default()
        };
        for (name, value, told) in [
            ("a\u{85}b", String::new(), "control character"),
            ("long", "v".repeat(5000), "5000 bytes"),
            ("efflux.id", "i".repeat(300), "its id"),
        ] {
            let error = published(user_properties(name, value)).unwrap_err();
            assert!(error.contains(told), "{error} does not tell {told}");
        }
    }

    #[test]
    fn what_mqtt_does_not_allow_is_not_sent() {
        let rejected = |message: Message| properties(&message).unwrap_err().reason();
        let told = rejected(Message::new("p").with_property("a", "b\0"));
        assert!(told.contains("\"a\" has a character at byte 1"), "{told}");
        assert!(!rejected(Message::new("p").with_property("a", "\u{fffe}")).is_empty());
        for topic in ["", "a/+/b", "a/#", "$SYS/x", "a\nb", &"x".repeat(70_000)] {
            assert!(checked_topic(topic).is_err(), "{topic}");
        }
        assert!(checked_topic("orders/eu/é").is_ok());
    }
}
