//! Finds where JSON values begin and end in a file of any size, without understanding them.

use std::io::{self, BufRead};

use super::limits::RECORD_BYTES_MAX;

/// Walks over a JSON text, value by value, and knows the line and column it is at.
#[derive(Debug)]
pub(super) struct Scanner<R> {
    reader: R,
    line: u64,
    column: u64,
}

/// How a value ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The value is whole.
    Whole,
    /// The file ended within it.
    File,
    /// It is longer than [`RECORD_BYTES_MAX`]; the scanner stands after it all the same.
    TooLong,
}

/// Where within a value the scanner is.
#[derive(Debug, Default)]
struct Inside {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    is_begun: bool,
    space_before: bool,
}

/// What a byte means for the value it stands in.
enum Step {
    Take,
    Space,
    TakeAndEnd,
    EndBefore,
}

impl<R: BufRead> Scanner<R> {
    /// A scanner at the beginning of a file; a byte order mark is passed over.
    pub(super) const fn new(reader: R) -> Self {
        Self {
            reader,
            line: 1,
            column: 1,
        }
    }

    /// The line and column of the next byte, both 1 at the beginning.
    pub(super) const fn position(&self) -> (u64, u64) {
        (self.line, self.column)
    }

    /// What is buffered of the file from here on.
    pub(super) fn beginning(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    /// Passes over `count` bytes that were looked at before.
    pub(super) fn pass(&mut self, count: usize) {
        self.reader.consume(count);
    }

    /// The next byte that is no white space, which stays where it is.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let space = buffer.iter().position(|byte| !is_space(*byte));
            let (mut line, mut column) = (self.line, self.column);
            for byte in buffer
                .get(..space.unwrap_or(buffer.len()))
                .unwrap_or_default()
            {
                advance(*byte, &mut line, &mut column);
            }
            let found = space.and_then(|at| buffer.get(at).copied());
            let used = space.unwrap_or(buffer.len());
            (self.line, self.column) = (line, column);
            self.reader.consume(used);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Takes the next byte that is no white space if it is `expected`.
    pub(super) fn take(&mut self, expected: u8) -> io::Result<bool> {
        let is_there = self.peek()? == Some(expected);
        if is_there {
            self.reader.consume(1);
            self.column += 1;
        }
        Ok(is_there)
    }

    /// Passes over the next value; with `into`, its text without the white space between tokens.
    pub(super) fn value(&mut self, mut into: Option<&mut Vec<u8>>) -> io::Result<End> {
        self.peek()?;
        let (mut inside, mut is_too_long) = (Inside::default(), false);
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                let is_whole = inside.is_begun && inside.depth == 0 && !inside.in_string;
                return Ok(if is_whole { End::Whole } else { End::File });
            }
            let (mut used, mut is_ended) = (0, false);
            for byte in buffer {
                let step = inside.step(*byte);
                if matches!(step, Step::EndBefore) {
                    is_ended = true;
                    break;
                }
                used += 1;
                advance(*byte, &mut self.line, &mut self.column);
                if !matches!(step, Step::Space)
                    && let Some(text) = &mut into
                {
                    if text.len() < RECORD_BYTES_MAX {
                        inside.put(*byte, text);
                    } else {
                        is_too_long = true;
                    }
                }
                if matches!(step, Step::TakeAndEnd) {
                    is_ended = true;
                    break;
                }
            }
            self.reader.consume(used);
            if is_ended {
                return Ok(if is_too_long {
                    End::TooLong
                } else {
                    End::Whole
                });
            }
        }
    }
}

impl Inside {
    fn step(&mut self, byte: u8) -> Step {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.in_string = false;
                    return if self.depth == 0 {
                        Step::TakeAndEnd
                    } else {
                        Step::Take
                    };
                }
                _ => {}
            }
            return Step::Take;
        }
        match byte {
            _ if is_space(byte) && self.depth == 0 => return Step::EndBefore,
            _ if is_space(byte) => {
                self.space_before = true;
                return Step::Space;
            }
            b',' | b':' | b'}' | b']' if self.depth == 0 => return Step::EndBefore,
            b'"' if self.depth == 0 && self.is_begun => return Step::EndBefore,
            b'{' | b'[' if self.depth == 0 && self.is_begun => return Step::EndBefore,
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                return if self.depth == 0 {
                    Step::TakeAndEnd
                } else {
                    Step::Take
                };
            }
            _ => {}
        }
        self.is_begun = true;
        Step::Take
    }

    /// Adds a byte to the text. White space between two words stays as one space, so that `1 2`,
    /// which is no JSON, does not become `12`, which is.
    fn put(&mut self, byte: u8, text: &mut Vec<u8>) {
        let is_word = |byte: &u8| !matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"');
        if self.space_before && is_word(&byte) && text.last().is_some_and(is_word) {
            text.push(b' ');
        }
        self.space_before = false;
        text.push(byte);
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const fn advance(byte: u8, line: &mut u64, column: &mut u64) {
    if byte == b'\n' {
        *line += 1;
        *column = 1;
    } else {
        *column += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expect: &str, rest: &str) {
        for capacity in [1, 2, 7, 4096] {
            let mut scanner = Scanner::new(io::BufReader::with_capacity(capacity, json.as_bytes()));
            let mut text = Vec::new();
            assert_eq!(
                scanner.value(Some(&mut text)).unwrap(),
                End::Whole,
                "{json}"
            );
            assert_eq!(String::from_utf8(text).unwrap(), expect);
            let mut left = String::new();
            io::Read::read_to_string(&mut scanner.reader, &mut left).unwrap();
            assert_eq!(left, rest, "{json}");
        }
    }

    #[test]
    fn values_end_where_json_ends_them() {
        check(" {\"a\" : [1, {}]} ,", "{\"a\":[1,{}]}", " ,");
        check("\"a]\\\"}\", 2", "\"a]\\\"}\"", ", 2");
        check("12,3", "12", ",3");
        check("true", "true", "");
        check("[]\n[]", "[]", "\n[]");
        check("{\"a b\": \"c  d\"}", "{\"a b\":\"c  d\"}", "");
    }

    #[test]
    fn words_are_not_joined() {
        check("[1 2, tr ue]", "[1 2,tr ue]", "");
    }

    #[test]
    fn lines_and_columns_are_counted() {
        let mut scanner = Scanner::new(&b"{\"a\":\n 1}\n  7"[..]);
        scanner.value(None).unwrap();
        assert_eq!(scanner.position(), (2, 4));
        scanner.peek().unwrap();
        assert_eq!(scanner.position(), (3, 3));
    }

    #[test]
    fn a_file_that_ends_early_is_noticed() {
        for json in ["{\"a\":", "\"a", "[1,[2]", ""] {
            assert_eq!(
                Scanner::new(json.as_bytes()).value(None).unwrap(),
                End::File,
                "{json}"
            );
        }
    }
}
