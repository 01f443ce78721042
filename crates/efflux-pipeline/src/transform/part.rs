//! What one message becomes in part: the same metadata, another payload.

use bytes::Bytes;
use efflux_storage::particle::Message;

/// A message like `input` with this payload, which is not compressed, and this media type.
pub(super) fn part(input: &Message, payload: impl Into<Bytes>, content_type: &str) -> Message {
    input
        .clone()
        .without_content_encoding()
        .with_content_type(content_type)
        .with_payload(payload)
}
