//! `cargo xtask setup`: installs what the checks need beyond a Rust toolchain and a C compiler.
//!
//! Programs go into `target/tools`, data into `target/data`; nothing outside the target folder
//! changes, except that a missing npm, valgrind or server is installed with `apt-get` when the user
//! is root.

mod data;
mod debian;
pub(crate) mod python;
mod servers;

use std::fs;
use std::process::Command;

use crate::project::Project;
use crate::{Result, no_arguments, process};

pub(crate) const HELP: &str = "install the programs and data that the checks need";

/// A program that Cargo installs, its pinned version, and the oldest one that will do.
struct Tool {
    name: &'static str,
    version: &'static str,
    oldest: (u32, u32, u32),
    /// What `cargo install` is told beside name and version.
    options: &'static [&'static str],
    /// What follows when it is missing.
    without: &'static str,
}

const NEXTEST: Tool = Tool {
    name: "cargo-nextest",
    version: "0.9.143",
    oldest: (0, 9, 100),
    // Without the part that updates itself, which is most of its dependencies.
    options: &["--no-default-features", "--features", "default-no-update"],
    without: "no test can run, and `cargo xtask ci` fails at its step test",
};

const DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    oldest: (0, 18, 0),
    options: &[],
    without: "licences and sources cannot be checked, and `cargo xtask ci` fails at its step deny",
};

const FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    version: "0.13.2",
    oldest: (0, 12, 0),
    options: &[],
    without: "`cargo xtask fuzz` cannot run",
};

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    no_arguments(arguments)?;
    let missing = install(project);
    if missing.is_empty() {
        println!("setup: everything is there");
        return Ok(());
    }
    Err(format!(
        "not everything could be set up:\n{}",
        missing.join("\n")
    ))
}

/// Installs what is missing and returns a sentence for each thing that still is.
pub(crate) fn install(project: &Project) -> Vec<String> {
    [
        compilers(project),
        tool(project, &NEXTEST),
        tool(project, &DENY),
        valgrind(project),
        servers::install(project),
        data::fetch(project),
        python::install(project),
    ]
    .into_iter()
    .filter_map(Result::err)
    .map(|fault| format!("  {fault}"))
    .collect()
}

/// Installs cargo-fuzz, which only `cargo xtask fuzz` needs.
pub(crate) fn install_fuzz(project: &Project) -> Result {
    tool(project, &FUZZ)
}

/// Whether a C++ compiler is there: libFuzzer, and so the fuzz workspace, needs one.
pub(crate) fn has_cxx(project: &Project) -> bool {
    process::succeeds(project.command("c++").arg("--version"))
}

fn compilers(project: &Project) -> Result {
    if !process::succeeds(project.command("cc").arg("--version")) {
        return Err(
            "cc: there is no C compiler, so the workspace cannot be built; \
                    install gcc or clang"
                .to_owned(),
        );
    }
    if !project.root.join("fuzz").exists()
        || has_cxx(project)
        || debian::install(project, &["g++"]).is_ok()
    {
        return Ok(());
    }
    Err(
        "c++: there is no C++ compiler, so the fuzz workspace is not checked; install g++"
            .to_owned(),
    )
}

fn valgrind(project: &Project) -> Result {
    if process::succeeds(project.command("valgrind").arg("--version")) {
        println!("valgrind is there");
        return Ok(());
    }
    debian::install(project, &["valgrind"]).map_err(|error| {
        format!(
            "valgrind: it is not installed and could not be ({error}); \
             instructions are not counted, so the step guard checks nothing"
        )
    })
}

fn tool(project: &Project, tool: &Tool) -> Result {
    let found = process::output(project.command(tool.name).arg("--version")).ok();
    if let Some(version) = found.as_deref().and_then(version)
        && version >= tool.oldest
    {
        let (major, minor, patch) = version;
        println!("{} {major}.{minor}.{patch} is there", tool.name);
        return Ok(());
    }
    let outcome = process::run(&mut installation(project, tool));
    // Hundreds of megabytes that nothing needs once the program is built. After a failure they
    // stay, so that the next attempt goes on from there.
    if outcome.is_ok() {
        let _ = fs::remove_dir_all(project.tools().join("build"));
    }
    outcome.map_err(|error| format!("{}: {error}; {}", tool.name, tool.without))
}

fn installation(project: &Project, tool: &Tool) -> Command {
    let mut command = project.cargo(["install", "--locked", "--force", tool.name]);
    command.args(["--version", tool.version]).args(tool.options);
    command.arg("--root").arg(project.tools());
    command.env("CARGO_TARGET_DIR", project.tools().join("build"));
    // These programs run for seconds: a quick build is worth more than a quick program.
    command.env("CARGO_PROFILE_RELEASE_LTO", "off");
    command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    command.env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    command.env_remove("RUSTFLAGS");
    command
}

/// The first `1.2.3` in what a program says of itself.
fn version(words: &str) -> Option<(u32, u32, u32)> {
    words.split_whitespace().find_map(|word| {
        let mut numbers = word.split(['.', '-', '+']).map(str::parse::<u32>);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Some((major, minor, patch)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        let check = |words, expect| assert_eq!(version(words), expect, "{words}");
        check(
            "cargo-nextest 0.9.143 (60fa45f63 2026-08-04)",
            Some((0, 9, 143)),
        );
        check("cargo-deny 0.20.2-rc.1", Some((0, 20, 2)));
        check("usage: nothing here 1.2", None);
    }

    #[test]
    fn pinned_versions_are_recent_enough() {
        for tool in [NEXTEST, DENY, FUZZ] {
            assert!(
                version(tool.version).unwrap() >= tool.oldest,
                "{}",
                tool.name
            );
        }
    }
}
