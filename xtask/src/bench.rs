//! `cargo xtask bench`: builds the bench in release, with the alternatives, and runs it.

use crate::project::Project;
use crate::{Result, process};

pub(crate) const HELP: &str =
    "[--quick] [--particles N] [ROW...]: measure, see docs/performance.md";

const BUILD_AND_RUN: &[&str] = &[
    "run",
    "--release",
    "--package",
    "efflux-bench",
    "--features",
    "alternatives",
    "--",
];

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    let mut command = project.cargo(BUILD_AND_RUN.iter().copied());
    process::run(command.args(arguments))
}
