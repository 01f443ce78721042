//! Comma-separated values with a line of column names.

use std::collections::{HashSet, VecDeque};
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use super::limits::RECORD_BYTES_MAX;
use super::place::{Fault, Malformed, Place};
use super::record::{Body, Record, not_utf8};

/// Reads the rows of a table whose first line names the columns.
pub struct CsvReader<R> {
    rows: csv::Reader<Watched<R>>,
    columns: Arc<[String]>,
    row: csv::ByteRecord,
    count: u64,
}

impl<R: BufRead> CsvReader<R> {
    /// A reader past the column names.
    ///
    /// # Errors
    /// [`Fault`] when the names cannot be read or one stands twice.
    pub fn new(reader: R, delimiter: u8) -> Result<Self, Fault> {
        let mut rows = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .from_reader(Watched::new(reader));
        let place = Place {
            line: Some(1),
            ..Place::default()
        };
        let refuse = |problem: String| Malformed::new(place, problem, b"").at_an_end();
        let columns: Arc<[String]> = match rows.headers() {
            Ok(names) => names.iter().map(str::to_owned).collect(),
            Err(error) => return Err(fault(error, place, &csv::ByteRecord::new())),
        };
        let mut seen = HashSet::new();
        if let Some(twice) = columns.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(refuse(format!("two columns are named {twice:?}")).into());
        }
        Ok(Self {
            rows,
            columns,
            row: csv::ByteRecord::new(),
            count: 0,
        })
    }

    /// The names of the columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The next row; none at the end.
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, Fault> {
        self.rows.get_mut().left = RECORD_BYTES_MAX;
        let begin = self.rows.position().byte();
        let read = self.rows.read_byte_record(&mut self.row);
        let line = self.rows.get_mut().line_at(begin);
        let place = Place {
            record: self.count + 1,
            line: Some(line),
            ..Place::default()
        };
        match read {
            Ok(false) => return Ok(None),
            Ok(true) => self.count += 1,
            Err(error) => {
                self.count += 1;
                return Err(fault(error, place, &self.row));
            }
        }
        let mut values = Vec::with_capacity(self.columns.len());
        for value in &self.row {
            match std::str::from_utf8(value) {
                Ok(text) => values.push(text.to_owned()),
                Err(error) => {
                    let text = joined(&self.row);
                    let before = text.len().min(error.valid_up_to());
                    let at =
                        std::str::from_utf8(&text).map_or_else(|e| e.valid_up_to(), |_| before);
                    return Err(not_utf8(place, at, &text).into());
                }
            }
        }
        let columns = Arc::clone(&self.columns);
        Ok(Some(Record {
            place,
            body: Body::Row { columns, values },
        }))
    }
}

fn joined(row: &csv::ByteRecord) -> Vec<u8> {
    row.iter().collect::<Vec<_>>().join(&b',')
}

fn fault(error: csv::Error, place: Place, row: &csv::ByteRecord) -> Fault {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let problem =
                format!("the row is longer than {RECORD_BYTES_MAX} bytes: is a quote open?");
            Malformed::new(place, problem, b"").at_an_end().into()
        }
        csv::ErrorKind::Io(error) => error.into(),
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            let problem = format!("the row has {len} values, the first line names {expected_len}");
            Malformed::new(place, problem, &joined(row)).into()
        }
        csv::ErrorKind::Utf8 { .. } => Malformed::new(place, "the column names are no UTF-8", b"")
            .at_an_end()
            .into(),
        _ => Malformed::new(place, "the row cannot be read", b"")
            .at_an_end()
            .into(),
    }
}

/// Watches the bytes that the parser reads: ends a row that never ends, as one whose quote was not
/// closed, and knows at which line each byte stands. The parser's own count is behind by the empty
/// lines before a row, and by one where lines end with CR LF.
struct Watched<R> {
    reader: R,
    left: usize,
    read: u64,
    line: u64,
    /// Where CR and LF stand, from the last row on, and whether it is an LF.
    ends: VecDeque<(u64, bool)>,
}

impl<R> Watched<R> {
    const fn new(reader: R) -> Self {
        Self {
            reader,
            left: RECORD_BYTES_MAX,
            read: 0,
            line: 1,
            ends: VecDeque::new(),
        }
    }

    /// The line of the first byte from `offset` on that ends no line. Offsets must ascend.
    fn line_at(&mut self, mut offset: u64) -> u64 {
        while let Some((end, is_lf)) = self.ends.pop_front_if(|(end, _)| *end <= offset) {
            self.line += u64::from(is_lf);
            offset += u64::from(end == offset);
        }
        self.line
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        for (offset, byte) in (self.read..).zip(buffer.iter().take(count)) {
            if matches!(byte, b'\n' | b'\r') {
                self.ends.push_back((offset, *byte == b'\n'));
            }
        }
        self.read += count as u64;
        Ok(count)
    }
}

impl<R> std::fmt::Debug for CsvReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvReader")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(csv: &[u8], expect: &[&str]) {
        let mut reader = match CsvReader::new(csv, b',') {
            Ok(reader) => reader,
            Err(error) => return assert_eq!([error.to_string().as_str()], *expect),
        };
        let mut found = Vec::new();
        loop {
            match reader.next_record() {
                Ok(None) => break,
                Ok(Some(Record {
                    body: Body::Row { values, .. },
                    place,
                })) => {
                    found.push(format!("{place}: {}", values.join("|")));
                }
                Ok(Some(other)) => panic!("{other:?}"),
                Err(Fault::Malformed(fault)) => {
                    found.push(format!("{}: {}", fault.place, fault.problem));
                }
                Err(Fault::Io(error)) => panic!("{error}"),
            }
        }
        assert_eq!(found, expect);
    }

    #[test]
    fn rows_keep_every_character() {
        check(
            b"zip,city\n00501,\"Holts, ville\"\r\n\n00544,\"a\nb\"\n1,",
            &["2: 00501|Holts, ville", "4: 00544|a\nb", "6: 1|"],
        );
        check(b"\xef\xbb\xbfa,b\n1,2\n", &["2: 1|2"]);
        check(b"a,b\n", &[]);
        check(b"", &[]);
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        check(b"a\r\n1\r\n2\r\n", &["2: 1", "3: 2"]);
        check(b"a\n\n\n1\n\n2", &["4: 1", "6: 2"]);
        check(b"a\r\n\"x\r\ny\"\r\n\r\n2", &["2: x\r\ny", "5: 2"]);
        check(b"\n\na\n1\n", &["4: 1"]);
    }

    #[test]
    fn uneven_rows_are_refused_and_the_next_one_read() {
        check(
            b"a,b\n1\n1,2,3\n4,5\n",
            &[
                "2: the row has 1 values, the first line names 2",
                "3: the row has 3 values, the first line names 2",
                "4: 4|5",
            ],
        );
    }

    #[test]
    fn what_is_no_text_is_refused() {
        check(
            b"a,b\n1,\xff\n4,5\n",
            &["2:3: the text is no UTF-8: byte ff stands here", "3: 4|5"],
        );
        check(b"a,a\n1,2\n", &["two columns are named \"a\""]);
    }
}
