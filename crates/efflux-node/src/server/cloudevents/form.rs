//! An event as JSON, read without holding more of it than a message may have.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use efflux_flow::particle::limits::PROPERTIES_MAX;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// Most attributes that are read: more than a message has properties and fields of its own.
const ATTRIBUTES_MAX: usize = 2 * PROPERTIES_MAX;

/// An event as JSON.
///
/// - no name stands twice
/// - the value of an attribute is neither an array nor an object
#[derive(Debug, Default)]
pub(super) struct EventForm<'a> {
    pub(super) data: Option<&'a RawValue>,
    pub(super) data_base64: Option<Cow<'a, str>>,
    pub(super) attributes: BTreeMap<String, Value>,
}

impl<'de: 'a, 'a> Deserialize<'de> for EventForm<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(EventVisitor).map(|read| EventForm {
            data: read.data,
            data_base64: read.data_base64,
            attributes: read.attributes,
        })
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = EventForm<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<EventForm<'de>, A::Error> {
        let (mut event, mut names) = (EventForm::default(), 0);
        while let Some(name) = from.next_key::<String>()? {
            names += 1;
            if names > ATTRIBUTES_MAX {
                return Err(A::Error::custom(format!(
                    "more than {ATTRIBUTES_MAX} attributes"
                )));
            }
            let is_twice = match name.as_str() {
                "data" => {
                    let is_twice = event.data.is_some();
                    event.data = from.next_value()?;
                    is_twice
                }
                "data_base64" => {
                    let is_twice = event.data_base64.is_some();
                    event.data_base64 = from.next_value()?;
                    is_twice
                }
                _ => {
                    let value = from.next_value::<Simple>()?.0;
                    event.attributes.insert(name.clone(), value).is_some()
                }
            };
            if is_twice {
                return Err(A::Error::custom(format!("duplicate field `{name}`")));
            }
        }
        Ok(event)
    }
}

/// A value that is neither an array nor an object.
struct Simple(Value);

impl<'de> Deserialize<'de> for Simple {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SimpleVisitor)
    }
}

struct SimpleVisitor;

impl Visitor<'_> for SimpleVisitor {
    type Value = Simple;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false or null")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Simple, E> {
        Ok(Simple(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Simple, E> {
        Ok(Simple(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Simple, E> {
        Ok(Simple(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Simple, E> {
        Ok(Simple(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Simple, E> {
        Ok(Simple(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Simple, E> {
        Ok(Simple(Value::Null))
    }
}
