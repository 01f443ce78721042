//! A mail server, which is a small program on Python's aiosmtpd.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::folder::Folder;
use crate::port::free_port;
use crate::program::python;
use crate::server::{Kind, Server, ask};
use crate::tls;

const USER: &str = "efflux";
const PASSWORD: &str = "secret";
const SCRIPT: &str = include_str!("smtp.py");

/// A mail server; its methods are those of [`Server`] and its own.
///
/// It takes mail from who has begun TLS and shown a password. A recipient says how it wants to be
/// refused: `450.anything@…` is answered 450, `once.450.anything@…` so the first time only,
/// `data.554.anything@…` when the mail itself was sent, `hang.anything@…` not at all.
#[derive(Debug)]
pub struct Smtp {
    server: Server,
    tls_port: u16,
}

/// A mail that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// Whether it came through TLS.
    pub is_encrypted: bool,
    /// Who sent it, as the password proved.
    pub user: String,
    /// Headers and body as they came, with `\n` for line ends.
    pub text: String,
}

impl Smtp {
    /// Starts a server that has taken no mail.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`](crate::Error::Missing) when aiosmtpd is not installed,
    /// [`Error::Failed`](crate::Error::Failed) when it does not start.
    pub fn start() -> Result<Self> {
        let folder = Folder::make("smtp")?;
        let (port, tls_port) = (free_port()?, free_port()?);
        let kind = Script {
            python: python()?,
            port,
            tls_port,
        };
        folder.make_folder("mails")?;
        tls::write(&folder)?;
        let server = Server::start(kind, port, folder)?;
        Ok(Self { server, tls_port })
    }

    /// The port where TLS begins with the connection; that of [`Server::port`] begins in the
    /// clear and wants STARTTLS.
    #[must_use]
    pub const fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The user that may send.
    #[must_use]
    pub const fn user(&self) -> &'static str {
        USER
    }

    /// The user's password.
    #[must_use]
    pub const fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The mails that were taken, in this order.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) when its folder cannot be read.
    pub fn mails(&self) -> Result<Vec<Mail>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(self.folder().file("mails"))? {
            paths.push(entry?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|end| end == "mail"));
        paths.sort();
        let mut mails = Vec::new();
        for path in paths {
            mails.push(Mail::read(&String::from_utf8_lossy(&fs::read(path)?)));
        }
        Ok(mails)
    }
}

impl Deref for Smtp {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Mail {
    fn read(file: &str) -> Self {
        let (envelope, text) = file.split_once("\n\n").unwrap_or((file, ""));
        let mut mail = Self {
            text: text.replace("\r\n", "\n"),
            ..Self::default()
        };
        for line in envelope.lines() {
            match line.split_once(' ') {
                Some(("from", sender)) => sender.clone_into(&mut mail.from),
                Some(("to", recipient)) => mail.to.push(recipient.to_owned()),
                Some(("tls", word)) => mail.is_encrypted = word == "True",
                Some(("user", user)) => user.clone_into(&mut mail.user),
                _ => {}
            }
        }
        mail
    }
}

struct Script {
    python: PathBuf,
    port: u16,
    tls_port: u16,
}

impl Kind for Script {
    fn command(&self, folder: &Folder) -> Result<Command> {
        let script = folder.write("smtp.py", SCRIPT)?;
        let mut command = Command::new(&self.python);
        command.arg(script).arg(folder.file("mails"));
        command.args([self.port.to_string(), self.tls_port.to_string()]);
        command.args([folder.file("cert.pem"), folder.file("key.pem")]);
        command.args([USER, PASSWORD]).current_dir(folder.path());
        Ok(command)
    }

    fn is_ready(&self, port: u16) -> bool {
        ask::<3>(port, b"").is_ok_and(|answer| answer == *b"220")
    }
}
