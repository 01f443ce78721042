//! Progress on standard error, and only when it is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

/// How often a line that says how far the work is is drawn anew while nothing else happens.
const TICK: Duration = Duration::from_millis(120);

/// A line that says how far the work is; nothing where standard error is no terminal.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    bar: ProgressBar,
}

impl ProgressLine {
    /// A bar over a known number of bytes, or a counter where it is not known.
    pub(crate) fn over(bytes: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr_with_hz(10));
        let template = match bytes {
            Some(_) => "{bar:30} {bytes}/{total_bytes} {msg} (about {eta} left)",
            None => "{spinner} {bytes} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self { bar }
    }

    /// A line that says what is counted, without an end that is known.
    pub(crate) fn counting() -> Self {
        let line = Self::over(None);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            line.bar.set_style(style);
        }
        line
    }

    /// Says something else.
    pub(crate) fn say(&self, message: String) {
        if !self.bar.is_hidden() {
            self.bar.set_message(message);
        }
    }

    /// Says how far the work is.
    pub(crate) fn tell(&self, bytes: u64, message: String) {
        if !self.bar.is_hidden() {
            self.bar.set_position(bytes);
            self.bar.set_message(message);
        }
    }

    /// What writes to standard error, for which the line gives way.
    pub(crate) fn log(&self) -> LogWriter {
        LogWriter {
            bar: self.bar.clone(),
        }
    }

    /// A handle that tells from elsewhere.
    pub(crate) fn teller(&self) -> impl Fn(u64, u64) + Send + Sync + 'static {
        let bar = self.bar.clone();
        move |particles, bytes| {
            bar.set_position(bytes);
            bar.set_message(format!("{particles} particles"));
        }
    }

    /// Prints a line above it.
    pub(crate) fn print(&self, line: &str) {
        self.bar.suspend(|| note(line));
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Writes to standard error beside a line of progress.
#[derive(Clone, Debug)]
pub(crate) struct LogWriter {
    bar: ProgressBar,
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
