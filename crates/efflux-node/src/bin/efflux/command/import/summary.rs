//! What an import did.

use std::path::Path;
use std::time::Instant;

use efflux_node::storage::Topic;
use serde::Serialize;

use crate::Outcome;
use crate::exit::{Exit, Failure};
use crate::output::{OutputFormat, Printer, grouped, note};

/// Counts what an import does.
#[derive(Debug)]
pub(super) struct Summary {
    begin: Instant,
    files: Vec<String>,
    imported: u64,
    already_there: u64,
    rejected: u64,
}

#[derive(Serialize)]
struct Printed<'a> {
    topic: &'a str,
    files: &'a [String],
    imported: u64,
    already_there: u64,
    rejected: u64,
    seconds: f64,
    per_second: u64,
    sequence: u64,
    fingerprint: String,
    complete: bool,
}

impl Summary {
    pub(super) fn begin() -> Self {
        let (imported, already_there, rejected) = (0, 0, 0);
        Self {
            begin: Instant::now(),
            files: Vec::new(),
            imported,
            already_there,
            rejected,
        }
    }

    pub(super) fn begin_file(&mut self, label: &str) {
        self.files.push(label.to_owned());
    }

    pub(super) fn count(&mut self, imported: usize, already_there: usize) {
        self.imported += imported as u64;
        self.already_there += already_there as u64;
    }

    pub(super) fn reject(&mut self) {
        self.rejected += 1;
    }

    /// Records that are in the topic now.
    pub(super) const fn appended(&self) -> u64 {
        self.imported + self.already_there
    }

    /// Prints it: one JSON object on standard output, or lines on standard error.
    pub(super) fn print(
        &self,
        printer: &mut Printer,
        topic: &Topic,
        outcome: &Outcome,
        rejects: Option<&Path>,
    ) -> Result<(), Failure> {
        let seconds = self.begin.elapsed().as_secs_f64();
        let nanos = self.begin.elapsed().as_nanos().max(1);
        let per_second = u128::from(self.appended()) * 1_000_000_000 / nanos;
        let per_second = u64::try_from(per_second).unwrap_or(u64::MAX);
        let head = topic.head();
        if printer.format() == OutputFormat::Json {
            let printed = Printed {
                topic: topic.name().as_str(),
                files: &self.files,
                imported: self.imported,
                already_there: self.already_there,
                rejected: self.rejected,
                seconds,
                per_second,
                sequence: head.sequence.get(),
                fingerprint: head.fingerprint.to_string(),
                complete: matches!(outcome, Ok(Exit::Success)),
            };
            printer.result(&printed, "")?;
            return Ok(printer.flush()?);
        }
        note(&format!(
            "imported {} into {}, {} already there, {} rejected, {seconds:.2} s ({}/s)\n  head {head}",
            grouped(self.imported),
            topic.name(),
            grouped(self.already_there),
            grouped(self.rejected),
            grouped(per_second),
        ));
        if let Some(path) = rejects.filter(|_| self.rejected > 0) {
            note(&format!("  the rejected records are in {}", path.display()));
        }
        match outcome {
            Ok(Exit::Interrupted) => {
                note("interrupted: the same command goes on from here, and adds nothing twice");
            }
            Err(_) => note("the same command goes on from here, and adds nothing twice"),
            Ok(_) if self.imported == 0 && self.already_there > 0 => {
                note("  all of it was there already; other records need another --source or --id");
            }
            Ok(_) => {}
        }
        Ok(())
    }
}
