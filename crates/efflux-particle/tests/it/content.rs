//! Content that is decoded is bounded.
#![cfg(all(feature = "gzip", feature = "zstd"))]

use efflux_particle::{ContentEncoding, ContentError, Draft, Message, Particle};
use proptest::prelude::*;

use crate::arbitrary::{check, numbered, root};

fn particle(message: &Message) -> Particle {
    root()
        .0
        .link(Draft::encode(message, &numbered(1)).unwrap())
        .1
}

#[test]
fn content_comes_back_within_its_bound_and_not_beyond() {
    let encoding = proptest::sample::select(vec![
        None,
        Some(ContentEncoding::Gzip),
        Some(ContentEncoding::Zstd),
    ]);
    let case = (encoding, proptest::collection::vec(any::<u8>(), 0..3000));
    check(case, |(encoding, content)| {
        let message = Message::new(content.clone());
        let message = match encoding {
            None => message,
            Some(encoding) => message.compressed(encoding).unwrap(),
        };
        let particle = particle(&message);
        let bytes = content.len();
        prop_assert_eq!(particle.content(bytes).unwrap(), content);
        if let Some(bytes_max) = bytes.checked_sub(1) {
            prop_assert_eq!(
                particle.content(bytes_max),
                Err(ContentError::TooLarge { bytes_max })
            );
        }
        Ok(())
    });
}

#[test]
fn the_bound_holds_for_payloads_that_are_not_compressed() {
    let particle = particle(&Message::new("123456"));
    assert_eq!(particle.content(6).unwrap(), "123456");
    assert_eq!(
        particle.content(5),
        Err(ContentError::TooLarge { bytes_max: 5 })
    );
}

#[test]
fn an_empty_payload_is_no_compressed_stream() {
    for encoding in [ContentEncoding::Gzip, ContentEncoding::Zstd] {
        let particle = particle(&Message::new("").with_content_encoding(encoding));
        let error = particle.content(100).unwrap_err();
        assert!(
            matches!(error, ContentError::Malformed { .. }),
            "{encoding}: {error}"
        );
    }
}

#[test]
fn streams_one_after_the_other_are_one_content_and_what_follows_them_is_refused() {
    for encoding in [ContentEncoding::Gzip, ContentEncoding::Zstd] {
        let (one, two) = (
            encoding.encode(b"one").unwrap(),
            encoding.encode(b"two").unwrap(),
        );
        let both = [&one[..], &two].concat();
        assert_eq!(encoding.decode(&both, 6).unwrap(), "onetwo");
        let error = encoding.decode(&both, 5).unwrap_err();
        assert_eq!(error, ContentError::TooLarge { bytes_max: 5 }, "{encoding}");
        let trailed = [&one[..], b"\0\0\0\0\0\0\0\0\0\0\0\0"].concat();
        let error = encoding.decode(&trailed, 100).unwrap_err();
        assert!(
            matches!(error, ContentError::Malformed { .. }),
            "{encoding}: {error}"
        );
    }
}

#[test]
fn a_zstd_stream_may_not_ask_for_a_window_far_beyond_the_bound() {
    // A frame header of RFC 8878: no content size, a window of 2^exponent bytes, one empty block.
    let stream = |exponent: u8| {
        [
            0x28,
            0xb5,
            0x2f,
            0xfd,
            0x00,
            (exponent - 10) << 3,
            0x01,
            0,
            0,
        ]
    };
    let decode = |exponent, bytes_max| ContentEncoding::Zstd.decode(&stream(exponent), bytes_max);
    assert_eq!(decode(23, 1).unwrap(), "", "every decoder takes 8 MiB");
    assert!(decode(24, 1 << 23).is_err());
    assert!(decode(24, (1 << 23) + 1).is_ok());
    assert!(decode(26, 1 << 26).is_ok());
    assert!(decode(27, 1 << 26).is_err());
    assert!(decode(27, usize::MAX).is_ok());
    assert!(decode(28, usize::MAX).is_err());
}
