//! `cargo xtask ci`: everything that must hold before a change is taken, in one command.

mod steps;
mod summary;

use std::time::{Duration, Instant};

use crate::Result;
use crate::project::Project;
use steps::STEPS;
use summary::Tests;

pub(crate) const HELP: &str = "[--keep-going] [STEP...]: run all checks, or the named ones";

/// One check of CI.
struct Step {
    name: &'static str,
    run: fn(&Project) -> Result<Outcome>,
}

/// How a step that did not fail ended.
enum Outcome {
    Passed,
    /// The step could not be done and nothing is known to be wrong; the sentence says why.
    NotChecked(String),
    /// The tests passed; this is what nextest counted.
    Tested(Tests),
}

/// A step that was run.
struct Record {
    name: &'static str,
    duration: Duration,
    outcome: Result<Outcome>,
}

#[derive(Debug, Default, PartialEq)]
struct Options {
    keep_going: bool,
    /// The steps to run; empty for all.
    only: Vec<String>,
}

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    let options = parse(arguments)?;
    let mut records = Vec::new();
    for step in STEPS.iter().filter(|step| options.wants(step.name)) {
        let record = run(project, step);
        let failed = record.outcome.is_err();
        records.push(record);
        if failed && !options.keep_going {
            break;
        }
    }
    conclude(&records)
}

fn run(project: &Project, step: &Step) -> Record {
    println!("\n== {}", step.name);
    let start = Instant::now();
    let outcome = (step.run)(project);
    let duration = start.elapsed();
    if let Err(error) = &outcome {
        eprintln!("{error}");
    }
    println!(
        "== {} {} in {}",
        step.name,
        verdict(&outcome),
        seconds(duration)
    );
    Record {
        name: step.name,
        duration,
        outcome,
    }
}

/// Prints the table of all steps, what nextest counted and, as the last line of all, the result.
fn conclude(records: &[Record]) -> Result {
    println!("\n{}", table(records));
    let tests = tests(records);
    if let Some(tests) = tests {
        println!("{}", tests.line);
    }
    let failed = records.iter().filter(|record| record.outcome.is_err());
    let names: Vec<_> = failed.map(|record| record.name).collect();
    if !names.is_empty() {
        return Err(format!("failed: {}", names.join(", ")));
    }
    match tests {
        Some(tests) => println!("{}", tests.count()),
        None => println!("all steps that were asked for passed"),
    }
    Ok(())
}

fn tests(records: &[Record]) -> Option<&Tests> {
    records.iter().find_map(|record| match &record.outcome {
        Ok(Outcome::Tested(tests)) => Some(tests),
        _ => None,
    })
}

fn table(records: &[Record]) -> String {
    let mut text = String::new();
    let mut total = Duration::ZERO;
    for record in records {
        let time = seconds(record.duration);
        text.push_str(&format!(
            "{:<12} {time:>8}  {}\n",
            record.name,
            verdict(&record.outcome)
        ));
        total += record.duration;
    }
    text.push_str(&format!("{:<12} {:>8}\n", "total", seconds(total)));
    text
}

fn verdict(outcome: &Result<Outcome>) -> String {
    match outcome {
        Ok(Outcome::Passed) => "passed".to_owned(),
        Ok(Outcome::NotChecked(reason)) => format!("not checked: {reason}"),
        Ok(Outcome::Tested(tests)) => format!("passed ({} tests)", tests.passed),
        Err(_) => "FAILED".to_owned(),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

impl Options {
    fn wants(&self, step: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == step)
    }
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options::default();
    for argument in arguments {
        if argument == "--keep-going" {
            options.keep_going = true;
        } else if STEPS.iter().any(|step| step.name == argument) {
            options.only.push(argument.clone());
        } else {
            let known: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            let known = known.join(", ");
            return Err(format!(
                "there is no step `{argument}`; the steps are {known}"
            ));
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &'static str, outcome: Result<Outcome>) -> Record {
        Record {
            name,
            duration: Duration::from_millis(1500),
            outcome,
        }
    }

    fn tested() -> Outcome {
        Outcome::Tested(Tests {
            passed: 3,
            line: "3 tests run: 3 passed".to_owned(),
        })
    }

    #[test]
    fn steps_and_options_are_read() {
        let arguments = ["tidy", "--keep-going", "fmt"].map(str::to_owned);
        let options = parse(&arguments).unwrap();
        assert!(options.keep_going);
        assert!(options.wants("fmt") && options.wants("tidy") && !options.wants("doc"));
        assert!(Options::default().wants("doc"));
    }

    #[test]
    fn a_step_that_does_not_exist_is_refused_with_those_that_do() {
        let error = parse(&["tidyy".to_owned()]).unwrap_err();
        assert!(
            error.contains("`tidyy`") && error.contains("fmt, clippy"),
            "{error}"
        );
    }

    #[test]
    fn the_table_has_a_line_for_every_step_and_the_total() {
        let records = [
            record("fmt", Ok(Outcome::Passed)),
            record("test", Ok(tested())),
            record(
                "advisories",
                Ok(Outcome::NotChecked("unreachable".to_owned())),
            ),
            record("doc", Err("no".to_owned())),
        ];
        let table = table(&records);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "fmt             1.5 s  passed");
        assert_eq!(lines[1], "test            1.5 s  passed (3 tests)");
        assert_eq!(lines[2], "advisories      1.5 s  not checked: unreachable");
        assert_eq!(lines[3], "doc             1.5 s  FAILED");
        assert_eq!(lines[4], "total           6.0 s");
    }

    #[test]
    fn one_failed_step_fails_the_whole() {
        let records = [
            record("fmt", Err("no".to_owned())),
            record("test", Ok(tested())),
        ];
        assert_eq!(conclude(&records), Err("failed: fmt".to_owned()));
        assert_eq!(conclude(&[record("test", Ok(tested()))]), Ok(()));
    }
}
