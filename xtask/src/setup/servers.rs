//! The servers and programs that tests start, from Debian's packages.

use std::path::{Path, PathBuf};

use super::debian;
use crate::project::Project;
use crate::{Result, process};

/// A package and what it brings.
struct Package {
    name: &'static str,
    /// A program, or a library that begins with `lib`.
    brings: &'static str,
}

const PACKAGES: &[Package] = &[
    package("postgresql", "postgres"),
    package("rabbitmq-server", "rabbitmq-server"),
    package("mosquitto", "mosquitto"),
    package("xsltproc", "xsltproc"),
    package("libxslt1.1", "libxslt.so.1"),
    package("nodejs", "node"),
];

const WITHOUT: &str = "the tests that need it fail";

const fn package(name: &'static str, brings: &'static str) -> Package {
    Package { name, brings }
}

/// Installs those that are missing.
pub(super) fn install(project: &Project) -> Result {
    let missing = missing(project);
    if missing.is_empty() {
        let names: Vec<_> = PACKAGES.iter().map(|package| package.name).collect();
        println!("{} are there", names.join(", "));
        return Ok(());
    }
    debian::install(project, &missing).map_err(|error| {
        let names = missing.join(", ");
        format!("{names}: not installed, and could not be ({error}); {WITHOUT}")
    })
}

fn missing(project: &Project) -> Vec<&'static str> {
    let folders = folders();
    let is_there = |package: &&Package| match package.brings {
        library if library.starts_with("lib") => has_library(project, library),
        program => folders.iter().any(|folder| folder.join(program).is_file()),
    };
    let missing = PACKAGES.iter().filter(|package| !is_there(package));
    missing.map(|package| package.name).collect()
}

/// Where servers are: some are not in the search path of those who do not run them.
fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    // Debian keeps each version of PostgreSQL in a folder of its own.
    let versions = Path::new("/usr/lib/postgresql").read_dir();
    let versions = versions
        .into_iter()
        .flatten()
        .filter_map(std::result::Result::ok);
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders
}

fn has_library(project: &Project, library: &str) -> bool {
    let mut list = project.command("/sbin/ldconfig");
    process::output(list.arg("-p")).is_ok_and(|list| list.contains(library))
}
