//! CloudEvents 1.0, in the modes of their HTTP binding: binary, structured, batched.
//!
//! `type`, `time` and `datacontenttype` are the message's own fields, `partitionkey` is its group, all
//! other attributes are properties `ce.NAME`. An event is known by its source and its id together, so
//! both make the particle's id; the event's own id is the property `ce.id`. Events come back as they
//! were sent. A particle that never was an event gets the attributes it needs from its topic.
//!
//! What only an event can tell stands in properties that are no attributes:
//!
//! | property | what it tells |
//! | --- | --- |
//! | `ce.time` | the time as it was written, where it prints otherwise |
//! | `ce:data` | `json`: the data is JSON because nothing else was said; `base64`: it came as Base64 |
//! | `ce:typed` | attributes whose values are numbers or truth values, with spaces between |

mod form;
mod identity;
mod reading;
mod shown;
mod value;

pub(crate) use self::reading::{from_batch, from_binary, from_structured, is_binary};
pub(crate) use self::shown::{headers, write};

/// Media type of one event as JSON.
pub(crate) const EVENT: &str = "application/cloudevents+json";
/// Media type of events as a JSON array.
pub(crate) const EVENTS: &str = "application/cloudevents-batch+json";

const VERSION: &str = "1.0";
const HEADER_PREFIX: &str = "ce-";
const PROPERTY_PREFIX: &str = "ce.";
/// The event's own id.
const ID: &str = "ce.id";
/// The attribute without which there is no event.
const SOURCE: &str = "ce.source";
/// The event's time, as it was written.
const TIME: &str = "ce.time";
/// How the data came.
const DATA: &str = "ce:data";
/// Data that is JSON, although no content type was said.
const DATA_IS_JSON: &str = "json";
/// Data that came as Base64.
const DATA_IS_BASE64: &str = "base64";
/// Attributes whose values are no texts.
const TYPED: &str = "ce:typed";
/// The attribute that is the message group.
const GROUP: &str = "partitionkey";
/// The attribute that tells the particle's place. An event that brings it along comes from another
/// place, which is not kept.
const SEQUENCE: &str = "effluxsequence";

fn is_attribute(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !name.is_empty() && name.bytes().all(is_letter) && name != "data"
}

#[cfg(test)]
mod tests;
