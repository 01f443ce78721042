//! A message whose payload is the body and whose metadata stands in headers.

use bytes::Bytes;
use efflux_flow::particle::Message;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::header::{one, plain};
use crate::server::refusal::{Answer, Refusal};

/// What the names of Efflux's own headers begin with.
const PREFIX: &str = "efflux-";
/// What the names of headers that are properties begin with.
const PROPERTY: &str = "efflux-property-";
/// Efflux's own headers, but for properties.
const KNOWN: [&str; 5] = [
    "efflux-id",
    "efflux-type",
    "efflux-group",
    "efflux-time",
    "efflux-expect",
];

/// Reads a message from the headers and the body of a request.
pub(crate) fn message(headers: &HeaderMap, payload: Bytes) -> Answer<Message> {
    let message = with_encoding(Message::new(payload), headers)?;
    let message = match plain(headers, CONTENT_TYPE.as_str())? {
        Some(media_type) => message.with_content_type(media_type),
        None => message,
    };
    described(message, headers)
}

/// The message with what Efflux's own headers say of it.
pub(crate) fn described(mut message: Message, headers: &HeaderMap) -> Answer<Message> {
    for name in headers.keys().map(http::HeaderName::as_str) {
        let Some(own) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let value = one(headers, name)?.unwrap_or_default();
        message = match own {
            "id" => message.with_id(parsed(name, &value)?),
            "type" => message.with_data_type(value),
            "group" => message.with_message_group(value),
            "time" => message.with_timestamp(parsed(name, &value)?),
            "expect" => message,
            _ => match name.strip_prefix(PROPERTY) {
                Some(property) => message.with_property(property, value),
                None => {
                    return Err(Refusal::invalid(format!(
                        "header {name} is unknown: use {}, or {PROPERTY}NAME",
                        KNOWN.join(", ")
                    )));
                }
            },
        };
    }
    Ok(message)
}

/// Says how the payload is compressed, as the request says it.
pub(crate) fn with_encoding(message: Message, headers: &HeaderMap) -> Answer<Message> {
    match plain(headers, CONTENT_ENCODING.as_str())? {
        None | Some("identity") => Ok(message),
        Some(encoding) => Ok(message.with_content_encoding(parsed("content-encoding", encoding)?)),
    }
}

/// Reads a value, and says where it stood when it is none.
pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    place: &str,
    text: &str,
) -> Answer<T> {
    text.parse()
        .map_err(|error| Refusal::invalid(format!("{place}: {error}")))
}
