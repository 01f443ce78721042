//! Particles as JSON: one object a line, a stable interface. docs/cli.md describes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use efflux_node::particle::{ContentEncoding, Particle};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Shown, base64, content};

#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    sequence: u64,
    id: String,
    created: String,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_encoding: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_group: Option<&'a str>,
    properties: BTreeMap<&'a str, &'a str>,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    linked_fingerprint: Option<String>,
    payload_hash: String,
    payload_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

pub(super) fn line(out: &mut impl Write, particle: &Particle, shown: Shown<'_>) -> io::Result<()> {
    let metadata = particle.metadata();
    let content = content(particle);
    let text = std::str::from_utf8(&content).ok();
    let data = text.and_then(|text| json_in_one_line(text, metadata.content_type()));
    let line = Line {
        topic: shown.topic.as_str(),
        sequence: particle.sequence().get(),
        id: metadata.id().to_string(),
        created: metadata.created().to_string(),
        timestamp: metadata.timestamp().to_string(),
        data_type: metadata.data_type(),
        content_type: metadata.content_type(),
        content_encoding: metadata.content_encoding().map(ContentEncoding::as_str),
        message_group: metadata.message_group(),
        properties: metadata.properties().collect(),
        fingerprint: particle.fingerprint().to_string(),
        linked_fingerprint: metadata
            .linked_fingerprint()
            .map(|linked| linked.to_string()),
        payload_hash: metadata.payload_hash().to_string(),
        payload_bytes: particle.payload().len(),
        deliveries: shown.deliveries,
        payload: text,
        payload_base64: text.is_none().then(|| base64::encode(&content)),
        data: data
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok()),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// The text if it is meant as JSON. A line's end is white space in JSON, so it may be a space.
fn json_in_one_line<'a>(text: &'a str, content_type: Option<&str>) -> Option<Cow<'a, str>> {
    let is_said = content_type.is_some_and(|name| {
        let name = name.split(';').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("application/json") || name.ends_with("+json")
    });
    if !is_said && !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    Some(match text.contains(['\n', '\r']) {
        true => Cow::Owned(text.replace(['\n', '\r'], " ")),
        false => Cow::Borrowed(text),
    })
}
