//! Texts in headers and paths, where only some characters can stand.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::error::{Error, Result};

/// What cannot stand in a header's value or in one part of a path as it is.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A text as it can stand in a header, a query or one part of a path.
#[must_use]
pub fn encode_text(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Reads a text from a header: percent signs are decoded, once.
///
/// # Errors
/// `Invalid` when what comes out is no UTF-8.
pub fn decode_text(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Error::invalid("a text that is percent-encoded is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for text in [
            "",
            "plain-text_1.2~",
            "a b+c/d?e#f%20",
            "größe \u{1f980}",
            "a\nb\0",
        ] {
            let encoded = encode_text(text);
            assert!(
                encoded.bytes().all(|byte| byte.is_ascii_graphic()),
                "{encoded}"
            );
            assert_eq!(decode_text(&encoded).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_utf_8_is_refused_and_a_lone_percent_sign_is_itself() {
        assert!(decode_text("%ff").is_err());
        assert_eq!(decode_text("100%").unwrap(), "100%");
        assert_eq!(decode_text("%2541").unwrap(), "%41");
    }
}
