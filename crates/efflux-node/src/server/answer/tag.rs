//! Tags, by which a client tells whether it has an answer already (RFC 9110, 8.8.3).

use axum::body::Body;
use axum::response::Response;
use efflux_flow::particle::{Head, Particle, PayloadHash};
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

/// The tag of one representation: of a particle in one form, or of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag(String);

impl Tag {
    /// The tag of a particle's payload, which is its fingerprint.
    pub(crate) fn payload(particle: &Particle) -> Self {
        Self(format!("\"{}\"", particle.fingerprint()))
    }

    /// The tag of a particle in a form with this name.
    pub(crate) fn form(particle: &Particle, name: &str) -> Self {
        Self(format!("\"{}.{name}\"", particle.fingerprint()))
    }

    /// The tag of a head.
    pub(crate) fn head(head: Head) -> Self {
        Self(format!("\"{head}\""))
    }

    /// The tag of a text that is no particle's.
    pub(crate) fn text(text: &str) -> Self {
        Self(format!("\"{}\"", PayloadHash::of(text.as_bytes())))
    }

    /// Whether the client says that it has this already.
    pub(crate) fn is_known(&self, headers: &HeaderMap) -> bool {
        let lists = headers.get_all(IF_NONE_MATCH).iter();
        lists
            .filter_map(|list| list.to_str().ok())
            .any(|list| self.is_named(list))
    }

    /// Whether this tag is the one that a header holds.
    pub(crate) fn is(&self, value: &HeaderValue) -> bool {
        value.as_bytes() == self.0.as_bytes()
    }

    /// Whether a list of tags names this one.
    fn is_named(&self, list: &str) -> bool {
        let mut tags = list.split(',').map(str::trim);
        tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == self.0)
    }

    /// Puts the tag on an answer, and says that it is to be asked for again each time: a topic may be
    /// deleted and made anew.
    pub(crate) fn put_on(&self, response: &mut Response) {
        if let Ok(tag) = HeaderValue::try_from(&self.0) {
            response.headers_mut().insert(ETAG, tag);
        }
        let again = HeaderValue::from_static("private, no-cache");
        response.headers_mut().insert(CACHE_CONTROL, again);
    }

    /// The answer to a client that has this already.
    pub(crate) fn not_modified(&self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        self.put_on(&mut response);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_in_lists() {
        let tag = Tag("\"b\"".to_owned());
        assert!(tag.is_named("\"a\", W/\"b\"") && tag.is_named("*"));
        assert!(!tag.is_named("\"a\"") && !tag.is_named(""));
    }
}
