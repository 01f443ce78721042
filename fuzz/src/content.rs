//! Payloads decompressed out of any bytes: no panic, and never more content than the bound.

use crate::particle::{ContentEncoding, ContentError};

const BYTES_MAX: usize = 1 << 20;

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let encoding = if first & 1 == 0 {
        ContentEncoding::Gzip
    } else {
        ContentEncoding::Zstd
    };
    match encoding.decode(rest, BYTES_MAX) {
        Ok(content) => assert!(content.len() <= BYTES_MAX),
        Err(ContentError::TooLarge { .. } | ContentError::Malformed { .. }) => {}
        Err(other) => panic!("{other}"),
    }
    let encoded = encoding.encode(input).expect("both are built");
    assert_eq!(encoding.decode(&encoded, input.len()).as_deref(), Ok(input));
}
