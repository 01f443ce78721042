//! Particles as events.

use std::collections::BTreeMap;

use efflux_flow::particle::{Metadata, Particle, TopicName};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{
    DATA, DATA_IS_BASE64, DATA_IS_JSON, GROUP, HEADER_PREFIX, ID, PROPERTY_PREFIX, SEQUENCE,
    SOURCE, TYPED, VERSION, is_attribute, value,
};
use crate::json::{base64, content_up_to, is_json, is_shallow};
use crate::server::limits::CONTENT_BYTES_MAX;

/// Whether the particle was an event when it came.
fn is_event(metadata: &Metadata) -> bool {
    metadata.property(SOURCE).is_some() && metadata.property(ID).is_some()
}

/// The attributes of a particle as an event, but for `datacontenttype`.
fn attributes(particle: &Particle, topic: &TopicName) -> BTreeMap<String, String> {
    let metadata = particle.metadata();
    let was_event = is_event(metadata);
    let mut attributes = BTreeMap::new();
    // Other properties of an event were never attributes; all that a message has may be shown as some.
    for (name, value) in metadata.properties().filter(|_| !was_event) {
        if is_attribute(name) {
            attributes.insert(name.to_owned(), value.to_owned());
        }
    }
    let id = metadata.id().to_string();
    let data_type = metadata.data_type().unwrap_or("efflux.particle");
    attributes.insert("id".to_owned(), id);
    attributes.insert("type".to_owned(), data_type.to_owned());
    attributes
        .entry("source".to_owned())
        .or_insert_with(|| format!("/v1/topics/{topic}"));
    // The producer of an event may have said no time; then it is that of the append, and not shown.
    if !was_event || metadata.timestamp() != metadata.created() {
        attributes.insert("time".to_owned(), metadata.timestamp().to_string());
    }
    if let Some(group) = metadata.message_group() {
        attributes.insert(GROUP.to_owned(), group.to_owned());
    }
    for (name, value) in metadata.properties() {
        let name = name.strip_prefix(PROPERTY_PREFIX);
        if let Some(name) = name.filter(|name| is_attribute(name)) {
            attributes.insert(name.to_owned(), value.to_owned());
        }
    }
    attributes.insert("specversion".to_owned(), VERSION.to_owned());
    attributes.insert(SEQUENCE.to_owned(), particle.sequence().to_string());
    attributes
}

/// Headers that tell a particle's attributes as an event.
pub(crate) fn headers(particle: &Particle, topic: &TopicName) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in attributes(particle, topic) {
        let name = HeaderName::try_from(format!("{HEADER_PREFIX}{name}"));
        let value = HeaderValue::try_from(value::encode(&value));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
    headers
}

#[derive(Serialize)]
struct EventShown<'a> {
    #[serde(flatten)]
    attributes: BTreeMap<String, Value>,
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
    let came = metadata.property(DATA);
    let says_json = metadata.content_type().is_none_or(is_json);
    let text = std::str::from_utf8(&content).ok();
    let text = text.filter(|_| came != Some(DATA_IS_BASE64));
    let json = text
        .filter(|text| says_json && is_shallow(text))
        .and_then(|text| serde_json::from_str(text).ok());
    let string = match (json, text) {
        (None, Some(text)) if !says_json && !text.is_empty() => {
            serde_json::value::to_raw_value(text).ok()
        }
        _ => None,
    };
    let data = json.or(string.as_deref());
    let is_bytes = data.is_none() && !content.is_empty();
    let said = metadata.content_type();
    let shown = EventShown {
        attributes: typed(attributes(particle, topic), metadata.property(TYPED)),
        datacontenttype: said.filter(|_| came != Some(DATA_IS_JSON)),
        data,
        data_base64: is_bytes.then(|| base64::encode(&content)),
    };
    // Writing to memory fails never, and every field has a form in JSON.
    let _ = serde_json::to_writer(out, &shown);
}

/// Attributes as values of JSON: those that came as numbers or truth values are some again.
fn typed(attributes: BTreeMap<String, String>, typed: Option<&str>) -> BTreeMap<String, Value> {
    let typed: Vec<&str> = typed.unwrap_or_default().split(' ').collect();
    let shown = |(name, text): (String, String)| {
        let value = match typed.contains(&name.as_str()) {
            true => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            false => Value::String(text),
        };
        (name, value)
    };
    attributes.into_iter().map(shown).collect()
}
