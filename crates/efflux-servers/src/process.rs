//! A server's process: started, waited for, signalled, and ended with all that came of it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::{Error, Result, family};

/// How long a server may take until it is ready: RabbitMQ takes about five seconds of a core,
/// and tests run beside each other.
const READY_MAX: Duration = Duration::from_secs(90);
/// How long a server that was asked to end may take before it is killed.
const END_MAX: Duration = Duration::from_secs(30);
/// How often a server is asked whether it is ready or has ended.
const PACE: Duration = Duration::from_millis(20);
/// The file in the server's folder that takes what it writes.
const LOG: &str = "server.log";
/// How much of what it wrote an error shows.
const LOG_LINES: usize = 20;
/// Waits until the test lets go of its input, by ending in whatever way; then kills the group and
/// removes the folder.
const WATCHDOG: &str = "cat; kill -s KILL -- -$0; rm -rf -- \"$1\"";

/// A process that has ended when this is dropped.
pub(crate) struct Process {
    child: Child,
    watchdog: Child,
    program: String,
    log: PathBuf,
}

impl Process {
    /// Starts the command in a process group of its own, and waits until it is ready.
    pub(crate) fn start(
        command: &mut Command,
        folder: &Path,
        is_ready: impl Fn() -> bool,
    ) -> Result<Self> {
        let log = folder.join(LOG);
        let output = File::options().create(true).append(true).open(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?);
        let child = command.stderr(output).process_group(0).spawn()?;
        let mut watchdog = Command::new("/bin/sh");
        watchdog.args(["-c", WATCHDOG, &child.id().to_string()]);
        watchdog.arg(folder).env_clear().current_dir("/");
        watchdog.stdin(Stdio::piped()).stdout(Stdio::null());
        let program = Path::new(command.get_program()).file_name();
        let mut process = Self {
            child,
            watchdog: watchdog.stderr(Stdio::null()).process_group(0).spawn()?,
            program: program.unwrap_or_default().to_string_lossy().into_owned(),
            log,
        };
        process.wait_until_ready(is_ready)?;
        Ok(process)
    }

    fn wait_until_ready(&mut self, is_ready: impl Fn() -> bool) -> Result {
        let start = Instant::now();
        while !is_ready() {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failed(format!("it ended at once ({status})")));
            }
            if start.elapsed() > READY_MAX {
                return Err(self.failed(format!("it is not ready after {READY_MAX:?}")));
            }
            std::thread::park_timeout(PACE);
        }
        Ok(())
    }

    fn failed(&self, message: String) -> Error {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.len().saturating_sub(LOG_LINES);
        Error::Failed {
            program: self.program.clone(),
            message,
            log: lines.get(end..).unwrap_or_default().join("\n"),
        }
    }

    /// Sends a signal to the process and all that came of it.
    pub(crate) fn signal_all(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            family::signal(pid, signal);
        }
    }

    /// Asks the process to end by `signal`, and kills it when it takes too long.
    pub(crate) fn end(mut self, signal: Signal) -> Result {
        if let Some(pid) = self.pid() {
            // When it has ended by itself there is nobody to ask.
            let _ = rustix::process::kill_process(pid, signal);
        }
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > END_MAX {
                return Err(self.failed(format!("it has not ended after {END_MAX:?}")));
            }
            std::thread::park_timeout(PACE);
        }
        Ok(())
    }

    fn pid(&self) -> Option<Pid> {
        // Once waited for, its number may be another's.
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing can be done about a failure: it has ended already.
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), self.pid()) {
            let family = family::kill(pid);
            let _ = self.child.wait();
            let start = Instant::now();
            while start.elapsed() < END_MAX && !family.iter().all(|it| family::has_ended(*it)) {
                std::thread::park_timeout(PACE);
            }
        }
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
    }
}
