//! What some programs write at the beginning of a text in UTF-8, and what is none of its content.

/// Without the mark at its beginning, if there is one.
pub(crate) fn without_byte_order_mark(content: &[u8]) -> &[u8] {
    content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content)
}
