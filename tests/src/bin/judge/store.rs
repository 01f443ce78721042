//! A store's folder, and the program that is asked about it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Verdict;

/// How a run of the program went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A store's folder, and the program that is asked about it.
#[derive(Debug)]
pub(crate) struct Store<'a> {
    pub(crate) efflux: &'a Path,
    pub(crate) folder: PathBuf,
}

fn io<T>(what: &Path, done: std::io::Result<T>) -> Verdict<T> {
    done.map_err(|error| format!("{}: {error}", what.display()))
}

impl Store<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.efflux);
        command.arg("--store").arg(&self.folder).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Verdict<Ran> {
        finish(self.command(arguments).stdin(Stdio::null()), &[])
    }

    /// Runs it where no file may become longer than so many kilobytes.
    pub(crate) fn run_cramped(
        &self,
        kilobytes: u32,
        arguments: &[&str],
        input: &[u8],
    ) -> Verdict<Ran> {
        // Without the trap the signal would end the program; with it a write fails.
        let script = format!(
            "trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"",
            kilobytes * 2
        );
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(self.efflux);
        command.arg("--store").arg(&self.folder).args(arguments);
        finish(command.stdin(Stdio::piped()), input)
    }

    /// The files of all topics, and the store's own, without the lock.
    pub(crate) fn files(&self) -> Verdict<Vec<PathBuf>> {
        let mut found = vec![self.folder.join("STORE")];
        collect(&self.folder.join("topics"), &mut found)?;
        found.sort();
        Ok(found)
    }

    /// Another folder with the same files, but the index, which is derived.
    pub(crate) fn copy(&self, folder: PathBuf) -> Verdict<Self> {
        let _ = fs::remove_dir_all(&folder);
        for file in self.files()? {
            let target = folder.join(file.strip_prefix(&self.folder).unwrap_or(&file));
            let parent = target.parent().unwrap_or(&folder);
            io(parent, fs::create_dir_all(parent))?;
            io(&file, fs::copy(&file, &target))?;
        }
        Ok(Self {
            efflux: self.efflux,
            folder,
        })
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Verdict {
    for entry in io(folder, fs::read_dir(folder))? {
        let path = io(folder, entry)?.path();
        match path.is_dir() {
            true => collect(&path, found)?,
            false => found.push(path),
        }
    }
    Ok(())
}

fn finish(command: &mut Command, input: &[u8]) -> Verdict<Ran> {
    let program = command.get_program().to_owned();
    let program = Path::new(&program);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = io(program, command.spawn())?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        if let Some(mut stdin) = stdin {
            // A program that fails early does not read all of it.
            scope.spawn(move || drop(stdin.write_all(input)));
        }
        child.wait_with_output()
    });
    let output = io(program, output)?;
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    match ran.stderr.contains("panicked") || ran.code == -1 {
        true => Err(format!("the program broke down: {ran:?}")),
        false => Ok(ran),
    }
}

pub(crate) fn read(path: &Path) -> Verdict<Vec<u8>> {
    io(path, fs::read(path))
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Verdict {
    io(path, fs::write(path, bytes))
}

pub(crate) fn remove(path: &Path) -> Verdict {
    io(path, fs::remove_file(path))
}
