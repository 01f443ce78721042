//! Any text is a template that says what it was read from, or an error inside the text; filling one in
//! from any message ends within its bounds.

use crate::particle::{ContentEncoding, Message};
use crate::pipeline::{Parcel, Template};

/// Bytes that a template may become, and one part of it more.
const BYTES_MAX: usize = 1 << 20;

/// Runs the target on one input: a template, and behind a NUL the payload of a message.
pub fn run(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == 0);
    let (text, payload) = input.split_at(end.unwrap_or(input.len()));
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let template = match text.parse::<Template>() {
        Ok(template) => template,
        Err(error) => {
            assert!(text.is_char_boundary(error.at), "{error}");
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(template.as_str(), text);
    let again = template.as_str().parse::<Template>();
    assert_eq!(again.as_ref(), Ok(&template));
    for message in messages(payload.get(1..).unwrap_or_default()) {
        match template.render(&Parcel::of_message(message)) {
            Ok(filled) => assert!(filled.len() <= BYTES_MAX),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn messages(payload: &[u8]) -> [Message; 3] {
    let message = Message::new(payload.to_vec())
        .with_data_type("order")
        .with_message_group("g")
        .with_property("region", "eu");
    let packed = Message::new(payload.to_vec()).with_content_encoding(ContentEncoding::Gzip);
    let compressed = message.clone().compressed(ContentEncoding::Zstd);
    [message, packed, compressed.expect("it is built")]
}
