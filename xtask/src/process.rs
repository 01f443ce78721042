//! Child processes: run them in view, read what they write, end them when their time is up.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::Result;

/// The command as one would type it, without folders.
pub(crate) fn describe(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned());
    [name]
        .into_iter()
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs the command in view of the user and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result {
    println!("$ {}", describe(command));
    let status = command
        .status()
        .map_err(|error| not_started(command, &error))?;
    check(command, status)
}

/// Runs the command as [`run`] does, and ends it when it takes longer than `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result {
    println!("$ {}", describe(command));
    let mut child = command
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    let (done, ended) = sync_channel::<()>(1);
    let pid = child.id();
    // The wait below blocks; this thread is the clock beside it.
    let watch = thread::spawn(move || {
        let late = ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
        if late {
            // Where `kill` is missing the child simply takes its time.
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        late
    });
    let status = wait(command, &mut child);
    let _ = done.send(());
    if watch.join().unwrap_or(false) {
        let line = describe(command);
        return Err(format!(
            "`{line}` was ended: it took longer than {} s",
            limit.as_secs()
        ));
    }
    check(command, status?)
}

/// Runs the command out of view and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{}` failed: {}", describe(command), words.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs the command out of view and returns what it wrote to standard error.
pub(crate) fn errors(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_started(command, &error))?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("`{}` failed: {}", describe(command), words.trim()));
    }
    Ok(words)
}

/// Runs the command in view and gives `on_line` every line of its standard error.
pub(crate) fn run_watching(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result {
    println!("$ {}", describe(command));
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    if let Some(stderr) = child.stderr.take() {
        each_line(stderr, |line| {
            eprintln!("{line}");
            on_line(line);
        });
    }
    let status = wait(command, &mut child)?;
    check(command, status)
}

/// Whether the program can be started and says that all is well.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn each_line(source: impl Read, mut on_line: impl FnMut(&str)) {
    let mut reader = BufReader::new(source);
    let mut line = Vec::new();
    // Tests may write bytes that are no UTF-8, so the lines are read as bytes.
    while reader
        .read_until(b'\n', &mut line)
        .is_ok_and(|bytes| bytes > 0)
    {
        on_line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
        line.clear();
    }
}

fn wait(command: &Command, child: &mut Child) -> Result<ExitStatus> {
    child
        .wait()
        .map_err(|error| format!("waiting for `{}`: {error}", describe(command)))
}

fn check(command: &Command, status: ExitStatus) -> Result {
    if status.success() {
        return Ok(());
    }
    Err(format!("`{}` failed ({status})", describe(command)))
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` could not be started: {error}", describe(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_described_without_folders() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["fmt", "--all"]);
        assert_eq!(describe(&command), "cargo fmt --all");
    }

    #[test]
    fn a_failing_command_is_named() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.contains("sh -c exit 3"), "{error}");
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let mut command = Command::new("sleep");
        let error = run_within(command.arg("600"), Duration::from_millis(20)).unwrap_err();
        assert!(error.contains("longer than"), "{error}");
    }

    #[test]
    fn lines_are_handed_on_even_when_they_are_no_utf8() {
        let mut lines = Vec::new();
        each_line(&b"one\r\n\xff\nlast"[..], |line| {
            lines.push(line.to_owned());
        });
        assert_eq!(lines, ["one", "\u{fffd}", "last"]);
    }
}
