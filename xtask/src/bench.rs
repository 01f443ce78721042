//! `cargo xtask bench`: builds the bench in release, with the alternatives, and the program whose
//! node it starts, and runs it.

use crate::project::Project;
use crate::{Result, process};

pub(crate) const HELP: &str =
    "[--quick] [--particles N] [ROW...]: measure, see docs/performance.md";

const BUILD: &[&str] = &[
    "build",
    "--release",
    "--package",
    "efflux-bench",
    "--package",
    "efflux-node",
    "--features",
    "efflux-bench/alternatives",
];

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    process::run(&mut project.cargo(BUILD.iter().copied()))?;
    let program = project.target.join("release").join("efflux-bench");
    process::run(project.command(program).args(arguments))
}
