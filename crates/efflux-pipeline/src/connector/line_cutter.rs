//! Cuts bytes into lines, whatever the pieces that they come in.

use efflux_storage::particle::limits::PAYLOAD_BYTES_MAX;

/// Bytes that are kept of a line that is too long: 4 KiB, enough to tell which one it was.
const BEGINNING_BYTES_MAX: usize = 4096;

/// A line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Whole(Vec<u8>),
    /// It is longer than a payload may be.
    TooLong {
        beginning: Vec<u8>,
        bytes: u64,
    },
}

/// Cuts bytes into lines. A line ends with `\n` or `\r\n`, or where the bytes end; it holds at most
/// as many bytes as a payload, and what is longer is passed over without being held.
#[derive(Debug, Default)]
pub(crate) struct LineCutter {
    partial: Vec<u8>,
    /// How long the line is so far, with what was passed over.
    bytes: u64,
}

impl LineCutter {
    /// Takes bytes up to the end of a line. Returns how many it took, and the line if that is whole.
    pub(crate) fn cut(&mut self, piece: &[u8]) -> (usize, Option<Line>) {
        let end = piece.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(piece.len());
        self.keep(piece.get(..taken).unwrap_or_default());
        match end {
            Some(end) => (end + 1, Some(self.whole())),
            None => (taken, None),
        }
    }

    /// The last line, which nothing ends.
    pub(crate) fn finish(&mut self) -> Option<Line> {
        (self.bytes > 0).then(|| self.whole())
    }

    fn keep(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        // One more than a payload, for the `\r` of an end.
        if self.bytes <= PAYLOAD_BYTES_MAX as u64 + 1 {
            self.partial.extend_from_slice(piece);
        } else {
            let room = BEGINNING_BYTES_MAX.saturating_sub(self.partial.len());
            self.partial.extend(piece.iter().take(room));
            self.partial.truncate(BEGINNING_BYTES_MAX);
            self.partial.shrink_to(BEGINNING_BYTES_MAX);
        }
    }

    fn whole(&mut self) -> Line {
        let bytes = std::mem::take(&mut self.bytes);
        let mut line = std::mem::take(&mut self.partial);
        if line.len() as u64 == bytes && line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() > PAYLOAD_BYTES_MAX || bytes > PAYLOAD_BYTES_MAX as u64 + 1 {
            line.truncate(BEGINNING_BYTES_MAX);
            return Line::TooLong {
                beginning: line,
                bytes,
            };
        }
        Line::Whole(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a text that comes in pieces of this many bytes.
    fn lines(text: &[u8], piece_bytes: usize) -> Vec<Line> {
        let mut cutter = LineCutter::default();
        let mut lines = Vec::new();
        for mut piece in text.chunks(piece_bytes) {
            while !piece.is_empty() {
                let (taken, line) = cutter.cut(piece);
                lines.extend(line);
                piece = &piece[taken..];
            }
        }
        lines.extend(cutter.finish());
        lines
    }

    #[test]
    fn lines_are_the_same_whatever_the_pieces() {
        let text = b"one\r\n\ntwo\rhalf\nlast";
        let expected: Vec<_> = [&b"one"[..], b"", b"two\rhalf", b"last"]
            .map(|line| Line::Whole(line.to_vec()))
            .into();
        for piece_bytes in 1..=text.len() {
            assert_eq!(lines(text, piece_bytes), expected, "{piece_bytes}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_whole() {
        let mut text = vec![b'a'; PAYLOAD_BYTES_MAX + 10];
        text.extend_from_slice(b"\nnext\n");
        let found = lines(&text, 1 << 20);
        let Line::TooLong { beginning, bytes } = &found[0] else {
            panic!("it is too long");
        };
        assert_eq!(*bytes, PAYLOAD_BYTES_MAX as u64 + 10);
        assert_eq!(beginning.len(), BEGINNING_BYTES_MAX);
        assert_eq!(found[1], Line::Whole(b"next".to_vec()));
    }

    #[test]
    fn the_longest_line_that_fits_is_taken_however_it_ends() {
        for end in ["", "\n", "\r\n"] {
            let mut text = vec![b'a'; PAYLOAD_BYTES_MAX];
            text.extend_from_slice(end.as_bytes());
            let found = lines(&text, 1 << 20);
            assert!(matches!(&found[0], Line::Whole(line) if line.len() == PAYLOAD_BYTES_MAX));
        }
    }
}
