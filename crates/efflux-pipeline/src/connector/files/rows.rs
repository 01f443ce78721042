//! The rows of a CSV file, as JSON objects.

use std::collections::HashSet;
use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use efflux_storage::particle::limits::PAYLOAD_BYTES_MAX;

use super::limits::{COLUMNS_MAX, READ_BYTES};
use super::records::Record;

/// The rows of a CSV file, as JSON objects whose names are in the first row. It holds one row, of at
/// most as many bytes as a payload; what is longer is passed over without being held.
#[derive(Debug)]
pub(super) struct Rows {
    reader: Reader,
    separator: u8,
    columns: Option<Vec<String>>,
    /// The fields of the row, one after the other.
    text: Vec<u8>,
    text_bytes: usize,
    /// Where each field ends in the text.
    ends: Vec<usize>,
    fields: usize,
    is_too_long: bool,
    number: u64,
    has_ended: bool,
}

impl Rows {
    pub(super) fn new(separator: char) -> Self {
        let separator = u8::try_from(separator).unwrap_or(b',');
        Self {
            reader: ReaderBuilder::new().delimiter(separator).build(),
            separator,
            columns: None,
            text: vec![0; READ_BYTES],
            text_bytes: 0,
            ends: vec![0; COLUMNS_MAX],
            fields: 0,
            is_too_long: false,
            number: 0,
            has_ended: false,
        }
    }

    /// The next row; none when there are no more, or when the first row names no columns.
    pub(super) fn next(&mut self, source: &mut impl BufRead) -> io::Result<Option<Record>> {
        if self.columns.is_none() {
            if !self.read(source)? {
                return Ok(None);
            }
            match self.names() {
                Ok(names) => self.columns = Some(names),
                Err(why) => {
                    self.has_ended = true;
                    return Ok(Some(self.refused(why)));
                }
            }
        }
        if !self.read(source)? {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(match self.object() {
            Ok(payload) => Record {
                number: self.number,
                payload: payload.into(),
                refused: None,
            },
            Err(why) => self.refused(why),
        }))
    }

    /// The row as CSV, or its beginning, so that it can be mended.
    fn refused(&self, why: String) -> Record {
        let mut payload = Vec::new();
        for (at, field) in self.fields_as_bytes().enumerate() {
            if at > 0 {
                payload.push(self.separator);
            }
            let needs_quotes =
                |byte: &u8| matches!(byte, b'"' | b'\n' | b'\r') || *byte == self.separator;
            match field.iter().any(needs_quotes) {
                false => payload.extend_from_slice(field),
                true => {
                    payload.push(b'"');
                    for byte in field {
                        payload.extend(std::iter::repeat_n(*byte, 1 + usize::from(*byte == b'"')));
                    }
                    payload.push(b'"');
                }
            }
            if payload.len() > READ_BYTES {
                break;
            }
        }
        payload.truncate(READ_BYTES);
        Record {
            number: self.number,
            payload: payload.into(),
            refused: Some(why),
        }
    }

    /// Reads a row; tells whether there was one.
    fn read(&mut self, source: &mut impl BufRead) -> io::Result<bool> {
        (self.text_bytes, self.fields, self.is_too_long) = (0, 0, false);
        while !self.has_ended {
            let piece = source.fill_buf()?;
            let text = self.text.get_mut(self.text_bytes..).unwrap_or_default();
            let ends = self.ends.get_mut(self.fields..).unwrap_or_default();
            let (result, taken, written, ended) = self.reader.read_record(piece, text, ends);
            source.consume(taken);
            self.text_bytes += written;
            self.fields += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.text.len() < PAYLOAD_BYTES_MAX => {
                    let room = (self.text.len() * 2).min(PAYLOAD_BYTES_MAX);
                    self.text.resize(room, 0);
                }
                ReadRecordResult::OutputFull => {
                    self.is_too_long = true;
                    self.text_bytes = 0;
                }
                ReadRecordResult::OutputEndsFull => {
                    self.is_too_long = true;
                    self.fields = 0;
                }
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::End => self.has_ended = true,
            }
        }
        Ok(false)
    }

    fn fields_as_bytes(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.ends.get(..self.fields).unwrap_or_default();
        let begins = [0].into_iter().chain(ends.iter().copied());
        let places = begins.zip(ends);
        places.map(|(begin, end)| self.text.get(begin..*end).unwrap_or_default())
    }

    fn fields(&self) -> impl Iterator<Item = Result<&str, String>> {
        self.fields_as_bytes().enumerate().map(|(at, field)| {
            let told = |_| format!("field {} of row {} is no UTF-8", at + 1, self.number);
            std::str::from_utf8(field).map_err(told)
        })
    }

    fn names(&self) -> Result<Vec<String>, String> {
        if self.is_too_long {
            return Err(format!(
                "the first row names more than {COLUMNS_MAX} columns, or is longer than a message"
            ));
        }
        let names: Vec<_> = self
            .fields()
            .map(|name| name.map(ToOwned::to_owned))
            .collect::<Result<_, _>>()?;
        let mut seen = HashSet::new();
        match names.iter().find(|name| !seen.insert(name.as_str())) {
            Some(twice) => Err(format!("two columns are called {twice:?}")),
            None => Ok(names),
        }
    }

    fn object(&self) -> Result<Vec<u8>, String> {
        let names = self.columns.as_deref().unwrap_or_default();
        let number = self.number;
        if self.is_too_long {
            return Err(format!(
                "row {number} has more than {COLUMNS_MAX} fields or {PAYLOAD_BYTES_MAX} bytes"
            ));
        }
        if self.fields != names.len() {
            let (found, wanted) = (self.fields, names.len());
            return Err(format!(
                "row {number} has {found} fields, the first row names {wanted}"
            ));
        }
        let mut payload = Vec::with_capacity(self.text_bytes * 2);
        payload.push(b'{');
        for (name, field) in names.iter().zip(self.fields()) {
            if payload.len() > 1 {
                payload.push(b',');
            }
            for (text, end) in [(name.as_str(), Some(b':')), (field?, None)] {
                serde_json::to_writer(&mut payload, text).map_err(|error| error.to_string())?;
                payload.extend(end);
            }
        }
        payload.push(b'}');
        match payload.len() > PAYLOAD_BYTES_MAX {
            true => Err(format!(
                "row {number} has {} bytes as JSON, at most {PAYLOAD_BYTES_MAX} fit into one message",
                payload.len()
            )),
            false => Ok(payload),
        }
    }
}
