//! `cargo xtask vectors`: checks or rewrites the golden vectors beside docs/format.md.
//!
//! The verifier in Python, which was written from that document alone, is then held against them.

use crate::project::Project;
use crate::{Result, process};

pub(crate) const HELP: &str = "[--write]: check or rewrite the golden vectors of docs/format.md";

const VERIFIER_TEST: &str = "tests/verifier/test_verify.py";

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    let write = match arguments {
        [] => false,
        [argument] if argument == "--write" => true,
        [argument, ..] => return Err(format!("unexpected argument `{argument}`")),
    };
    let mut example = project.cargo(["run", "--quiet", "--package", "efflux-particle"]);
    example.args(["--all-features", "--example", "vectors"]);
    if write {
        example.args(["--", "--write"]);
    }
    process::run(&mut example)?;
    if !has_python(project) {
        println!("vectors: the verifier was not run: python3 is not installed");
        return Ok(());
    }
    process::run(
        project
            .command("python3")
            .arg(project.root.join(VERIFIER_TEST)),
    )
}

pub(crate) fn has_python(project: &Project) -> bool {
    process::succeeds(project.command("python3").arg("--version"))
}
