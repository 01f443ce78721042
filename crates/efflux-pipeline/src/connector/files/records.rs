//! The records of a file, one after the other.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Take};

use bytes::Bytes;
use efflux_storage::particle::limits::PAYLOAD_BYTES_MAX;
use serde::de::IgnoredAny;

use super::identity::Identity;
use super::limits::READ_BYTES;
use super::rows::Rows;
use super::settings::FilesForm;
use crate::byte_order_mark::without_byte_order_mark;
use crate::connector::line_cutter::{Line, LineCutter};

/// A part of a file that becomes one message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The line or row, from 1 on; 0 for the whole file.
    pub(super) number: u64,
    pub(super) payload: Bytes,
    /// Why it can be no message as it is.
    pub(super) refused: Option<String>,
}

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Next {
    Record(Record),
    End,
    /// The file is another one than when it was opened.
    Changed,
}

/// The records of one version of a file. Nothing that was written since is read, and what is held of
/// the file is at most one record.
#[derive(Debug)]
pub(super) struct Records {
    source: Source,
    form: Form,
    identity: Identity,
    has_ended: bool,
}

type Source = BufReader<Take<File>>;

#[derive(Debug)]
enum Form {
    Whole,
    Lines {
        cutter: LineCutter,
        number: u64,
        are_json: bool,
    },
    Rows(Box<Rows>),
}

impl Records {
    pub(super) fn new(file: File, identity: Identity, form: &FilesForm) -> Self {
        let source = BufReader::with_capacity(READ_BYTES, file.take(identity.bytes));
        let lines = |are_json| Form::Lines {
            cutter: LineCutter::default(),
            number: 0,
            are_json,
        };
        let form = match form {
            FilesForm::Whole => Form::Whole,
            FilesForm::Lines => lines(false),
            FilesForm::Json => lines(true),
            FilesForm::Csv { separator } => Form::Rows(Box::new(Rows::new(*separator))),
        };
        Self {
            source,
            form,
            identity,
            has_ended: false,
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Next> {
        if self.has_ended {
            return self.end();
        }
        let record = match &mut self.form {
            Form::Whole => {
                self.has_ended = true;
                let whole = whole(&mut self.source, self.identity)?;
                return Ok(match self.is_same()? {
                    true => Next::Record(whole),
                    false => Next::Changed,
                });
            }
            Form::Lines {
                cutter,
                number,
                are_json,
            } => next_line(&mut self.source, cutter, number, *are_json)?,
            Form::Rows(rows) => rows.next(&mut self.source)?.map(|record| (record, true)),
        };
        match record {
            Some((record, true)) => Ok(Next::Record(record)),
            // The last line is whole only when the file was not cut off meanwhile.
            Some((record, false)) if self.is_same()? => Ok(Next::Record(record)),
            _ => self.end(),
        }
    }

    fn end(&mut self) -> io::Result<Next> {
        self.has_ended = true;
        Ok(match self.is_same()? {
            true => Next::End,
            false => Next::Changed,
        })
    }

    fn is_same(&self) -> io::Result<bool> {
        let metadata = self.source.get_ref().get_ref().metadata()?;
        Ok(Identity::of(&metadata) == self.identity)
    }
}

fn whole(source: &mut Source, identity: Identity) -> io::Result<Record> {
    let mut payload = Vec::new();
    let mut refused = None;
    if identity.bytes > PAYLOAD_BYTES_MAX as u64 {
        refused = Some(format!(
            "the file has {} bytes, at most {PAYLOAD_BYTES_MAX} fit into one message",
            identity.bytes
        ));
    } else {
        source.read_to_end(&mut payload)?;
    }
    Ok(Record {
        number: 0,
        payload: payload.into(),
        refused,
    })
}

/// The next line that is not empty, and whether something ended it.
fn next_line(
    source: &mut impl BufRead,
    cutter: &mut LineCutter,
    number: &mut u64,
    is_json: bool,
) -> io::Result<Option<(Record, bool)>> {
    loop {
        let piece = source.fill_buf()?;
        let is_end = piece.is_empty();
        let line = match is_end {
            true => cutter.finish(),
            false => {
                let (taken, line) = cutter.cut(piece);
                source.consume(taken);
                line
            }
        };
        let Some(line) = line else {
            match is_end {
                true => return Ok(None),
                false => continue,
            }
        };
        *number += 1;
        match line {
            Line::Whole(line) if line.is_empty() => {}
            line => return Ok(Some((of_line(line, *number, is_json), !is_end))),
        }
    }
}

fn of_line(line: Line, number: u64, is_json: bool) -> Record {
    let (payload, refused) = match line {
        Line::TooLong { beginning, bytes } => {
            let why = format!(
                "line {number} has {bytes} bytes, at most {PAYLOAD_BYTES_MAX} fit into one message"
            );
            (beginning, Some(why))
        }
        Line::Whole(mut line) => {
            if number == 1 {
                line.drain(..line.len() - without_byte_order_mark(&line).len());
            }
            let fault = match is_json {
                true => serde_json::from_slice::<IgnoredAny>(&line).err(),
                false => None,
            };
            let why = fault.map(|error| format!("line {number} is no JSON: {error}"));
            (line, why)
        }
    };
    Record {
        number,
        payload: payload.into(),
        refused,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The payloads of a file, those that are refused with `!` and the reason.
    fn check(form: &FilesForm, text: &str, expect: &[&str]) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let identity = Identity::of(&file.metadata().unwrap());
        let mut records = Records::new(file, identity, form);
        let mut found = Vec::new();
        while let Next::Record(record) = records.next().unwrap() {
            found.push(match record.refused {
                Some(why) => format!("!{why}"),
                None => String::from_utf8(record.payload.into()).unwrap(),
            });
        }
        assert_eq!(found, expect);
    }

    #[test]
    fn a_whole_file_is_one_record_even_when_it_is_empty() {
        check(&FilesForm::Whole, "a\nb\n", &["a\nb\n"]);
        check(&FilesForm::Whole, "", &[""]);
    }

    #[test]
    fn each_line_is_a_record_and_empty_ones_are_left_out() {
        check(&FilesForm::Lines, "a\r\n\n\nb\nlast", &["a", "b", "last"]);
        check(&FilesForm::Lines, "", &[]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        check(
            &FilesForm::Lines,
            "\u{feff}a\n\u{feff}b",
            &["a", "\u{feff}b"],
        );
        check(&FilesForm::Json, "\u{feff}{}\n[1]", &["{}", "[1]"]);
    }

    #[test]
    fn a_line_that_is_no_json_is_refused_and_the_next_is_taken() {
        let refused = "!line 2 is no JSON: expected ident at line 1 column 2";
        check(
            &FilesForm::Json,
            "{\"a\":1}\nno\n[2]",
            &["{\"a\":1}", refused, "[2]"],
        );
    }

    #[test]
    fn a_row_that_is_refused_is_kept_as_a_row() {
        let text = "a;b\n1;\"x \"\"y\"\";z\";3\n";
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let identity = Identity::of(&file.metadata().unwrap());
        let form = FilesForm::Csv { separator: ';' };
        let mut records = Records::new(file, identity, &form);
        let Next::Record(record) = records.next().unwrap() else {
            panic!("there is a row");
        };
        assert!(record.refused.unwrap().contains("3 fields"));
        assert_eq!(record.payload, "1;\"x \"\"y\"\";z\";3");
    }

    #[test]
    fn rows_are_json_objects_named_by_the_first() {
        let csv = |separator| FilesForm::Csv { separator };
        let text = "name,note\nann,\"a \"\"b\"\"\nc\"\nbob,\n";
        let expect = [
            "{\"name\":\"ann\",\"note\":\"a \\\"b\\\"\\nc\"}",
            "{\"name\":\"bob\",\"note\":\"\"}",
        ];
        check(&csv(','), text, &expect);
        check(&csv(';'), "z;a\r\n1;2\r\n", &["{\"z\":\"1\",\"a\":\"2\"}"]);
        check(&csv(','), "\u{feff}a\n1\n", &["{\"a\":\"1\"}"]);
        check(&csv(','), "a,b\n", &[]);
        check(&csv(','), "", &[]);
    }

    #[test]
    fn rows_that_do_not_fit_the_first_are_refused_and_the_next_is_taken() {
        let form = FilesForm::Csv { separator: ',' };
        let refused = "!row 1 has 3 fields, the first row names 2";
        check(
            &form,
            "a,b\n1,2,3\n1,2\n",
            &[refused, "{\"a\":\"1\",\"b\":\"2\"}"],
        );
        let twice = "!two columns are called \"a\"";
        check(&form, "a,a\n1,2\n1,2\n", &[twice]);
    }
}
