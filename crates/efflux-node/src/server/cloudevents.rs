//! CloudEvents 1.0, in the modes of their HTTP binding: binary, structured, batched.
//!
//! `id`, `type`, `time` and `datacontenttype` are the message's own fields, `partitionkey` is its
//! group, all other attributes are properties `ce.NAME`. They come back the same way; a particle
//! that never was an event gets the attributes it needs from its topic.

mod form;

use std::collections::BTreeMap;

use bytes::Bytes;
use efflux_flow::particle::{Message, Metadata, Particle, TopicName};
use efflux_flow::storage::remote::wire::encode_text;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;

use self::form::EventForm;
use super::extract::{check_nesting, elements, object, one, parsed, with_encoding};
use super::limits::CONTENT_BYTES_MAX;
use super::refusal::{Answer, Refusal};
use crate::json::{base64, content_up_to, is_json, is_shallow};

/// Media type of one event as JSON.
pub(crate) const EVENT: &str = "application/cloudevents+json";
/// Media type of events as a JSON array.
pub(crate) const EVENTS: &str = "application/cloudevents-batch+json";
/// The header that says that the others are attributes of an event.
pub(crate) const VERSION_HEADER: &str = "ce-specversion";

const VERSION: &str = "1.0";
const HEADER_PREFIX: &str = "ce-";
const PROPERTY_PREFIX: &str = "ce.";
/// The attribute that is the message group.
const GROUP: &str = "partitionkey";
/// The attribute that tells the particle's place, an extension of the specification's own list.
const SEQUENCE: &str = "sequence";

/// Reads an event whose attributes stand in headers.
pub(crate) fn from_binary(headers: &HeaderMap, body: Bytes) -> Answer<Message> {
    let mut attributes = BTreeMap::new();
    for name in headers.keys().map(HeaderName::as_str) {
        if let Some(attribute) = name.strip_prefix(HEADER_PREFIX)
            && let Some(value) = one(headers, name)?
        {
            attributes.insert(attribute.to_owned(), value);
        }
    }
    if let Some(media_type) = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    {
        attributes.insert("datacontenttype".to_owned(), media_type.to_owned());
    }
    let message = with_encoding(Message::new(body), headers)?;
    with_attributes(message, attributes)
}

/// Reads an event that is JSON.
pub(crate) fn from_structured(bytes: &[u8]) -> Answer<Message> {
    object::<EventForm<'_>>(bytes)?.message()
}

/// Reads events that are an array of JSON.
pub(crate) fn from_batch(bytes: &[u8]) -> Answer<Vec<Message>> {
    elements(bytes, "event", EventForm::message)
}

impl EventForm<'_> {
    fn message(self) -> Answer<Message> {
        let mut attributes = BTreeMap::new();
        for (name, value) in self.attributes {
            let text = match value {
                serde_json::Value::Null => continue,
                serde_json::Value::String(text) => text,
                serde_json::Value::Bool(_) | serde_json::Value::Number(_) => value.to_string(),
                _ => {
                    return Err(Refusal::invalid(format!(
                        "attribute {name} is no simple value"
                    )));
                }
            };
            attributes.insert(name, text);
        }
        let data_is_json = attributes
            .get("datacontenttype")
            .is_none_or(|it| is_json(it));
        let payload = match (self.data, self.data_base64) {
            (None, None) => Bytes::new(),
            (Some(_), Some(_)) => {
                return Err(Refusal::invalid(
                    "an event has data or data_base64, not both",
                ));
            }
            (None, Some(text)) => base64::decode(&text)
                .map(Bytes::from)
                .ok_or_else(|| Refusal::invalid("data_base64 is no Base64 with padding"))?,
            (Some(data), None) => {
                check_nesting(data.get())?;
                attributes
                    .entry("datacontenttype".to_owned())
                    .or_insert_with(|| "application/json".to_owned());
                match serde_json::from_str::<String>(data.get()) {
                    Ok(text) if !data_is_json => Bytes::from(text),
                    _ => Bytes::copy_from_slice(data.get().as_bytes()),
                }
            }
        };
        with_attributes(Message::new(payload), attributes)
    }
}

fn with_attributes(mut message: Message, attributes: BTreeMap<String, String>) -> Answer<Message> {
    if attributes.get("specversion").map(String::as_str) != Some(VERSION) {
        return Err(Refusal::invalid(
            "specversion is not 1.0, the one that is understood",
        ));
    }
    for required in ["id", "source", "type"] {
        if attributes.get(required).is_none_or(String::is_empty) {
            return Err(Refusal::invalid(format!("the event has no {required}")));
        }
    }
    for (name, value) in attributes {
        message = match name.as_str() {
            "specversion" => message,
            "id" => message.with_id(parsed("id", &value)?),
            "type" => message.with_data_type(value),
            "time" => message.with_timestamp(parsed("time", &value)?),
            "datacontenttype" => message.with_content_type(value),
            GROUP => message.with_message_group(value),
            name if is_attribute(name) => {
                message.with_property(format!("{PROPERTY_PREFIX}{name}"), value)
            }
            name => {
                return Err(Refusal::invalid(format!(
                    "attribute {name:?} is none: use lower-case letters and digits"
                )));
            }
        };
    }
    Ok(message)
}

fn is_attribute(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !name.is_empty() && name.bytes().all(is_letter) && name != "data"
}

/// The attributes of a particle as an event, but for `datacontenttype`.
fn attributes(particle: &Particle, topic: &TopicName) -> BTreeMap<String, String> {
    let metadata = particle.metadata();
    let mut attributes = BTreeMap::new();
    for (name, value) in metadata.properties() {
        let name = name.strip_prefix(PROPERTY_PREFIX).unwrap_or(name);
        if is_attribute(name) {
            attributes.insert(name.to_owned(), value.to_owned());
        }
    }
    let mut set = |name: &str, value: String| attributes.insert(name.to_owned(), value);
    set("specversion", VERSION.to_owned());
    set("id", metadata.id().to_string());
    set("time", metadata.timestamp().to_string());
    set(
        "type",
        metadata.data_type().unwrap_or("efflux.particle").to_owned(),
    );
    set(SEQUENCE, particle.sequence().to_string());
    if let Some(group) = metadata.message_group() {
        set(GROUP, group.to_owned());
    }
    attributes
        .entry("source".to_owned())
        .or_insert_with(|| format!("/v1/topics/{topic}"));
    attributes
}

/// Headers that tell a particle's attributes as an event.
pub(crate) fn headers(particle: &Particle, topic: &TopicName) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in attributes(particle, topic) {
        let name = HeaderName::try_from(format!("{HEADER_PREFIX}{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(encode_text(&value))) {
            headers.insert(name, value);
        }
    }
    headers
}

#[derive(Serialize)]
struct EventShown<'a> {
    #[serde(flatten)]
    attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

/// Writes a particle as an event of JSON.
pub(crate) fn write(out: &mut Vec<u8>, particle: &Particle, topic: &TopicName) {
    let content = content_up_to(particle, CONTENT_BYTES_MAX);
    let metadata: &Metadata = particle.metadata();
    let says_json = metadata.content_type().is_none_or(is_json);
    let text = std::str::from_utf8(&content).ok();
    let json = text
        .filter(|text| says_json && is_shallow(text))
        .and_then(|text| serde_json::from_str(text).ok());
    let string = match (json, text) {
        (None, Some(text)) if !says_json => serde_json::value::to_raw_value(text).ok(),
        _ => None,
    };
    let data = json.or(string.as_deref());
    let is_bytes = data.is_none() && !content.is_empty();
    let shown = EventShown {
        attributes: attributes(particle, topic),
        datacontenttype: metadata.content_type(),
        data,
        data_base64: is_bytes.then(|| base64::encode(&content)),
    };
    // Writing to memory fails never, and every field has a form in JSON.
    let _ = serde_json::to_writer(out, &shown);
}

#[cfg(test)]
mod tests;
