//! What keeps a server from starting.

/// Why a server could not be started, stopped or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not installed.
    #[error("{program} is not installed, so this test cannot run; run `cargo xtask setup`")]
    Missing {
        /// The program that was looked for.
        program: String,
    },
    /// A server ended, or did not become ready in time; with the end of what it wrote.
    #[error("{program}: {message}\n{log}")]
    Failed {
        /// The program that was started.
        program: String,
        /// What happened.
        message: String,
        /// The last lines that it wrote.
        log: String,
    },
    /// The machine refused something: a file, a port, a signal.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// The outcome of what is asked of a server.
pub type Result<T = ()> = std::result::Result<T, Error>;
