//! A server's process: started on a free port, waited for, and ended by its id.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// How long a server may take until it lets someone in.
const START_MAX: Duration = Duration::from_secs(20);
/// How long an answer may take, so that a server that hangs does not hang the bench.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A process that is ended when this is dropped.
pub(crate) struct Process {
    child: Child,
    port: u16,
}

impl Process {
    /// Starts the command and waits until its port lets someone in.
    pub(crate) fn start(command: &mut Command, port: u16) -> Result<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = quiet.stderr(Stdio::null()).spawn()?;
        let mut process = Self { child, port };
        let start = Instant::now();
        while process.connect().is_err() {
            if let Some(status) = process.child.try_wait()? {
                return Err(format!("it ended at once ({status})").into());
            }
            if start.elapsed() > START_MAX {
                return Err("it let nobody in".into());
            }
            std::thread::yield_now();
        }
        Ok(process)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(stream)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing can be done about a failure: it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of this machine that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// A program in the search path or in one of `folders`.
pub(crate) fn program(name: &str, package: &str, folders: &[PathBuf]) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let searched = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut found = searched.chain(folders.iter().cloned());
    found
        .find_map(|folder| Some(folder.join(name)).filter(|it| it.is_file()))
        .ok_or_else(|| format!("{name} is not installed; apt-get install {package}").into())
}
