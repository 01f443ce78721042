//! Events that are sent: how they become messages.

use std::collections::BTreeMap;

use bytes::Bytes;
use efflux_flow::particle::Message;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::form::EventForm;
use super::identity::particle_id;
use super::{
    DATA, DATA_IS_BASE64, DATA_IS_JSON, GROUP, HEADER_PREFIX, PROPERTY_PREFIX, SEQUENCE, TYPED,
    VERSION, is_attribute, value,
};
use crate::json::{base64, is_json};
use crate::server::extract::{
    check_nesting, described, elements, object, parsed, plain, with_encoding,
};
use crate::server::refusal::{Answer, Refusal};

/// Attributes that are texts, also in JSON.
const TEXTS: [&str; 9] = [
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "datacontenttype",
    "dataschema",
    "subject",
    GROUP,
];

/// Whether headers hold attributes of an event.
pub(crate) fn is_binary(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .any(|name| name.as_str().starts_with(HEADER_PREFIX))
}

/// Reads an event whose attributes stand in headers.
pub(crate) fn from_binary(headers: &HeaderMap, body: Bytes) -> Answer<Message> {
    let mut attributes = BTreeMap::new();
    for name in headers.keys().map(HeaderName::as_str) {
        if let Some(attribute) = name.strip_prefix(HEADER_PREFIX)
            && let Some(text) = plain(headers, name)?
        {
            attributes.insert(attribute.to_owned(), value::decode(name, text)?);
        }
    }
    if attributes.remove("datacontenttype").is_some() {
        let why = "send content-type in place of ce-datacontenttype";
        return Err(Refusal::invalid(why));
    }
    if let Some(media_type) = plain(headers, CONTENT_TYPE.as_str())? {
        attributes.insert("datacontenttype".to_owned(), media_type.to_owned());
    }
    check(headers)?;
    let message = with_encoding(described(Message::new(body), headers)?, headers)?;
    with_attributes(message, attributes)
}

/// Holds what Efflux's own headers say against its bounds, also where the event says otherwise.
fn check(headers: &HeaderMap) -> Answer<()> {
    let said = described(Message::default(), headers)?;
    said.check()
        .map_err(|error| Refusal::invalid(error.to_string()))
}

/// Reads an event that is JSON. Headers may say what the event does not.
pub(crate) fn from_structured(headers: &HeaderMap, bytes: &[u8]) -> Answer<Message> {
    check(headers)?;
    object::<EventForm<'_>>(bytes)?.message(headers)
}

/// Reads events that are an array of JSON.
pub(crate) fn from_batch(headers: &HeaderMap, bytes: &[u8]) -> Answer<Vec<Message>> {
    check(headers)?;
    elements(bytes, "event", |event: EventForm<'_>| {
        event.message(headers)
    })
}

impl EventForm<'_> {
    fn message(self, headers: &HeaderMap) -> Answer<Message> {
        let (mut attributes, typed) = texts(self.attributes)?;
        let said = attributes.get("datacontenttype");
        let (is_said, data_is_json) = (said.is_some(), said.is_none_or(|it| is_json(it)));
        let (payload, came) = match (self.data, self.data_base64) {
            (None, None) => (Bytes::new(), None),
            (Some(_), Some(_)) => {
                return Err(Refusal::invalid(
                    "an event has data or data_base64, not both",
                ));
            }
            (None, Some(text)) => {
                let bytes = base64::decode(&text).map(Bytes::from);
                let why = "data_base64 is no Base64 with padding";
                let bytes = bytes.ok_or_else(|| Refusal::invalid(why))?;
                // What is no text comes back as Base64 anyway.
                let is_text = std::str::from_utf8(&bytes).is_ok();
                (bytes, is_text.then_some(DATA_IS_BASE64))
            }
            (Some(data), None) => match serde_json::from_str::<String>(data.get()) {
                Ok(text) if !data_is_json => (Bytes::from(text), None),
                _ => {
                    check_nesting(data.get())?;
                    let bytes = Bytes::copy_from_slice(data.get().as_bytes());
                    (bytes, (!is_said).then_some(DATA_IS_JSON))
                }
            },
        };
        if came == Some(DATA_IS_JSON) {
            let json = "application/json".to_owned();
            attributes.insert("datacontenttype".to_owned(), json);
        }
        let mut message = described(Message::new(payload), headers)?;
        if let Some(came) = came {
            message = message.with_property(DATA, came);
        }
        if !typed.is_empty() {
            message = message.with_property(TYPED, typed.join(" "));
        }
        with_attributes(message, attributes)
    }
}

/// Attributes as texts, and the names of those that were none.
fn texts(attributes: BTreeMap<String, Value>) -> Answer<(BTreeMap<String, String>, Vec<String>)> {
    let (mut all, mut typed) = (BTreeMap::new(), Vec::new());
    for (name, value) in attributes {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) if !TEXTS.contains(&name.as_str()) => {
                typed.push(name.clone());
                value.to_string()
            }
            _ => {
                return Err(Refusal::invalid(format!(
                    "attribute {name} is no value that it can have"
                )));
            }
        };
        all.insert(name, text);
    }
    Ok((all, typed))
}

fn with_attributes(mut message: Message, attributes: BTreeMap<String, String>) -> Answer<Message> {
    if attributes.get("specversion").map(String::as_str) != Some(VERSION) {
        return Err(Refusal::invalid(
            "specversion is not 1.0, the one that is understood",
        ));
    }
    let required = |name: &str| {
        let value = attributes.get(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| Refusal::invalid(format!("the event has no {name}")))
    };
    let (source, id) = (required("source")?, required("id")?);
    required("type")?;
    message = message.with_id(particle_id(source, id)?);
    for (name, value) in attributes {
        message = match name.as_str() {
            "specversion" | SEQUENCE => message,
            "type" => message.with_data_type(value),
            "time" => with_time(message, &value)?,
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

/// Sets the time, and keeps how it was written where it prints otherwise.
fn with_time(message: Message, text: &str) -> Answer<Message> {
    let time: efflux_flow::particle::Timestamp = parsed("time", text)?;
    let message = message.with_timestamp(time);
    Ok(match time.to_string() == text {
        true => message,
        false => message.with_property(super::TIME, text),
    })
}
