//! Rows in the text format of COPY: columns parted by tabs, NULL as `\N`.

use bytes::{BufMut, BytesMut};

/// Adds a row.
pub(super) fn write_row(values: &[Option<String>], into: &mut BytesMut) {
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            into.put_u8(b'\t');
        }
        match value {
            None => into.put_slice(b"\\N"),
            Some(text) => write_text(text, into),
        }
    }
    into.put_u8(b'\n');
}

fn write_text(text: &str, into: &mut BytesMut) {
    for byte in text.bytes() {
        match byte {
            b'\\' => into.put_slice(b"\\\\"),
            b'\n' => into.put_slice(b"\\n"),
            b'\r' => into.put_slice(b"\\r"),
            b'\t' => into.put_slice(b"\\t"),
            _ => into.put_u8(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_parts_rows_and_columns_is_escaped() {
        let mut into = BytesMut::new();
        let row = [Some("a\tb\\N\r\n".to_owned()), None, Some("\\.".to_owned())];
        write_row(&row, &mut into);
        assert_eq!(into, &b"a\\tb\\\\N\\r\\n\t\\N\t\\\\.\n"[..]);
    }
}
