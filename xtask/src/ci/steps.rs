//! The steps of CI, in the order in which they run.
//!
//! All of them leave `RUSTFLAGS` as they find it, so that no dependency is built twice.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::summary::{self, Tests};
use super::{Outcome, Step};
use crate::project::Project;
use crate::{Result, fuzz, guard, interface, layers, process, setup, tidy, vectors};

pub(super) const STEPS: &[Step] = &[
    step("setup", setup_step),
    step("fmt", fmt),
    step("clippy", clippy),
    step("layers", |project| layers::main(project, &[]).map(passed)),
    step("tidy", |project| tidy::main(project, &[]).map(passed)),
    step("test", test),
    step("doctest", doctest),
    step("examples", examples),
    step("vectors", vectors_step),
    step("guard", guard_step),
    step("interface", |project| {
        interface::main(project, &["--short".to_owned()]).map(passed)
    }),
    step("doc", doc),
    step("deny", deny),
    step("advisories", advisories),
    step("fuzz", fuzz_workspace),
];

const fn step(name: &'static str, run: fn(&Project) -> Result<Outcome>) -> Step {
    Step { name, run }
}

/// Examples are short programs; one that runs longer than this waits for something.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(120);

/// A host that does not answer must not hold CI up.
const FETCH_LIMIT: Duration = Duration::from_secs(120);

fn passed((): ()) -> Outcome {
    Outcome::Passed
}

/// Never fails: the step that needs a missing thing says so when its turn comes.
fn setup_step(project: &Project) -> Result<Outcome> {
    let missing = setup::install(project);
    if missing.is_empty() {
        return Ok(Outcome::Passed);
    }
    println!("{}", missing.join("\n"));
    Ok(Outcome::NotChecked(
        "something is missing, see the step's output".to_owned(),
    ))
}

fn fmt(project: &Project) -> Result<Outcome> {
    process::run(&mut project.cargo(["fmt", "--all", "--check"])).map(passed)
}

/// Lints everything at once, then each library and binary with no feature and each feature alone.
fn clippy(project: &Project) -> Result<Outcome> {
    let lint = |arguments: &[&str]| {
        let mut command = project.cargo(["clippy"]);
        process::run(command.args(arguments).args(["--", "-D", "warnings"]))
    };
    lint(&["--workspace", "--all-targets", "--all-features"])?;
    for package in project
        .packages
        .iter()
        .filter(|package| !package.features.is_empty())
    {
        let alone = ["--package", &package.name, "--no-default-features"];
        lint(&alone)?;
        for feature in &package.features {
            lint(&[&alone[..], &["--features", feature]].concat())?;
        }
    }
    Ok(Outcome::Passed)
}

fn test(project: &Project) -> Result<Outcome> {
    let mut command = project.cargo(["nextest", "run", "--workspace", "--all-features"]);
    command.args(["--no-fail-fast", "--color", "never"]);
    let mut tests = None;
    // Told once more at the end, where somebody looks who has no more than that.
    let mut failed = BTreeSet::new();
    let outcome = process::run_watching(&mut command, |line| {
        tests = Tests::read(line).or(tests.take());
        failed.extend(summary::failed(line).map(ToOwned::to_owned));
    });
    let failed: String = failed
        .iter()
        .map(|test| format!("\n  failed: {test}"))
        .collect();
    match (outcome, tests) {
        (Ok(()), Some(tests)) => Ok(Outcome::Tested(tests)),
        (Ok(()), None) => Err("nextest wrote no summary".to_owned()),
        (Err(error), Some(tests)) => Err(format!("{error}: {}{failed}", tests.line)),
        (Err(error), None) => Err(error),
    }
}

fn doctest(project: &Project) -> Result<Outcome> {
    let mut command = project.cargo(["test", "--doc", "--workspace", "--all-features"]);
    process::run(&mut command).map(passed)
}

/// Builds all examples and runs each in an empty folder of its own, as a stranger would.
fn examples(project: &Project) -> Result<Outcome> {
    let build = ["build", "--workspace", "--all-features", "--examples"];
    process::run(&mut project.cargo(build))?;
    let messages = ["--message-format", "json"];
    let json = process::output(project.cargo(build).args(messages))?;
    for program in example_programs(&json) {
        let name = program.file_stem().unwrap_or_default();
        let folder = project.target.join("examples-run").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut command = project.command(&program);
        process::run_within(command.current_dir(&folder), EXAMPLE_LIMIT)?;
    }
    Ok(Outcome::Passed)
}

/// The executables of the examples in what `cargo build --message-format json` writes.
fn example_programs(messages: &str) -> Vec<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| message.pointer("/target/kind/0") == Some(&Value::from("example")))
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .collect()
}

/// Holds the golden vectors and the independent verifier against each other.
fn vectors_step(project: &Project) -> Result<Outcome> {
    vectors::main(project, &[])?;
    if vectors::has_python(project) {
        return Ok(Outcome::Passed);
    }
    Ok(Outcome::NotChecked("python3 is not installed".to_owned()))
}

/// Counts instructions, where they can be counted.
fn guard_step(project: &Project) -> Result<Outcome> {
    match guard::obstacle(project) {
        Some(reason) => Ok(Outcome::NotChecked(reason)),
        None => guard::main(project, &[]).map(passed),
    }
}

fn doc(project: &Project) -> Result<Outcome> {
    let mut command = project.cargo(["doc", "--no-deps", "--workspace", "--all-features"]);
    process::run(command.env("RUSTDOCFLAGS", "-D warnings")).map(passed)
}

fn deny(project: &Project) -> Result<Outcome> {
    process::run(&mut project.cargo(["deny", "check", "bans", "licenses", "sources"])).map(passed)
}

/// The advisories come from a host that is not reachable everywhere. Only what they say of our
/// dependencies can fail this step, not that they could not be fetched.
fn advisories(project: &Project) -> Result<Outcome> {
    if let Err(error) = process::run_within(&mut fetch_advisories(project), FETCH_LIMIT) {
        println!("{error}");
        return Ok(Outcome::NotChecked("unreachable".to_owned()));
    }
    let check = ["deny", "check", "--disable-fetch", "advisories"];
    process::run(&mut project.cargo(check)).map(passed)
}

fn fetch_advisories(project: &Project) -> Command {
    project.cargo(["deny", "fetch", "db"])
}

/// Formats and checks the fuzz workspace; `cargo xtask fuzz` runs its targets.
fn fuzz_workspace(project: &Project) -> Result<Outcome> {
    let Some(manifest) = fuzz::manifest(project) else {
        return Ok(Outcome::NotChecked(
            "there is no fuzz/Cargo.toml".to_owned(),
        ));
    };
    let cargo = |arguments: &[&str]| {
        let mut command = project.cargo(arguments.iter().copied());
        command.arg("--manifest-path").arg(&manifest);
        command.env("CARGO_TARGET_DIR", fuzz::target_folder(project));
        command
    };
    process::run(cargo(&["fmt"]).arg("--check"))?;
    if !setup::has_cxx(project) {
        return Ok(Outcome::NotChecked(
            "libFuzzer needs a C++ compiler".to_owned(),
        ));
    }
    process::run(&mut cargo(&["check"])).map(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_of_examples_are_found_among_the_messages() {
        let messages = concat!(
            r#"{"target":{"kind":["lib"]},"executable":null}"#,
            "\nno json\n",
            r#"{"target":{"kind":["example"]},"executable":"/t/debug/examples/append"}"#,
            "\n",
            r#"{"target":{"kind":["example"]},"executable":null}"#,
        );
        assert_eq!(
            example_programs(messages),
            [PathBuf::from("/t/debug/examples/append")]
        );
    }
}
