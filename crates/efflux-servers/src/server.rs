//! A server that a test can take away, bring back and let hang.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use crate::folder::Folder;
use crate::process::Process;
use crate::{Error, Result};

/// How long the answer to "are you ready" may take before it is asked again.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How a server of a kind is run.
pub(crate) trait Kind: Send + Sync {
    /// The command that runs the server in its folder; the same each time.
    fn command(&self, folder: &Folder) -> Result<Command>;
    /// Whether a client is answered as one is when the server is ready.
    fn is_ready(&self, port: u16) -> bool;
    /// The signal that asks it to end in order.
    fn ending(&self) -> Signal {
        Signal::TERM
    }
}

/// A server that runs, or is away, on one port and in one folder.
pub struct Server {
    kind: Box<dyn Kind>,
    port: u16,
    process: Mutex<Option<Process>>,
    // Dropped last: the process writes into it.
    folder: Folder,
}

impl Server {
    pub(crate) fn start(kind: impl Kind + 'static, port: u16, folder: Folder) -> Result<Self> {
        let server = Self {
            kind: Box::new(kind),
            port,
            process: Mutex::default(),
            folder,
        };
        server.restart()?;
        Ok(server)
    }

    /// The port of the loopback address that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Asks it to end in order, as an administrator does, and waits until it has.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] when it did not end in time; then it was killed.
    pub fn stop(&self) -> Result {
        let process = self.with(Option::take);
        process.map_or(Ok(()), |process| process.end(self.kind.ending()))
    }

    /// Ends it at once, as a crash does.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn kill(&self) -> Result {
        drop(self.with(Option::take));
        Ok(())
    }

    /// Starts it again on the same port and in the same folder; one that runs is killed before.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] when it ended or did not become ready.
    pub fn restart(&self) -> Result {
        self.kill()?;
        let mut command = self.kind.command(&self.folder)?;
        let is_ready = || self.kind.is_ready(self.port);
        let process = Process::start(&mut command, self.folder.path(), is_ready)?;
        self.with(|running| *running = Some(process));
        Ok(())
    }

    /// Lets it hang: what it holds open stays open, and nothing is answered.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] when it does not run.
    pub fn pause(&self) -> Result {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`Server::pause`].
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] when it does not run.
    pub fn resume(&self) -> Result {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result {
        let signalled = self.with(|running| running.as_ref().map(|it| it.signal_all(signal)));
        signalled.ok_or_else(|| Error::Failed {
            program: "server".to_owned(),
            message: "it does not run".to_owned(),
            log: String::new(),
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Option<Process>) -> T) -> T {
        let mut running = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut running)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Server");
        fields.field("port", &self.port).finish_non_exhaustive()
    }
}

/// What a server answers to the first bytes of a client, or says by itself.
pub(crate) fn ask<const BYTES: usize>(port: u16, question: &[u8]) -> io::Result<[u8; BYTES]> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.write_all(question)?;
    let mut answer = [0; BYTES];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
