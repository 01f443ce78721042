//! A folder with a store and files, and the program that works in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// The folder of the examples.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pipelines")
}

pub(crate) struct Place {
    pub(crate) folder: TempDir,
    variables: BTreeMap<&'static str, String>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: BTreeMap::new(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    /// Copies an example into the folder, with its text changed.
    pub(crate) fn example(&self, name: &str, change: impl Fn(String) -> String) {
        let text = std::fs::read_to_string(examples().join(name)).unwrap();
        self.write(name, &change(text));
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_efflux"));
        command.args(arguments).current_dir(self.folder.path());
        command
            .env("EFFLUX_STORE", "file:store")
            .envs(&self.variables);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// What the program prints, which must end well.
    pub(crate) fn prints(&self, arguments: &[&str]) -> String {
        self.ends_well(arguments).0
    }

    /// What the program says on standard error, which must end well.
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        self.ends_well(arguments).1
    }

    fn ends_well(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}\n{out}\n{err}");
        (out, err)
    }

    pub(crate) fn append(&self, topic: &str, data_type: &str, payload: &str) {
        self.prints(&["append", topic, payload, "--type", data_type, "--create"]);
    }

    /// The payloads of a topic.
    pub(crate) fn payloads(&self, topic: &str) -> Vec<String> {
        let printed = self.prints(&["read", topic, "-o", "raw"]);
        printed.lines().map(ToOwned::to_owned).collect()
    }
}
