//! Looks at files of pipelines: `check`, `test` and `schema`.

use std::io::Write;
use std::path::PathBuf;

use efflux_node::pipeline::declared::{Document, TestReport};
use efflux_node::pipeline::file::Fault;
use serde_json::json;

use super::{Test, read, variable};
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::OutputFormat;

/// Tells all that is wrong with all files.
pub(super) fn check(context: &Context, files: &[PathBuf]) -> Outcome {
    let mut out = std::io::stdout().lock();
    let is_json = context.global.output == OutputFormat::Json;
    let mut exit = Exit::Success;
    for path in files {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| Failure::io(&path.display().to_string(), &error))?;
        let read = Document::read(&text, &variable);
        let faults = read.as_ref().err().map_or(&[][..], Vec::as_slice);
        for fault in faults {
            exit = Exit::Usage;
            let Fault {
                line, column, what, ..
            } = fault;
            let file = path.display();
            if is_json {
                let told = json!({ "file": file.to_string(), "line": line, "column": column,
                    "message": what });
                writeln!(out, "{told}")?;
            } else {
                writeln!(out, "{file}:{line}:{column}: {what}")?;
            }
        }
        if let (Ok(document), false) = (&read, is_json) {
            let names: Vec<_> = document.names().collect();
            writeln!(out, "{}: right ({})", path.display(), names.join(", "))?;
        }
    }
    out.flush()?;
    Ok(exit)
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
        let mut out = std::io::stdout().lock();
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
    let mut out = std::io::stdout().lock();
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
    writeln!(std::io::stdout().lock(), "{told}")?;
    Ok(())
}

/// Prints the JSON schema.
pub(super) fn schema() -> Outcome {
    let text = serde_json::to_string_pretty(&Document::schema());
    let text = text.map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(Exit::Success)
}
