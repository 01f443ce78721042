//! The file of malformed records: one JSON object a line.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use efflux_node::import::Place;
use serde::Serialize;

use crate::exit::Failure;

/// Where malformed records go.
#[derive(Debug)]
pub(super) struct Rejects {
    path: PathBuf,
    file: BufWriter<File>,
}

#[derive(Serialize)]
struct Rejected<'a> {
    file: &'a str,
    record: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    error: &'a str,
    text: &'a str,
}

impl Rejects {
    /// Makes the file; one that was there is replaced.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path)
            .map_err(|error| Failure::io(&format!("cannot make {}", path.display()), &error))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
        })
    }

    /// Adds a record.
    pub(super) fn add(
        &mut self,
        file: &str,
        place: Place,
        error: &str,
        text: &str,
    ) -> Result<(), Failure> {
        let Place {
            record,
            line,
            column,
            offset,
        } = place;
        let rejected = Rejected {
            file,
            record,
            line,
            column,
            offset,
            error,
            text,
        };
        serde_json::to_writer(&mut self.file, &rejected)
            .map_err(io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"))
            .map_err(|error| self.failed(&error))
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.file.flush().map_err(|error| self.failed(&error))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::io(&format!("cannot write {}", self.path.display()), error)
    }
}
