//! How the program ends: the exit codes, and what is printed when something failed.

use std::error::Error as _;
use std::io;
use std::process::ExitCode;

use efflux_node::storage::{Damage, Error, ErrorKind};
use serde::Serialize;

use crate::output::{OutputFormat, note};

/// The exit codes. This is the one place that knows their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Success,
    /// Something failed that is not listed below.
    Failure,
    /// The request itself is wrong.
    Usage,
    /// What was named is not there.
    NotFound,
    /// An expectation does not hold, a name or id is taken, or another process writes.
    Conflict,
    /// Stored bytes are damaged.
    Integrity,
    /// Nothing came in the time given.
    NothingInTime,
    /// The user interrupted.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Integrity => 5,
            Self::NothingInTime => 6,
            Self::Interrupted => 130,
        }
    }

    /// The name in errors that are printed as JSON.
    const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Integrity => "integrity",
            Self::NothingInTime => "nothing_in_time",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What went wrong: what happened, where, and what to try next.
#[derive(Debug)]
pub(crate) struct Failure(Box<Parts>);

#[derive(Debug)]
struct Parts {
    exit: Exit,
    what: String,
    details: Vec<String>,
    try_next: Option<String>,
    is_quiet: bool,
    damage: Option<Damage>,
}

#[derive(Serialize)]
struct Printed<'a> {
    error: PrintedError<'a>,
}

#[derive(Serialize)]
struct PrintedError<'a> {
    kind: &'static str,
    code: u8,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    details: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    r#try: Option<&'a str>,
}

impl Failure {
    /// A failure that ends the program this way.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            exit,
            what: what.into(),
            details: Vec::new(),
            try_next: None,
            is_quiet: false,
            damage: None,
        }))
    }

    /// The request itself is wrong.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Input or output failed while doing `what`.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failure,
        };
        Self::new(exit, format!("{what}: {error}"))
    }

    /// Adds a line about the place or the circumstances.
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.details.push(detail.into());
        self
    }

    /// Says what to try next.
    pub(crate) fn with_try(mut self, try_next: impl Into<String>) -> Self {
        self.0.try_next = Some(try_next.into());
        self
    }

    /// Ends the program in another way.
    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The damaged place, when stored bytes are damaged.
    pub(crate) fn damage(&self) -> Option<&Damage> {
        self.0.damage.as_ref()
    }

    pub(crate) fn what(&self) -> &str {
        &self.0.what
    }

    /// Prints it on standard error: as one JSON object where the output is JSON, else as text.
    pub(crate) fn print(&self, output: OutputFormat) {
        if self.0.is_quiet {
            return;
        }
        if output == OutputFormat::Json {
            let printed = Printed {
                error: PrintedError {
                    kind: self.0.exit.name(),
                    code: self.0.exit.code(),
                    message: &self.0.what,
                    details: &self.0.details,
                    r#try: self.0.try_next.as_deref(),
                },
            };
            note(&serde_json::to_string(&printed).unwrap_or_default());
            return;
        }
        let mut text = format!("error: {}", self.0.what);
        for detail in &self.0.details {
            text.push_str(&format!("\n  {detail}"));
        }
        if let Some(try_next) = &self.0.try_next {
            text.push_str(&format!("\n  try: {try_next}"));
        }
        note(&text);
    }
}

/// Writing to standard output failed. A reader that has seen enough closes the pipe; that is no
/// failure, and nothing is said about it.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let is_quiet = error.kind() == io::ErrorKind::BrokenPipe;
        let exit = if is_quiet {
            Exit::Success
        } else {
            Exit::Failure
        };
        let mut failure = Self::new(exit, format!("cannot write to standard output: {error}"));
        failure.0.is_quiet = is_quiet;
        failure
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let from_system = error
            .source()
            .is_some_and(<dyn std::error::Error>::is::<io::Error>);
        let exit = match error.kind() {
            ErrorKind::Invalid if from_system => Exit::Failure,
            ErrorKind::Invalid => Exit::Usage,
            ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::Conflict => Exit::Conflict,
            ErrorKind::Corrupt => Exit::Integrity,
            _ => Exit::Failure,
        };
        let mut failure = Self::new(exit, error.to_string());
        if error.may_have_applied() {
            failure = failure.with_detail(
                "it may have been appended all the same; appending it again with its id is safe",
            );
        }
        failure.0.damage = error.damage().cloned();
        failure
    }
}
