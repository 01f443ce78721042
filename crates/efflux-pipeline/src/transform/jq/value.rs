//! JSON in and out of jaq's values.
//!
//! jaq's values are more than JSON: bytes, keys of every kind, numbers that are none. What comes in
//! is JSON by the letter, and what is not JSON does not go out.

use jaq_json::{Num, Val};
use serde::de::IgnoredAny;

use crate::byte_order_mark::without_byte_order_mark;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::transform::limits::JSON_DEPTH_MAX;

/// A payload as a value.
pub(super) fn read(content: &[u8]) -> Result<Val, StageError> {
    let content = without_byte_order_mark(content);
    if !is_flat(content) {
        return Err(StageError::rejected(format!(
            "the payload is JSON that is more than {JSON_DEPTH_MAX} deep"
        )));
    }
    serde_json::from_slice::<IgnoredAny>(content)
        .map_err(|error| StageError::rejected(format!("the payload is no JSON: {error}")))?;
    jaq_json::read::parse_single(content)
        .map_err(|error| StageError::rejected(format!("the payload is no JSON: {error}")))
}

/// Whether brackets are nowhere more than [`JSON_DEPTH_MAX`] deep.
pub(super) fn is_flat(json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return false;
        }
    }
    true
}

/// What a program sees as `$meta`.
pub(super) fn metadata(parcel: &Parcel) -> Val {
    let message = &parcel.message;
    let text = |text: &str| Val::from(text.to_owned());
    let optional = |value: Option<&str>| value.map_or(Val::Null, text);
    let object = |fields: Vec<(&str, Val)>| {
        Val::obj(
            fields
                .into_iter()
                .map(|(name, value)| (text(name), value))
                .collect(),
        )
    };
    let properties = message
        .properties()
        .map(|(name, value)| (name, text(value)));
    let origin = parcel.origin();
    let particle = origin
        .particle()
        .map(|particle| particle.sequence().to_string());
    let sequence = particle.map_or(Val::Null, |digits| Val::Num(Num::from_dec_str(&digits)));
    object(vec![
        (
            "id",
            optional(message.id().map(ToString::to_string).as_deref()),
        ),
        ("data_type", optional(message.data_type())),
        ("content_type", optional(message.content_type())),
        ("message_group", optional(message.message_group())),
        (
            "timestamp",
            optional(message.timestamp().map(|time| time.to_string()).as_deref()),
        ),
        ("properties", object(properties.collect())),
        (
            "origin",
            object(vec![
                (
                    "topic",
                    optional(origin.topic().map(ToString::to_string).as_deref()),
                ),
                ("sequence", sequence),
                (
                    "id",
                    optional(origin.id().map(ToString::to_string).as_deref()),
                ),
            ]),
        ),
    ])
}

/// A value as JSON of at most `bytes_max` bytes.
pub(super) fn write(value: &Val, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut json = Vec::new();
    write_into(value, &mut json, bytes_max, 0)?;
    Ok(json)
}

fn write_into(
    value: &Val,
    json: &mut Vec<u8>,
    bytes_max: usize,
    depth: usize,
) -> Result<(), String> {
    if depth > JSON_DEPTH_MAX {
        return Err(format!("an output is more than {JSON_DEPTH_MAX} deep"));
    }
    if json.len() > bytes_max {
        return Err(format!("an output has more than {bytes_max} bytes"));
    }
    match value {
        Val::Null => json.extend_from_slice(b"null"),
        Val::Bool(truth) => json.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Val::Num(Num::Float(number)) if !number.is_finite() => {
            return Err(
                "an output has a number that JSON does not have: an infinite one, or none"
                    .to_owned(),
            );
        }
        Val::Num(number) => json.extend_from_slice(number.to_string().as_bytes()),
        Val::TStr(text) => write_text(text, json)?,
        Val::BStr(_) => {
            return Err("an output has bytes in it, which JSON does not have".to_owned());
        }
        Val::Arr(elements) => {
            json.push(b'[');
            for (place, element) in elements.iter().enumerate() {
                if place > 0 {
                    json.push(b',');
                }
                write_into(element, json, bytes_max, depth + 1)?;
            }
            json.push(b']');
        }
        Val::Obj(fields) => {
            json.push(b'{');
            for (place, (name, field)) in fields.iter().enumerate() {
                if place > 0 {
                    json.push(b',');
                }
                let Val::TStr(name) = name else {
                    return Err("an output has a key that is no text".to_owned());
                };
                write_text(name, json)?;
                json.push(b':');
                write_into(field, json, bytes_max, depth + 1)?;
            }
            json.push(b'}');
        }
    }
    Ok(())
}

fn write_text(text: &[u8], json: &mut Vec<u8>) -> Result<(), String> {
    let text = std::str::from_utf8(text)
        .map_err(|_| "an output has a text that is no UTF-8".to_owned())?;
    serde_json::to_writer(json, text).map_err(|error| error.to_string())
}
