//! The workspace as Cargo describes it, and Cargo commands that run inside it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Result, process};

/// The workspace: where it is, where its builds go, which packages it has.
#[derive(Debug)]
pub(crate) struct Project {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// The absolute target folder; `CARGO_TARGET_DIR` is honoured.
    pub(crate) target: PathBuf,
    /// The members of the workspace.
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The names of its features, without `default`.
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

/// A dependency as the package's manifest states it.
#[derive(Debug, Default)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `normal`, `dev` or `build`.
    pub(crate) kind: String,
}

/// A library, binary, test or example of a package.
#[derive(Debug, Default)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kinds: Vec<String>,
}

impl Project {
    /// Asks Cargo for the workspace that the current folder belongs to.
    pub(crate) fn open() -> Result<Self> {
        let mut command = Command::new(cargo_program());
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let json = process::output(&mut command)?;
        let metadata: Value = serde_json::from_str(&json)
            .map_err(|error| format!("`cargo metadata` wrote no valid JSON: {error}"))?;
        Self::from_metadata(&metadata)
    }

    fn from_metadata(metadata: &Value) -> Result<Self> {
        let folder = |key: &str| match text(metadata, key) {
            folder if folder.is_empty() => Err(format!("`cargo metadata` names no {key}")),
            folder => Ok(PathBuf::from(folder)),
        };
        Ok(Self {
            root: folder("workspace_root")?,
            target: folder("target_directory")?,
            packages: list(metadata, "packages").iter().map(package).collect(),
        })
    }

    /// A `cargo` command in the workspace's root that reads nothing from the terminal and finds
    /// the tools that `cargo xtask setup` installed.
    pub(crate) fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.command(cargo_program());
        command.args(arguments);
        command
    }

    /// Any other program, run as [`Project::cargo`] runs Cargo.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.current_dir(&self.root).stdin(Stdio::null());
        command
            .env("PATH", self.search_path())
            .env("CARGO_TARGET_DIR", &self.target);
        // `cargo run` describes the xtask package in the environment. A nested Cargo must not
        // inherit that: build scripts that watch these variables would run again.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(describes_the_running_package) {
                command.env_remove(name);
            }
        }
        command
    }

    /// Where `cargo xtask setup` installs programs: they go when the target folder goes.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    fn search_path(&self) -> OsString {
        let inherited = env::var_os("PATH").unwrap_or_default();
        let cargo_bin = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
            .map(|home| home.join("bin"));
        // What setup installed comes first: it did so because the others were missing or too old.
        let folders = [self.tools().join("bin")]
            .into_iter()
            .chain(env::split_paths(&inherited))
            .chain(cargo_bin)
            .filter(|folder| !folder.as_os_str().is_empty());
        env::join_paths(folders).unwrap_or(inherited)
    }
}

impl Target {
    /// Whether this target is of the kind that Cargo calls `kind`.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|own| own == kind)
    }
}

/// The targets of one kind in the workspace that `manifest` belongs to, which may be another one.
pub(crate) fn target_names(project: &Project, manifest: &Path, kind: &str) -> Result<Vec<String>> {
    let mut command = project.cargo(["metadata", "--no-deps", "--format-version", "1"]);
    command.arg("--manifest-path").arg(manifest);
    let json = process::output(&mut command)?;
    let metadata: Value = serde_json::from_str(&json)
        .map_err(|error| format!("`cargo metadata` wrote no valid JSON: {error}"))?;
    let packages: Vec<Package> = list(&metadata, "packages").iter().map(package).collect();
    let targets = packages.iter().flat_map(|package| &package.targets);
    Ok(targets
        .filter(|target| target.is(kind))
        .map(|target| target.name.clone())
        .collect())
}

fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

fn describes_the_running_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_")
        || matches!(
            variable,
            "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH" | "CARGO_BIN_NAME"
        )
}

fn package(value: &Value) -> Package {
    let features = value.get("features").and_then(Value::as_object);
    let names = features.into_iter().flat_map(|map| map.keys().cloned());
    Package {
        name: text(value, "name"),
        features: names.filter(|name| name != "default").collect(),
        dependencies: list(value, "dependencies").iter().map(dependency).collect(),
        targets: list(value, "targets").iter().map(target).collect(),
    }
}

fn dependency(value: &Value) -> Dependency {
    let kind = value
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or("normal");
    Dependency {
        name: text(value, "name"),
        kind: kind.to_owned(),
    }
}

fn target(value: &Value) -> Target {
    let kinds = list(value, "kind")
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned);
    Target {
        name: text(value, "name"),
        kinds: kinds.collect(),
    }
}

fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metadata_is_read_into_packages() {
        let metadata = json!({
            "workspace_root": "/w",
            "target_directory": "/t",
            "packages": [{
                "name": "a",
                "features": {"default": ["x"], "x": [], "y": ["x"]},
                "dependencies": [{"name": "b", "kind": null}, {"name": "c", "kind": "dev"}],
                "targets": [{"name": "follow", "kind": ["example"]}],
            }],
        });
        let project = Project::from_metadata(&metadata).unwrap();
        assert_eq!(project.root, Path::new("/w"));
        let package = &project.packages[0];
        assert_eq!(package.features, ["x", "y"]);
        let kinds: Vec<_> = package
            .dependencies
            .iter()
            .map(|d| d.kind.as_str())
            .collect();
        assert_eq!(kinds, ["normal", "dev"]);
        assert!(package.targets[0].is("example"));
        assert_eq!(package.targets[0].name, "follow");
    }

    #[test]
    fn metadata_without_a_root_is_refused() {
        let error = Project::from_metadata(&json!({"packages": []})).unwrap_err();
        assert!(error.contains("workspace_root"), "{error}");
    }
}
