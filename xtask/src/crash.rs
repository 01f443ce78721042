//! `cargo xtask crash`: random crashes of a store on a simulated disk, as many as are asked for.
//!
//! A case that fails prints its seed. The same seed runs the same case again.

use crate::project::Project;
use crate::{Result, process};

pub(crate) const HELP: &str = "[--seed N] [--cases M]: crash stores at random, 10,000 cases";

const SEED: u64 = 1;
const CASES: u64 = 10_000;

#[derive(Debug, PartialEq)]
struct Options {
    seed: u64,
    cases: u64,
}

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    let options = parse(arguments)?;
    let mut command = project.cargo(["test", "-p", "efflux-tests", "--test", "crash", "--"]);
    command.args(["random_crashes_lose_nothing", "--nocapture"]);
    command.env("EFFLUX_CRASH_SEED", options.seed.to_string());
    command.env("EFFLUX_CRASH_CASES", options.cases.to_string());
    process::run(&mut command)
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        seed: SEED,
        cases: CASES,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let setting = match argument.as_str() {
            "--seed" => &mut options.seed,
            "--cases" => &mut options.cases,
            _ => return Err(format!("unexpected argument `{argument}`")),
        };
        let number = arguments.next().and_then(|number| number.parse().ok());
        *setting = number.ok_or_else(|| format!("{argument} takes a whole number"))?;
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expect: Result<(u64, u64)>) {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        let expect = expect.map(|(seed, cases)| Options { seed, cases });
        assert_eq!(parse(&arguments), expect);
    }

    #[test]
    fn arguments_are_read() {
        check(&[], Ok((SEED, CASES)));
        check(&["--seed", "7"], Ok((7, CASES)));
        check(&["--cases", "1", "--seed", "0"], Ok((0, 1)));
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        check(&["--seed"], Err("--seed takes a whole number".to_owned()));
        check(
            &["--cases", "many"],
            Err("--cases takes a whole number".to_owned()),
        );
        check(&["7"], Err("unexpected argument `7`".to_owned()));
    }
}
