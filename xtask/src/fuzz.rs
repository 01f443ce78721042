//! `cargo xtask fuzz`: runs every fuzz target, or one, for a given time.
//!
//! The targets lie in `fuzz/`, a workspace of its own. The pinned stable toolchain runs them:
//! `RUSTC_BOOTSTRAP=1` admits the few unstable flags that cargo-fuzz passes. No sanitizer is
//! linked, because the crates forbid unsafe code: what goes wrong shows as a panic, a time-out
//! or a bound on memory that is passed.

use std::path::PathBuf;

use crate::project::{Project, target_names};
use crate::{Result, process, setup};

pub(crate) const HELP: &str = "[--seconds N] [TARGET]: run the fuzz targets, 30 s each";

const SECONDS: u32 = 30;

#[derive(Debug, PartialEq)]
struct Options {
    seconds: u32,
    target: Option<String>,
}

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    let options = parse(arguments)?;
    let Some(manifest) = manifest(project) else {
        println!("fuzz: there is no fuzz/Cargo.toml, so there is nothing to run");
        return Ok(());
    };
    let mut targets = target_names(project, &manifest, "bin")?;
    if let Some(wanted) = &options.target {
        if !targets.contains(wanted) {
            let known = targets.join(", ");
            return Err(format!(
                "there is no fuzz target `{wanted}`; there are: {known}"
            ));
        }
        targets.retain(|target| target == wanted);
    }
    if !setup::has_cxx(project) {
        return Err("libFuzzer needs a C++ compiler; install g++".to_owned());
    }
    setup::install_fuzz(project)?;
    for target in &targets {
        run(project, target, options.seconds)?;
    }
    println!(
        "fuzz: {} targets, {} s each, no fault found",
        targets.len(),
        options.seconds
    );
    Ok(())
}

/// The manifest of the fuzz workspace, if there is one.
pub(crate) fn manifest(project: &Project) -> Option<PathBuf> {
    Some(project.root.join("fuzz").join("Cargo.toml")).filter(|manifest| manifest.is_file())
}

/// Where the fuzz workspace is built, apart from the main one because its flags differ.
pub(crate) fn target_folder(project: &Project) -> PathBuf {
    project.target.join("fuzz")
}

fn run(project: &Project, target: &str, seconds: u32) -> Result {
    let mut command = project.cargo(["fuzz", "run", "--sanitizer", "none", "--target-dir"]);
    command.arg(target_folder(project)).arg(target).arg("--");
    command.args([
        &format!("-max_total_time={seconds}"),
        "-timeout=10",
        "-rss_limit_mb=2048",
    ]);
    command.env("RUSTC_BOOTSTRAP", "1");
    process::run(&mut command).map_err(|error| {
        format!("{error}; the input that fails, if there is one, lies in fuzz/artifacts/{target}")
    })
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        seconds: SECONDS,
        target: None,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            let number = arguments.next().map(String::as_str).unwrap_or_default();
            options.seconds = match number.parse() {
                // Zero would mean "for ever" to libFuzzer.
                Ok(seconds) if seconds > 0 => seconds,
                _ => return Err("--seconds takes a whole number above 0".to_owned()),
            };
        } else if argument.starts_with('-') || options.target.is_some() {
            return Err(format!("unexpected argument `{argument}`"));
        } else {
            options.target = Some(argument.clone());
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expect: Result<(u32, Option<&str>)>) {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        let expect = expect.map(|(seconds, target)| Options {
            seconds,
            target: target.map(str::to_owned),
        });
        assert_eq!(parse(&arguments), expect);
    }

    #[test]
    fn arguments_are_read() {
        check(&[], Ok((30, None)));
        check(&["--seconds", "5", "frame"], Ok((5, Some("frame"))));
        check(&["frame", "--seconds", "5"], Ok((5, Some("frame"))));
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        let number = "--seconds takes a whole number above 0";
        check(&["--seconds", "0"], Err(number.to_owned()));
        check(&["--seconds"], Err(number.to_owned()));
        check(&["a", "b"], Err("unexpected argument `b`".to_owned()));
    }
}
