//! `cargo xtask crash`: random crashes of a store on a simulated disk, as many as are asked for; or
//! real ones: processes that are killed, system calls that fail, a judge who looks from outside.
//!
//! What fails prints its seed. The same seed runs the same case again on the simulated disk; of real
//! processes it makes the same plan.

use crate::project::Project;
use crate::{Result, process};

pub(crate) const HELP: &str =
    "[--seed N] [--cases M | --kill M | --syscalls M | --judge M]: crash stores, 10,000 cases";

const SEED: u64 = 1;
const CASES: u64 = 10_000;

/// What is run, and the variable that says how often.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Random crashes of a simulated disk.
    Cases,
    /// Processes with many producers, killed with -9 at random moments.
    Kill,
    /// System calls that fail or kill, by strace.
    Syscalls,
    /// The judge, who knows the built program alone.
    Judge,
}

impl Kind {
    /// The test binary, the tests in it, the variable for their seed, and that for their number.
    const fn test(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Cases => (
                "crash",
                "random_crashes_lose_nothing",
                "EFFLUX_CRASH_SEED",
                "EFFLUX_CRASH_CASES",
            ),
            Self::Kill => ("crash", "kill::", "EFFLUX_SEED", "EFFLUX_KILL_ROUNDS"),
            Self::Syscalls => (
                "crash",
                "syscalls::",
                "EFFLUX_SEED",
                "EFFLUX_SYSCALL_ROUNDS",
            ),
            Self::Judge => ("it", "judged::", "EFFLUX_SEED", "EFFLUX_JUDGE_ROUNDS"),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Options {
    seed: u64,
    kind: Kind,
    count: u64,
}

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    let options = parse(arguments)?;
    let (binary, tests, seed, count) = options.kind.test();
    let mut command = project.cargo(["test", "-p", "efflux-tests", "--test", binary, "--"]);
    command.args([tests, "--nocapture"]);
    command.env(seed, options.seed.to_string());
    command.env(count, options.count.to_string());
    process::run(&mut command)
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        seed: SEED,
        kind: Kind::Cases,
        count: CASES,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let kind = match argument.as_str() {
            "--seed" => None,
            "--cases" => Some(Kind::Cases),
            "--kill" => Some(Kind::Kill),
            "--syscalls" => Some(Kind::Syscalls),
            "--judge" => Some(Kind::Judge),
            _ => return Err(format!("unexpected argument `{argument}`")),
        };
        let number = arguments.next().and_then(|number| number.parse().ok());
        let number = number.ok_or_else(|| format!("{argument} takes a whole number"))?;
        match kind {
            None => options.seed = number,
            Some(kind) => (options.kind, options.count) = (kind, number),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expect: Result<(u64, Kind, u64)>) {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        let expect = expect.map(|(seed, kind, count)| Options { seed, kind, count });
        assert_eq!(parse(&arguments), expect);
    }

    #[test]
    fn arguments_are_read() {
        check(&[], Ok((SEED, Kind::Cases, CASES)));
        check(&["--seed", "7"], Ok((7, Kind::Cases, CASES)));
        check(&["--cases", "1", "--seed", "0"], Ok((0, Kind::Cases, 1)));
        check(&["--kill", "300"], Ok((SEED, Kind::Kill, 300)));
        check(&["--judge", "9", "--seed", "2"], Ok((2, Kind::Judge, 9)));
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
