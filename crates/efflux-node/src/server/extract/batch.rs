//! Messages that are appended together: as JSON or NDJSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use efflux_flow::particle::Message;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::elements::{check_count, elements, properties};
use super::json::{check_nesting, object};
use super::message::parsed;
use crate::json::base64;
use crate::server::refusal::{Answer, Refusal};

/// A message as it is sent as JSON. A particle as the node prints it has the same names.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageForm<'a> {
    /// A UUID or another text of 1 to 255 bytes; made by the node when left out.
    id: Option<Cow<'a, str>>,
    /// When the data came to be: RFC 3339.
    timestamp: Option<Cow<'a, str>>,
    /// What kind of thing the payload tells, as in `order.placed`.
    data_type: Option<Cow<'a, str>>,
    /// The payload's media type; `application/json` for `data` when left out.
    content_type: Option<Cow<'a, str>>,
    /// How the payload is compressed already: `gzip` or `zstd`.
    content_encoding: Option<Cow<'a, str>>,
    /// Particles of one group are consumed strictly one after the other.
    message_group: Option<Cow<'a, str>>,
    /// What the message can be found by.
    #[serde(default, deserialize_with = "properties")]
    properties: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// The payload as a text.
    payload: Option<Cow<'a, str>>,
    /// The payload in Base64.
    payload_base64: Option<Cow<'a, str>>,
    /// The payload as JSON, kept as it is written here.
    #[serde(borrow, default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<&'a RawValue>,
}

/// A value that stands there is one, null too.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl MessageForm<'_> {
    fn message(self) -> Answer<Message> {
        let is_json = self.data.is_some();
        let payload = match (self.payload, self.payload_base64, self.data) {
            (None, None, None) => Bytes::new(),
            (Some(text), None, None) => Bytes::from(text.into_owned()),
            (None, Some(text), None) => base64::decode(&text)
                .map(Bytes::from)
                .ok_or_else(|| Refusal::invalid("payload_base64 is no Base64 with padding"))?,
            (None, None, Some(data)) => {
                check_nesting(data.get())?;
                Bytes::copy_from_slice(data.get().as_bytes())
            }
            _ => {
                return Err(Refusal::invalid(
                    "send one of payload, payload_base64 and data",
                ));
            }
        };
        let mut message = Message::new(payload);
        if let Some(id) = self.id {
            message = message.with_id(parsed("id", &id)?);
        }
        if let Some(time) = self.timestamp {
            message = message.with_timestamp(parsed("timestamp", &time)?);
        }
        if let Some(data_type) = self.data_type {
            message = message.with_data_type(data_type);
        }
        if let Some(encoding) = self.content_encoding {
            message = message.with_content_encoding(parsed("content_encoding", &encoding)?);
        }
        if let Some(group) = self.message_group {
            message = message.with_message_group(group);
        }
        match self.content_type {
            Some(media_type) => message = message.with_content_type(media_type),
            None if is_json => message = message.with_content_type("application/json"),
            None => {}
        }
        Ok(self
            .properties
            .into_iter()
            .fold(message, |message, (name, value)| {
                message.with_property(name, value)
            }))
    }
}

/// Reads an array of messages.
pub(crate) fn from_json(bytes: &[u8]) -> Answer<Vec<Message>> {
    elements(bytes, "message", MessageForm::message)
}

/// Reads a message a line. Empty lines are skipped.
pub(crate) fn from_ndjson(bytes: &[u8]) -> Answer<Vec<Message>> {
    let mut messages = Vec::new();
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    for (at, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        check_count(messages.len() + 1)?;
        let form = object::<MessageForm<'_>>(line);
        let message = form.and_then(MessageForm::message);
        messages.push(message.map_err(|why| why.at("line", at + 1))?);
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::NESTING_MAX;
    use efflux_flow::particle::limits::BATCH_PARTICLES_MAX;
    use efflux_flow::storage::remote::wire::ProblemKind;

    #[test]
    fn a_message_may_have_any_payload_and_all_metadata() {
        let messages = from_json(
            br#"[{"payload":"a\nb"},{"payload_base64":"/w=="},{"data":{"b":1, "a":[null]}},
                 {"data":null,"id":"x","timestamp":"2026-01-01","data_type":"t",
                  "message_group":"g","properties":{"p":"1"}},{}]"#,
        )
        .unwrap();
        let payloads: Vec<_> = messages.iter().map(|it| it.payload().to_vec()).collect();
        assert_eq!(payloads[..2], [b"a\nb".to_vec(), vec![255]]);
        assert_eq!(payloads[2], br#"{"b":1, "a":[null]}"#);
        assert_eq!(
            (payloads[3].as_slice(), payloads[4].len()),
            (&b"null"[..], 0)
        );
        let full = &messages[3];
        assert_eq!(full.content_type(), Some("application/json"));
        assert_eq!(
            (full.data_type(), full.property("p")),
            (Some("t"), Some("1"))
        );
        assert_eq!(messages[0].content_type(), None);
    }

    #[test]
    fn what_is_no_message_is_refused_and_its_place_is_told() {
        for (text, why) in [
            (r#"{"payload":"a"}"#, "expected a sequence"),
            (r#"[{"payload":"a","data":1}]"#, "message 0: send one of"),
            (
                r#"[{},{"payload_base64":"?"}]"#,
                "message 1: payload_base64",
            ),
            (r#"[["id"]]"#, "message 0: JSON: invalid type: sequence"),
            (r#"[{},1,1]"#, "message 1: JSON: invalid type: integer"),
            (
                r#"[{"properties":{"a":"1","a":"2"}}]"#,
                "duplicate property",
            ),
            (r#"[{"type":"t"}]"#, "unknown field"),
            (r#"[{"id":"a","id":"b"}]"#, "duplicate field"),
            (r#"[{"timestamp":"noon"}]"#, "timestamp"),
            (r#"[{"id":""}]"#, "id"),
            (r#"[{]"#, "no JSON"),
        ] {
            let refusal = format!("{:?}", from_json(text.as_bytes()).unwrap_err());
            assert!(refusal.contains(why), "{text}: {refusal}");
        }
        let deep = |depth| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            from_json(format!("[{{\"data\":{open}{close}}}]").as_bytes())
        };
        assert!(deep(NESTING_MAX).is_ok());
        for depth in [NESTING_MAX + 1, 100_000] {
            let refusal = format!("{:?}", deep(depth).unwrap_err());
            assert!(refusal.contains("message 0: data is nested"), "{refusal}");
        }
        let many = |count| from_json(format!("[{}]", vec!["{}"; count].join(",")).as_bytes());
        assert_eq!(
            many(BATCH_PARTICLES_MAX).unwrap().len(),
            BATCH_PARTICLES_MAX
        );
        let refusal = many(BATCH_PARTICLES_MAX + 1).unwrap_err();
        assert_eq!(refusal.kind(), ProblemKind::TooLarge);
        let refusal = from_ndjson(b"{}\n\n{\"x\":1}\n").unwrap_err();
        assert!(format!("{refusal:?}").contains("line 3"), "{refusal:?}");
    }
}
