//! The file that is being read.

use std::io;

use super::limits::READ_ATTEMPTS_MAX;
use super::records::{Next, Record, Records};
use super::taken::TakenId;

/// The file that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) file: TakenId,
    records: Option<Records>,
    /// What comes before all else: a record that had no room in the last intake.
    held: Option<Record>,
    /// How often it could not be read.
    pub(super) failures: u32,
}

impl Reading {
    pub(super) const fn new(file: TakenId, records: Records, failures: u32) -> Self {
        Self {
            file,
            records: Some(records),
            held: None,
            failures,
        }
    }

    /// A file that cannot be read: all there is of it is that it is refused.
    pub(super) fn refused(file: TakenId, why: &io::Error) -> Self {
        Self {
            file,
            records: None,
            held: Some(unreadable(why)),
            failures: 0,
        }
    }

    /// Keeps a record for the next intake.
    pub(super) fn hold(&mut self, record: Record) {
        self.held = Some(record);
    }

    /// # Errors
    /// That of a file that may be read later. One that failed too often is refused from there on.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        if let Some(record) = self.held.take() {
            return Ok(Next::Record(record));
        }
        let Some(records) = &mut self.records else {
            return Ok(Next::End);
        };
        match records.next() {
            Err(error) if self.failures + 1 >= READ_ATTEMPTS_MAX => {
                self.records = None;
                Ok(Next::Record(unreadable(&error)))
            }
            next => next,
        }
    }
}

fn unreadable(why: &io::Error) -> Record {
    Record {
        number: 0,
        payload: bytes::Bytes::new(),
        refused: Some(format!("the file cannot be read: {why}")),
    }
}
