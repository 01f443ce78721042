//! PostgreSQL with one database, and a user that has to show a password.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::folder::Folder;
use crate::port::free_port;
use crate::program::program;
use crate::server::{Kind, Server, ask};
use crate::{Error, Result, tls};

const USER: &str = "efflux";
const PASSWORD: &str = "secret";
/// A tenth of the memory and of the start that it takes by default. What is lost when the machine
/// loses power is of no interest here, so nothing is synced.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=16MB",
    "max_connections=40",
    "autovacuum=off",
    "ssl=on",
];

/// A PostgreSQL server; its methods are those of [`Server`] and its own.
#[derive(Debug)]
pub struct Postgres(Server);

impl Postgres {
    /// Makes a cluster and starts a server on it.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when PostgreSQL is not installed, [`Error::Failed`] when it does not
    /// start.
    pub fn start() -> Result<Self> {
        let folder = Folder::make("postgres")?;
        let kind = Cluster {
            program: program("postgres")?,
            port: free_port()?,
        };
        let mut make = folder.command(&program("initdb")?);
        make.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
        make.args(["--no-sync", "--username", USER, "--pwfile"]);
        make.arg(folder.write("password", PASSWORD)?);
        make.arg("--pgdata").arg(folder.file("data"));
        let made = make.stdin(Stdio::null()).output()?;
        if !made.status.success() {
            return Err(Error::Failed {
                program: "initdb".to_owned(),
                message: "it made no cluster".to_owned(),
                log: String::from_utf8_lossy(&made.stderr).trim().to_owned(),
            });
        }
        let (_, key) = tls::write(&folder)?;
        fs::set_permissions(key, fs::Permissions::from_mode(0o600))?;
        let port = kind.port;
        Server::start(kind, port, folder).map(Self)
    }

    /// Where its database is, with user and password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(USER, PASSWORD)
    }

    /// Where its database is, for another user or with another password.
    #[must_use]
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!(
            "postgres://{user}:{password}@127.0.0.1:{}/postgres",
            self.port()
        )
    }

    /// Runs SQL by psql and returns what it writes: a line for each row, `|` between columns.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] with PostgreSQL's words when the SQL fails.
    pub fn query(&self, sql: &str) -> Result<String> {
        let mut psql = self.folder().command(&program("psql")?);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        let output = psql.arg(self.url()).stdin(Stdio::null()).output()?;
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            return Ok(text.trim_end().to_owned());
        }
        Err(Error::Failed {
            program: "psql".to_owned(),
            message: format!("`{sql}` failed"),
            log: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}

impl Deref for Postgres {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

struct Cluster {
    program: PathBuf,
    port: u16,
}

impl Kind for Cluster {
    fn command(&self, folder: &Folder) -> Result<Command> {
        let mut command = folder.command(&self.program);
        command.arg("-D").arg(folder.file("data"));
        command.args(["-p", &self.port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        for (setting, file) in [("ssl_cert_file", "cert.pem"), ("ssl_key_file", "key.pem")] {
            let file = folder.file(file);
            command.args(["-c", &format!("{setting}={}", file.display())]);
        }
        Ok(command)
    }

    /// While it starts it answers with an error; then it asks for the password.
    fn is_ready(&self, port: u16) -> bool {
        // Length, version 3.0 of the protocol, the user, the end.
        let question = b"\0\0\0\x15\0\x03\0\0user\0efflux\0\0";
        ask::<1>(port, question).is_ok_and(|answer| answer == *b"R")
    }

    /// Ends the sessions of clients too.
    fn ending(&self) -> Signal {
        Signal::INT
    }
}
