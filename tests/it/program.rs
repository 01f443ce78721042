//! The built program, and a store of its own for each test.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The folder of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The target folder that this test was built into.
pub(crate) fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// The program `efflux`: the one that EFFLUX names, or one that is built once for all tests of a
/// run, with the features that the workspace is tested with, so that nothing is built twice.
pub(crate) fn efflux() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("EFFLUX") {
        Some(path) => PathBuf::from(path),
        None => built(),
    })
}

fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap();
    let program = folder.join("efflux");
    // Each test is a process of its own under nextest; the first one of a run builds.
    let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| std::process::id().to_string());
    fs::create_dir_all(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let stamp = Path::new(env!("CARGO_TARGET_TMPDIR")).join("efflux-built");
    let lock = File::create(stamp.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if fs::read_to_string(&stamp).is_ok_and(|built| built == run) && program.is_file() {
        return program;
    }
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // The environment describes the package of this test. Build scripts that watch these variables
    // would run again, and all that depends on them would be built twice.
    for (name, _) in std::env::vars_os() {
        let describes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        let name_text = name.to_string_lossy();
        if describes.iter().any(|it| name_text.starts_with(it)) {
            build.env_remove(&name);
        }
    }
    let built = build
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--all-features",
            "--bin",
            "efflux",
            // With a test among the targets, features are chosen as for the tests themselves, and
            // what was built for them is built no second time.
            "--test",
            "it",
        ])
        .args(["--profile", profile])
        .arg("--target-dir")
        .arg(target())
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    fs::write(stamp, run).unwrap();
    program
}

/// A folder with a store in it.
pub(crate) struct Place {
    folder: TempDir,
}

/// How a run of the program went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A place whose store has an empty topic.
    pub(crate) fn with_topic(name: &str) -> Self {
        let place = Self::new();
        place.run(&["topic", "create", name]).ok();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The command, in this folder, with this folder's store.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(efflux());
        command.args(arguments).current_dir(self.folder.path());
        command
            .env("EFFLUX_STORE", "file:store")
            .env_remove("NO_COLOR");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Runs the program to its end with this on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().unwrap();
        let input = input.as_ref().to_vec();
        // A program that fails early does not read all of it.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let ran = Ran::of(child.wait_with_output().unwrap());
        writer.join().unwrap();
        ran
    }

    /// Starts the program with all of its streams piped.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The file of a topic's first segment.
    pub(crate) fn segment(&self, topic: &str) -> PathBuf {
        self.path("store/topics")
            .join(topic)
            .join("00000000000000000000.seg")
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Expects success, and returns what was printed.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        String::from_utf8(self.stdout).unwrap()
    }

    /// Expects this exit code, and each of these parts on standard error.
    pub(crate) fn fails(self, code: i32, parts: &[&str]) -> Self {
        let stdout = String::from_utf8_lossy(&self.stdout);
        assert_eq!(self.code, code, "{}\n{stdout}", self.stderr);
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "no {part:?} in: {}",
                self.stderr
            );
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Expects success, and JSON on each line.
    pub(crate) fn json(self) -> Vec<Value> {
        let lines = self.ok();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Lines that come from a program while it runs.
pub(crate) struct Lines(std::io::BufReader<std::process::ChildStdout>);

impl Lines {
    pub(crate) fn of(child: &mut Child) -> Self {
        Self(std::io::BufReader::new(child.stdout.take().unwrap()))
    }

    pub(crate) fn next(&mut self) -> String {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut self.0, &mut line).unwrap();
        line.trim_end().to_owned()
    }
}

/// Sends a signal to a program, as `INT` for Ctrl-C.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(child.id().to_string())
        .status();
    assert!(sent.unwrap().success());
}
