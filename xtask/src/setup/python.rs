//! The Python packages that try Efflux from outside: schemathesis and the SDK of CloudEvents try
//! the node's interface, aiosmtpd is a mail server for the tests of pipelines. They go into an
//! environment of their own in `target/tools`.

use std::fs;
use std::path::PathBuf;

use crate::project::Project;
use crate::{Result, process};

/// Packages and their pinned versions.
const PACKAGES: &[&str] = &[
    "schemathesis==4.32.5",
    "cloudevents==2.2.0",
    "aiosmtpd==1.4.6",
];

const WITHOUT: &str =
    "`cargo xtask interface` and the tests that send mail cannot run, and `cargo xtask ci` fails";

/// Makes the environment unless it is there with these packages.
pub(crate) fn install(project: &Project) -> Result {
    let folder = folder(project);
    let said = folder.join("packages");
    if fs::read_to_string(&said).is_ok_and(|there| there == PACKAGES.join("\n")) {
        println!("{} are there", PACKAGES.join(", "));
        return Ok(());
    }
    let _ = fs::remove_dir_all(&folder);
    let made = make(project).and_then(|()| {
        let text = PACKAGES.join("\n");
        fs::write(&said, text).map_err(|error| format!("{}: {error}", said.display()))
    });
    made.map_err(|error| format!("python: {error}; {WITHOUT}"))
}

fn make(project: &Project) -> Result {
    let mut environment = project.command("python3");
    environment.args(["-m", "venv"]).arg(folder(project));
    process::run(&mut environment)?;
    let mut install = project.command(program(project, "python"));
    install.args(["-m", "pip", "install", "--quiet"]);
    install.arg("--disable-pip-version-check").args(PACKAGES);
    process::run(&mut install)
}

/// A program of the environment.
pub(crate) fn program(project: &Project, name: &str) -> PathBuf {
    folder(project).join("bin").join(name)
}

fn folder(project: &Project) -> PathBuf {
    project.tools().join("python")
}
