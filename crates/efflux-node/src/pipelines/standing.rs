//! How a pipeline stands.

use efflux_flow::pipeline::Counts;

/// How a pipeline stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// The file that declares it.
    pub file: String,
    /// What it does.
    pub state: State,
    /// What it has done since it was started.
    pub counts: Counts,
}

impl Standing {
    /// How a pipeline stands that runs outside of [`Pipelines`](super::Pipelines).
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        file: impl Into<String>,
        state: State,
        counts: Counts,
    ) -> Self {
        Self {
            name: name.into(),
            file: file.into(),
            state,
            counts,
        }
    }
}

/// What a pipeline does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It was not started, or it was stopped.
    Stopped,
    /// It runs.
    Running,
    /// Its source has ended, and all is delivered.
    Ended,
    /// It could not go on, for this reason. What was not delivered stays in its source.
    Failed(String),
}

impl State {
    /// The state's name, as the interface tells it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Failed(_) => "failed",
        }
    }

    /// Why it could not go on, if it could not.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed(reason) => Some(reason),
            _ => None,
        }
    }
}
