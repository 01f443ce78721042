//! Payloads: whole or in part, byte for byte as they are stored.

use std::ops::Range;

use axum::body::Body;
use axum::response::Response;
use efflux_flow::particle::{Particle, TopicName};
use efflux_flow::storage::remote::wire::ProblemKind;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::server::cloudevents;
use crate::server::refusal::{Answer, Refusal};

/// What is said of a payload that does not say what it is.
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// What part of a payload is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Bytes(Range<usize>),
    Unsatisfiable,
}

/// The payload of a particle, or the part of it that is asked for.
pub(crate) fn payload(
    headers: &HeaderMap,
    particle: &Particle,
    topic: &TopicName,
) -> Answer<Response> {
    let tag = format!("\"{}\"", particle.fingerprint());
    let payload = particle.payload();
    let mut response = Response::new(Body::empty());
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let is_same = text(IF_RANGE).is_none_or(|known| known == tag);
    let part = match text(RANGE).filter(|_| is_same) {
        Some(range) => part(range, payload.len()),
        None => Part::Whole,
    };
    if text(IF_NONE_MATCH).is_some_and(|known| names(known, &tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        describe(&mut response, particle, topic, &tag);
        return Ok(response);
    }
    match part {
        Part::Whole => *response.body_mut() = Body::from(payload),
        Part::Bytes(range) => {
            let said = format!("bytes {}-{}/{}", range.start, range.end - 1, payload.len());
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.body_mut() = Body::from(payload.slice(range));
            if let Ok(said) = HeaderValue::try_from(said) {
                response.headers_mut().insert(CONTENT_RANGE, said);
            }
        }
        Part::Unsatisfiable => {
            return Err(Refusal::new(
                ProblemKind::RangeNotSatisfiable,
                format!("the payload has {} bytes", payload.len()),
            ));
        }
    }
    describe(&mut response, particle, topic, &tag);
    Ok(response)
}

fn describe(response: &mut Response, particle: &Particle, topic: &TopicName, tag: &str) {
    let metadata = particle.metadata();
    let headers = response.headers_mut();
    headers.extend(cloudevents::headers(particle, topic));
    let media_type = metadata.content_type().map(HeaderValue::try_from);
    let media_type = media_type.and_then(Result::ok).unwrap_or(BYTES);
    headers.insert(CONTENT_TYPE, media_type);
    if let Some(encoding) = metadata.content_encoding() {
        headers.insert(
            CONTENT_ENCODING,
            HeaderValue::from_static(encoding.as_str()),
        );
    }
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // The topic may be deleted and made anew: a cache asks whether it is still this particle.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// Whether a list of tags names this one.
fn names(list: &str, tag: &str) -> bool {
    let mut tags = list.split(',').map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Reads a range (RFC 9110, 14.1.2). Several ranges, other units and what is none are answered with
/// the whole.
fn part(text: &str, bytes: usize) -> Part {
    let Some(range) = text.trim().strip_prefix("bytes=") else {
        return Part::Whole;
    };
    let Some((first, last)) = range.split_once('-') else {
        return Part::Whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<usize>().unwrap_or(usize::MAX))
    };
    let range = match (number(first.trim()), number(last.trim())) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(bytes),
        (Some(first), None) if last.trim().is_empty() => first..bytes,
        (None, Some(count)) if first.trim().is_empty() => bytes.saturating_sub(count)..bytes,
        _ => return Part::Whole,
    };
    match range.is_empty() {
        true => Part::Unsatisfiable,
        false => Part::Bytes(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (text, expect) in [
            ("bytes=0-4", Part::Bytes(0..5)),
            ("bytes=0-99", Part::Bytes(0..10)),
            ("bytes=7-", Part::Bytes(7..10)),
            ("bytes=-3", Part::Bytes(7..10)),
            ("bytes=-99", Part::Bytes(0..10)),
            ("bytes=9-9", Part::Bytes(9..10)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=99999999999999999999999-", Part::Unsatisfiable),
            ("bytes=4-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(part(text, 10), expect, "{text}");
        }
        assert_eq!(part("bytes=0-0", 0), Part::Unsatisfiable);
    }

    #[test]
    fn tags_are_found_in_lists() {
        assert!(names("\"a\", W/\"b\"", "\"b\"") && names("*", "\"b\""));
        assert!(!names("\"a\"", "\"b\""));
    }
}
