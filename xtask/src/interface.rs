//! `cargo xtask interface`: tries the node's interface from outside.
//!
//! schemathesis reads the node's own description, OpenAPI 3.1, and sends what it promises and what it
//! forbids; the CloudEvents SDK of Python sends events and reads them back. Each against a node of its
//! own, on a free port and in a temporary folder, without tokens and with them.

mod node;

use std::fs;
use std::time::Duration;

use crate::project::Project;
use crate::setup::python;
use crate::{Result, process};
use node::{Access, Node};

pub(crate) const HELP: &str = "[--short] [--seed N]: schemathesis and a CloudEvents SDK on a node";

/// The seed of every run, so that two runs send the same.
const SEED: u32 = 1;

/// A run that takes longer hangs.
const RUN_LIMIT: Duration = Duration::from_secs(900);

/// What the SDK's client does.
const EVENTS: &str = "xtask/src/interface/events.py";

#[derive(Debug, PartialEq)]
struct Options {
    is_short: bool,
    seed: u32,
}

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    let options = parse(arguments)?;
    python::install(project)?;
    let build = ["build", "--package", "efflux-node", "--bin", "efflux"];
    process::run(&mut project.cargo(build))?;
    for access in [Access::Everyone, Access::Token] {
        let node = Node::start(project, access)?;
        let tried = events(project, &node).and_then(|()| schemathesis(project, &node, &options));
        let ended = node.stop();
        tried.and(ended)?;
    }
    println!("interface: no finding");
    Ok(())
}

/// Lets schemathesis try every operation, with all its checks.
fn schemathesis(project: &Project, node: &Node, options: &Options) -> Result {
    let (examples, seconds) = if options.is_short {
        (10, 40)
    } else {
        (100, 300)
    };
    let mut command = project.command(python::program(project, "schemathesis"));
    command.args(["run", &format!("{}/openapi.json", node.url())]);
    command.args(["--checks", "all", "--continue-on-failure", "--no-color"]);
    command.args(["--seed", &options.seed.to_string()]);
    command.args(["--max-examples", &examples.to_string()]);
    command.args(["--max-time", &seconds.to_string()]);
    if let Some(token) = node.token() {
        // It knows then that the token is the one that the description asks for.
        let settings = format!("[auth.openapi.token]\nbearer = \"{token}\"\n");
        let file = node.folder().join("schemathesis.toml");
        fs::write(&file, settings).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    // It keeps files where it runs.
    command.current_dir(node.folder());
    process::run_within(&mut command, RUN_LIMIT)
}

/// Lets the SDK send events in every mode, and read them back.
fn events(project: &Project, node: &Node) -> Result {
    let mut command = project.command(python::program(project, "python"));
    command.arg(project.root.join(EVENTS)).arg(node.url());
    command.args(node.token());
    process::run_within(&mut command, RUN_LIMIT)
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        is_short: false,
        seed: SEED,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--short" => options.is_short = true,
            "--seed" => {
                let number = arguments.next().map(String::as_str).unwrap_or_default();
                let number = number.parse();
                options.seed = number.map_err(|_| "--seed takes a whole number".to_owned())?;
            }
            other => return Err(format!("unexpected argument `{other}`")),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read() {
        let read = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
            parse(&arguments)
        };
        let options = |is_short, seed| Ok(Options { is_short, seed });
        assert_eq!(read(&[]), options(false, 1));
        assert_eq!(read(&["--short", "--seed", "7"]), options(true, 7));
        assert!(read(&["--seed"]).is_err() && read(&["--long"]).is_err());
    }
}
