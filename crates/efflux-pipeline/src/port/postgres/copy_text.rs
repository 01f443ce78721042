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
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| escape(*byte).is_some()) {
        let (plain, behind) = rest.split_at(at);
        into.put_slice(plain);
        let Some((first, behind)) = behind.split_first() else {
            return;
        };
        into.put_u8(b'\\');
        into.extend(escape(*first));
        rest = behind;
    }
    into.put_slice(rest);
}

/// What stands behind a backslash for this byte, if it cannot stand for itself.
const fn escape(byte: u8) -> Option<u8> {
    match byte {
        b'\\' => Some(b'\\'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        _ => None,
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
