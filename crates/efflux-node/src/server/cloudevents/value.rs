//! How values of attributes stand in headers (HTTP binding, 3.1.3.2).

use std::fmt::Write;

use efflux_flow::storage::remote::wire::decode_text;

use crate::server::refusal::{Answer, Refusal};

/// A value as it stands in a header: only what a header cannot hold is percent-encoded, and the
/// percent sign itself.
pub(super) fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' => drop(write!(encoded, "%{byte:02X}")),
            0x21..=0x7e => encoded.push(char::from(byte)),
            // Writing to memory never fails.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

/// Reads a value from a header: quotes around it are taken off, then percent signs are decoded.
pub(super) fn decode(name: &str, value: &str) -> Answer<String> {
    let quoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let unquoted = quoted.map(|quoted| {
        let mut plain = String::with_capacity(quoted.len());
        let mut letters = quoted.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => plain.extend(letters.next()),
                other => plain.push(other),
            }
        }
        plain
    });
    let decoded = decode_text(unquoted.as_deref().unwrap_or(value));
    decoded.map_err(|error| Refusal::invalid(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_as_the_binding_says_and_come_back() {
        for (value, expect) in [
            ("/shop?a=b&c#d", "/shop?a=b&c#d"),
            ("Euro \u{20ac} \u{1f600}", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
            ("\"a\" 100%", "%22a%22%20100%25"),
            ("a\nb", "a%0Ab"),
            ("", ""),
        ] {
            assert_eq!(encode(value), expect);
            assert_eq!(decode("ce-x", expect).unwrap(), value);
        }
    }

    #[test]
    fn quotes_are_taken_off_before_percent_signs_are_decoded() {
        for (written, value) in [
            (r#""Euro%20%E2%82%AC""#, "Euro \u{20ac}"),
            (r#""a \"b\" \\""#, r#"a "b" \"#),
            (r#"a"b"#, r#"a"b"#),
            (r#"""#, r#"""#),
        ] {
            assert_eq!(decode("ce-x", written).unwrap(), value, "{written}");
        }
        assert!(decode("ce-x", "%ff").is_err());
    }
}
