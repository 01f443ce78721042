//! Looks at files of pipelines: `check`, `test` and `schema`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use efflux_node::pipeline::declared::{Document, TestReport};
use efflux_node::pipeline::file::{Fault, fault_at};
use serde_json::json;

use super::{Test, examined, read};
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::OutputFormat;

/// Tells all that is wrong with all files.
pub(super) fn check(context: &Context, files: &[PathBuf]) -> Outcome {
    let is_json = context.global.output == OutputFormat::Json;
    let mut exit = Exit::Success;
    // The pipelines, and the file that declares each.
    let mut declared: BTreeMap<String, &Path> = BTreeMap::new();
    for path in files {
        let faults = match examined(path) {
            Ok(Ok(document)) => {
                let faults = declared_twice(&document, path, &mut declared);
                if faults.is_empty() && !is_json {
                    let names: Vec<_> = document.names().collect();
                    let names = match names.is_empty() {
                        true => "it declares no pipeline".to_owned(),
                        false => names.join(", "),
                    };
                    writeln!(stdout().lock(), "{}: right ({names})", path.display())?;
                }
                faults
            }
            Ok(Err(faults)) => faults,
            Err(unreadable) => {
                unreadable.print(context.global.output);
                exit = Exit::Usage;
                continue;
            }
        };
        for fault in faults {
            exit = Exit::Usage;
            tell_fault(path, &fault, is_json)?;
        }
    }
    stdout().lock().flush()?;
    Ok(exit)
}

/// Pipelines of a file that another one declares too: they would be one consumer.
fn declared_twice<'a>(
    document: &Document,
    path: &'a Path,
    declared: &mut BTreeMap<String, &'a Path>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for name in document.names() {
        match declared.entry(name.to_owned()) {
            Entry::Vacant(place) => {
                place.insert(path);
            }
            Entry::Occupied(other) => {
                let what = format!("{} declares pipeline {name} too", other.get().display());
                let way = ["pipeline".into(), name.into()];
                faults.push(fault_at(document.text(), &way, None, what));
            }
        }
    }
    faults
}

fn tell_fault(path: &Path, fault: &Fault, is_json: bool) -> std::io::Result<()> {
    let Fault {
        line, column, what, ..
    } = fault;
    let file = path.display();
    let mut out = stdout().lock();
    if is_json {
        let file = file.to_string();
        let told = json!({ "file": file, "line": line, "column": column, "message": what });
        return writeln!(out, "{told}");
    }
    writeln!(out, "{file}:{line}:{column}: {what}")
}

/// Tries the examples of all files.
pub(super) async fn test(context: &Context, arguments: &Test) -> Outcome {
    let is_json = context.global.output == OutputFormat::Json;
    let (mut passed, mut failed) = (0, 0);
    for path in &arguments.files {
        let document = read(path)?;
        for report in document.test(arguments.only.as_deref()).await {
            let is_well = report.faults.is_empty();
            if is_well {
                passed += 1;
            } else {
                failed += 1;
            }
            let file = path.display().to_string();
            match is_json {
                true => tell_json(&file, &report)?,
                false => tell(&file, &report, arguments.trace || !is_well)?,
            }
        }
    }
    if !is_json {
        let mut out = stdout().lock();
        writeln!(out, "{passed} passed, {failed} failed")?;
        out.flush()?;
    }
    match (passed, failed) {
        (0, 0) => Err(Failure::usage("there is no example to try")
            .with_try("[[test]] with name, pipeline, input and expect declares one")),
        (_, 0) => Ok(Exit::Success),
        _ => Ok(Exit::Failure),
    }
}

fn tell(file: &str, report: &TestReport, with_trace: bool) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let how = if report.faults.is_empty() {
        "ok"
    } else {
        "FAILED"
    };
    writeln!(out, "{how:6} {}", report.name)?;
    for fault in &report.faults {
        let Fault {
            line, column, what, ..
        } = fault;
        writeln!(out, "       {file}:{line}:{column}: {what}")?;
    }
    if with_trace {
        for step in &report.trace {
            writeln!(out, "       after {step}")?;
        }
    }
    Ok(())
}

fn tell_json(file: &str, report: &TestReport) -> Result<(), Failure> {
    let faults: Vec<_> = report
        .faults
        .iter()
        .map(|fault| json!({ "line": fault.line, "column": fault.column, "message": fault.what }))
        .collect();
    let told = json!({ "file": file, "name": report.name, "passed": faults.is_empty(),
        "faults": faults, "trace": report.trace });
    writeln!(stdout().lock(), "{told}")?;
    Ok(())
}

/// Prints the JSON schema.
pub(super) fn schema() -> Outcome {
    let text = serde_json::to_string_pretty(&Document::schema());
    let text = text.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    writeln!(stdout().lock(), "{text}")?;
    Ok(Exit::Success)
}
