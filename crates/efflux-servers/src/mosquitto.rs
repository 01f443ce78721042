//! Mosquitto, which keeps sessions and messages while it is stopped.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::folder::Folder;
use crate::port::free_port;
use crate::program::program;
use crate::server::{Kind, Server, ask};
use crate::{Error, Result, tls};

const USER: &str = "efflux";
const PASSWORD: &str = "secret";

/// A Mosquitto broker; its methods are those of [`Server`] and its own.
///
/// It writes what it keeps when it is stopped. When it is killed it has lost what came in the last
/// second or more.
#[derive(Debug)]
pub struct Mosquitto {
    server: Server,
    tls_port: u16,
}

impl Mosquitto {
    /// Starts a broker without sessions.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when Mosquitto is not installed, [`Error::Failed`] when it does not
    /// start.
    pub fn start() -> Result<Self> {
        let folder = Folder::make("mosquitto")?;
        let (port, tls_port) = (free_port()?, free_port()?);
        let kind = Broker {
            program: program("mosquitto")?,
        };
        let passwords = folder.write("passwords", "")?;
        let mut add = folder.command(&program("mosquitto_passwd")?);
        add.arg("-b").arg(&passwords).args([USER, PASSWORD]);
        let added = add.stdin(Stdio::null()).output()?;
        if !added.status.success() {
            return Err(Error::Failed {
                program: "mosquitto_passwd".to_owned(),
                message: "it wrote no password".to_owned(),
                log: String::from_utf8_lossy(&added.stderr).trim().to_owned(),
            });
        }
        let (certificate, key) = tls::write(&folder)?;
        // No bound of its own on what waits for a session: tests send more than its 1000.
        let configuration = format!(
            "listener {port} 127.0.0.1\n\
             listener {tls_port} 127.0.0.1\ncertfile {}\nkeyfile {}\n\
             allow_anonymous false\npassword_file {}\n\
             persistence true\npersistence_location {}/\n\
             autosave_interval 1\nautosave_on_changes true\n\
             max_queued_messages 0\n",
            certificate.display(),
            key.display(),
            passwords.display(),
            folder.make_folder("data")?.display(),
        );
        folder.write("mosquitto.conf", &configuration)?;
        let server = Server::start(kind, port, folder)?;
        Ok(Self { server, tls_port })
    }

    /// Where the broker is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port())
    }

    /// Where the broker is for who speaks TLS and believes [`tls_authority`](crate::tls_authority).
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("mqtts://localhost:{}", self.tls_port)
    }

    /// The user that it lets in.
    #[must_use]
    pub const fn user(&self) -> &'static str {
        USER
    }

    /// The user's password.
    #[must_use]
    pub const fn password(&self) -> &'static str {
        PASSWORD
    }
}

impl Deref for Mosquitto {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

struct Broker {
    program: PathBuf,
}

impl Kind for Broker {
    fn command(&self, folder: &Folder) -> Result<Command> {
        let mut command = folder.command(&self.program);
        command.arg("-c").arg(folder.file("mosquitto.conf"));
        Ok(command)
    }

    /// Who shows no password is told so.
    fn is_ready(&self, port: u16) -> bool {
        let question = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01?";
        ask::<1>(port, question).is_ok_and(|answer| answer == [0x20])
    }
}
