//! Payloads: whole or in part, byte for byte as they are stored.

use std::ops::Range;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use efflux_flow::particle::{Particle, TopicName};
use efflux_flow::storage::remote::wire::ProblemKind;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, HeaderName, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::tag::Tag;
use crate::server::cloudevents;
use crate::server::refusal::Refusal;

/// What is said of a payload that does not say what it is.
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// What part of a payload is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Bytes(Range<usize>),
    Unsatisfiable,
}

/// The payload of a particle, or the part of it that is asked for. Only `GET` asks for parts.
pub(crate) fn payload(
    method: &Method,
    headers: &HeaderMap,
    particle: &Particle,
    topic: &TopicName,
) -> Response {
    let (tag, payload) = (Tag::payload(particle), particle.payload());
    if tag.is_known(headers) {
        let mut response = tag.not_modified();
        describe(&mut response, particle, topic, &tag);
        return response;
    }
    let is_same = headers.get(IF_RANGE).is_none_or(|known| tag.is(known));
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let range = range.filter(|_| is_same && method == Method::GET);
    let mut response = Response::new(Body::empty());
    match range.map_or(Part::Whole, |range| part(range, payload.len())) {
        Part::Whole => *response.body_mut() = Body::from(payload),
        Part::Bytes(range) => {
            let said = format!("bytes {}-{}/{}", range.start, range.end - 1, payload.len());
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.body_mut() = Body::from(payload.slice(range));
            put(&mut response, CONTENT_RANGE, said);
        }
        Part::Unsatisfiable => {
            let why = format!("the payload has {} bytes", payload.len());
            let refusal = Refusal::new(ProblemKind::RangeNotSatisfiable, why);
            let mut response = refusal.into_response();
            put(
                &mut response,
                CONTENT_RANGE,
                format!("bytes */{}", payload.len()),
            );
            return response;
        }
    }
    describe(&mut response, particle, topic, &tag);
    response
}

fn put(response: &mut Response, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

fn describe(response: &mut Response, particle: &Particle, topic: &TopicName, tag: &Tag) {
    let metadata = particle.metadata();
    let headers = response.headers_mut();
    headers.extend(cloudevents::headers(particle, topic));
    // What is no media type is kept, and not told to HTTP as if it were one.
    let said = metadata.content_type().filter(|said| is_media_type(said));
    let media_type = said.map(HeaderValue::try_from);
    let media_type = media_type.and_then(Result::ok).unwrap_or(BYTES);
    headers.insert(CONTENT_TYPE, media_type);
    if let Some(encoding) = metadata.content_encoding() {
        headers.insert(
            CONTENT_ENCODING,
            HeaderValue::from_static(encoding.as_str()),
        );
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    tag.put_on(response);
}

/// Whether a text names a type and a subtype (RFC 9110, 8.3.1).
fn is_media_type(text: &str) -> bool {
    let is_token = |part: &str| {
        let may = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !part.is_empty() && part.bytes().all(may)
    };
    let name = text.split(';').next().unwrap_or_default().trim();
    let parts = name.split_once('/');
    parts.is_some_and(|(of, kind)| is_token(of) && is_token(kind))
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
    fn media_types_have_two_parts() {
        for text in ["text/plain", "a/b; c=d", "application/vnd.x+json"] {
            assert!(is_media_type(text), "{text}");
        }
        for text in [
            "",
            "text",
            "text/",
            "/plain",
            "a b/c",
            "a/b/c",
            "order.placed",
        ] {
            assert!(!is_media_type(text), "{text}");
        }
    }
}
