//! Particles as JSON: one object a line, a stable interface. docs/cli.md describes it.

pub(crate) mod base64;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use bytes::Bytes;
use efflux_flow::particle::limits::CONTENT_BYTES_DEFAULT_MAX;
use efflux_flow::particle::{ContentEncoding, Particle, TopicName};
use efflux_flow::storage::Ticket;
use serde::Serialize;
use serde_json::value::RawValue;

/// What a particle was read for: its topic and, for consumers, the ticket it was handed out with and
/// how often it was.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The topic.
    pub topic: &'a TopicName,
    /// The ticket, where it is to be shown.
    pub ticket: Option<Ticket>,
    /// How often it was handed out, this time included.
    pub deliveries: Option<u32>,
    /// Bytes of a payload up to which it is decompressed; a larger one is shown as it is stored.
    pub content_bytes_max: usize,
}

impl<'a> Shown<'a> {
    /// A particle that was read from a topic, for no consumer.
    #[must_use]
    pub const fn of(topic: &'a TopicName) -> Self {
        Self {
            topic,
            ticket: None,
            deliveries: None,
            content_bytes_max: CONTENT_BYTES_DEFAULT_MAX,
        }
    }

    /// The same, decompressing up to so many bytes.
    #[must_use]
    pub const fn with_content_bytes_max(mut self, bytes: usize) -> Self {
        self.content_bytes_max = bytes;
        self
    }
}

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
    ticket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// Writes a particle as one JSON object, without a line's end inside or behind it.
///
/// # Errors
/// Those of `out`.
pub fn write_particle(
    out: &mut impl Write,
    particle: &Particle,
    shown: Shown<'_>,
) -> io::Result<()> {
    let metadata = particle.metadata();
    let content = content_up_to(particle, shown.content_bytes_max);
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
        ticket: shown.ticket.map(|ticket| ticket.to_string()),
        deliveries: shown.deliveries,
        payload: text,
        payload_base64: text.is_none().then(|| base64::encode(&content)),
        data: data
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok()),
    };
    serde_json::to_writer(out, &line)?;
    Ok(())
}

/// The payload, decompressed where it is compressed and can be; else as it is stored.
#[must_use]
pub fn content(particle: &Particle) -> Bytes {
    content_up_to(particle, CONTENT_BYTES_DEFAULT_MAX)
}

/// As [`content`], decompressing up to so many bytes.
#[must_use]
pub fn content_up_to(particle: &Particle, bytes_max: usize) -> Bytes {
    particle
        .content(bytes_max)
        .unwrap_or_else(|_| particle.payload())
}

/// The text if it is meant as JSON. A line's end is white space in JSON, so it may be a space.
fn json_in_one_line<'a>(text: &'a str, content_type: Option<&str>) -> Option<Cow<'a, str>> {
    let is_said = content_type.is_some_and(is_json);
    let may_be = is_said || text.trim_start().starts_with(['{', '[']);
    if !may_be || !is_shallow(text) {
        return None;
    }
    Some(match text.contains(['\n', '\r']) {
        true => Cow::Owned(text.replace(['\n', '\r'], " ")),
        false => Cow::Borrowed(text),
    })
}

/// Most levels of arrays and objects in each other that are shown as JSON, or taken as it: what most
/// programs that read JSON bear, `serde_json` among them.
pub(crate) const NESTING_MAX: usize = 128;

/// Whether a text that may be JSON is not nested too deep to be shown as such.
pub(crate) fn is_shallow(text: &str) -> bool {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => {
                depth += 1;
                if depth > NESTING_MAX {
                    return false;
                }
            }
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// Whether a media type says JSON.
pub(crate) fn is_json(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json") || name.ends_with("+json")
}
