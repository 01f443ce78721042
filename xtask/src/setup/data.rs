//! The real data that the end-to-end tests append: four files of the npm package vega-datasets.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::debian;
use crate::project::Project;
use crate::{Result, process};

const PACKAGE: &str = "vega-datasets@3.2.1";

/// What npm computes over the package it downloaded; the package of this version never changes.
const INTEGRITY: &str = "sha512-lTSwZA6yq6qSU2YZm+6bqILiIvTPPxn4itir7jPGFmHIdPvUfQ9pCzzcrklYywMJgLUbaIeSkZQdiJd6wBxPug==";

const FILES: &[&str] = &[
    "flights-200k.json",
    "earthquakes.json",
    "movies.json",
    "zipcodes.csv",
];

const WITHOUT: &str = "the end-to-end tests on real data cannot run";

/// Puts [`FILES`] into `target/data/vega-datasets` unless they are there.
pub(super) fn fetch(project: &Project) -> Result {
    let folder = project.target.join("data").join("vega-datasets");
    if FILES.iter().all(|file| folder.join(file).is_file()) {
        println!("vega-datasets is there");
        return Ok(());
    }
    if !process::succeeds(project.command("npm").arg("--version")) {
        debian::install(project, &["npm"]).map_err(|error| {
            format!("npm: it is not installed and could not be ({error}); {WITHOUT}")
        })?;
    }
    download(project, &folder).map_err(|error| format!("vega-datasets: {error}; {WITHOUT}"))
}

/// Unpacks beside the final folder and renames, so that a half-filled folder never counts.
fn download(project: &Project, folder: &Path) -> Result {
    let data = project.target.join("data");
    let unpacked = data.join("unpacked");
    let _ = fs::remove_dir_all(&unpacked);
    fs::create_dir_all(&unpacked).map_err(|error| format!("{}: {error}", unpacked.display()))?;

    let mut pack = project.command("npm");
    pack.args(["pack", "--json", "--silent", PACKAGE, "--pack-destination"])
        .arg(&unpacked);
    println!("$ npm pack {PACKAGE}");
    let archive = checked_archive(&process::output(&mut pack)?)?;

    let mut unpack = project.command("tar");
    unpack
        .arg("-xzf")
        .arg(unpacked.join(archive))
        .arg("-C")
        .arg(&unpacked);
    unpack.args(FILES.iter().map(|file| format!("package/data/{file}")));
    process::run(&mut unpack)?;

    let _ = fs::remove_dir_all(folder);
    fs::rename(unpacked.join("package").join("data"), folder)
        .and_then(|()| fs::remove_dir_all(&unpacked))
        .map_err(|error| format!("{}: {error}", folder.display()))
}

/// The name of the archive that `npm pack --json` reports, if its content is the expected one.
fn checked_archive(report: &str) -> Result<String> {
    let report: Value = serde_json::from_str(report)
        .map_err(|error| format!("`npm pack` wrote no valid JSON: {error}"))?;
    let text = |key| {
        report
            .pointer(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    match text("/0/integrity") {
        INTEGRITY => Ok(text("/0/filename").to_owned()),
        found => Err(format!("npm delivered {found}, expected {INTEGRITY}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_with_other_content_is_refused() {
        let report = |integrity| {
            serde_json::json!([{"filename": "a.tgz", "integrity": integrity}]).to_string()
        };
        assert_eq!(checked_archive(&report(INTEGRITY)).unwrap(), "a.tgz");
        let error = checked_archive(&report("sha512-other")).unwrap_err();
        assert!(error.contains("sha512-other"), "{error}");
    }
}
