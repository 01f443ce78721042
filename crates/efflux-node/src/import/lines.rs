//! Lines of a file, one at a time, each within a bound.

use std::io::{self, BufRead};

use super::limits::RECORD_BYTES_MAX;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, 1 for the first.
    pub number: u64,
    /// Its bytes, at most [`RECORD_BYTES_MAX`] of them.
    pub bytes: Vec<u8>,
    /// Whether bytes were left out because it is longer.
    pub is_cut: bool,
}

/// Reads lines that end with LF or CR LF, the last one with nothing; a leading byte order mark is
/// passed over.
#[derive(Debug)]
pub struct LineReader<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> LineReader<R> {
    /// A reader at the beginning of a file.
    pub const fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// The next line, empty ones included; none at the end.
    ///
    /// # Errors
    /// The file's own error.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let (mut is_cut, mut is_there, mut is_ended) = (false, false, false);
        while !is_ended {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            is_there = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer
                .get(..end.unwrap_or(buffer.len()))
                .unwrap_or_default();
            let room = RECORD_BYTES_MAX.saturating_sub(bytes.len());
            is_cut |= part.len() > room;
            bytes.extend_from_slice(part.get(..room).unwrap_or(part));
            is_ended = end.is_some();
            let used = part.len() + usize::from(is_ended);
            self.reader.consume(used);
        }
        if !is_there {
            return Ok(None);
        }
        self.number += 1;
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        if self.number == 1 && bytes.starts_with(BOM) {
            bytes.drain(..BOM.len());
        }
        Ok(Some(Line {
            number: self.number,
            bytes,
            is_cut,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &[u8], expect: &[&[u8]]) {
        for capacity in [1, 3, 4096] {
            let reader = io::BufReader::with_capacity(capacity, file);
            let mut lines = LineReader::new(reader);
            let mut found = Vec::new();
            while let Some(line) = lines.next_line().unwrap() {
                assert_eq!(line.number, found.len() as u64 + 1);
                found.push(line.bytes);
            }
            assert_eq!(found, expect, "{file:?}");
        }
    }

    #[test]
    fn lines_end_with_lf_crlf_or_the_file() {
        check(b"", &[]);
        check(b"a", &[b"a"]);
        check(b"a\n", &[b"a"]);
        check(b"a\r\nb\r\n", &[b"a", b"b"]);
        check(b"a\n\n\nb", &[b"a", b"", b"", b"b"]);
        check(b"\n", &[b""]);
        check(b"a\rb\n", &[b"a\rb"]);
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_at_the_beginning_only() {
        check(b"\xef\xbb\xbfa\n\xef\xbb\xbfb", &[b"a", b"\xef\xbb\xbfb"]);
    }

    #[test]
    fn an_endless_line_is_cut_and_the_next_one_read() {
        let mut file = vec![b'x'; RECORD_BYTES_MAX + 5];
        file.extend_from_slice(b"\nnext");
        let mut lines = LineReader::new(&file[..]);
        let first = lines.next_line().unwrap().unwrap();
        assert!(first.is_cut);
        assert_eq!(first.bytes.len(), RECORD_BYTES_MAX);
        assert_eq!(lines.next_line().unwrap().unwrap().bytes, b"next");
    }
}
