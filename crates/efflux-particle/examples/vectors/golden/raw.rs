//! Frames that this crate would not write itself: other widths, unknown keys, broken rules.

use bytes::Bytes;
use efflux_particle::{FOOTER_ID, Fingerprint, HEADER_ID};

/// MessagePack text of at most 255 bytes.
pub(super) fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    let head = match length {
        0..=31 => vec![0xa0 | length],
        _ => vec![0xd9, length],
    };
    [head, text.as_bytes().to_vec()].concat()
}

/// MessagePack bytes of at most 255 bytes.
pub(super) fn bin(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    [&[0xc4, length], bytes].concat()
}

/// Metadata of these keys and encoded values, at most 15.
pub(super) fn metadata(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let count = u8::try_from(entries.len()).unwrap_or(15);
    let entries = entries
        .iter()
        .map(|(key, value)| [text(key), value.clone()].concat());
    [vec![0x80 | count], entries.collect::<Vec<_>>().concat()].concat()
}

/// A whole frame around any metadata, with the right sizes and the right fingerprint.
pub(super) fn frame(metadata: &[u8], payload: &[u8]) -> Bytes {
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let message_size = size(44 + metadata.len() + payload.len());
    [
        &HEADER_ID[..],
        &message_size,
        &size(metadata.len()),
        Fingerprint::of(metadata).as_bytes(),
        metadata,
        payload,
        &message_size,
        &FOOTER_ID,
    ]
    .concat()
    .into()
}
