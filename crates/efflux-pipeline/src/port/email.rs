//! A port that sends mail.

mod dialogue;
mod faults;
mod letter;
mod server;

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use lettre::Message as Mail;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use serde::Deserialize;
use tokio::sync::Mutex;

use self::dialogue::{Blame, Unsent};
use self::letter::Writer;
use self::server::Server;
use super::{Batch, Failed, Kept, Port, Reader};
use crate::limits::CONNECTIONS_LOST_MAX;
use crate::parcel::Parcel;
use crate::quantity::Period;
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::template::Template;

/// Sends each message as a mail.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[cfg_attr(feature = "file", schemars(
    extend("dependentRequired" = { "user": ["password"], "password": ["user"] }),
    extend("anyOf" = [
        { "required": ["text"] }, { "required": ["html"] }, { "required": ["attachment"] },
    ]),
))]
pub struct EmailPortSettings {
    /// The host of the mail server.
    pub host: String,
    /// Its port: without it 587 for `starttls`, 465 for `implicit` and 25 for `none`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: EmailTls,
    /// Who sends, as the server knows it.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A file of authorities (PEM) that the server's certificate is believed by, beside those of the
    /// system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The sender, as in `Orders <orders@example.com>`.
    pub from: String,
    /// The recipients, parted by commas. What a message fills in is within one of them.
    pub to: Template,
    /// The subject, of one line.
    pub subject: Template,
    /// The body as text.
    #[serde(default)]
    pub text: Option<Template>,
    /// The body as HTML. What messages fill in is not escaped.
    #[serde(default)]
    pub html: Option<Template>,
    /// The payload as an attachment.
    #[serde(default)]
    pub attachment: Option<EmailAttachment>,
    /// How long the server may take for an answer.
    #[serde(default = "half_a_minute")]
    pub timeout: Period,
}

/// How the connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EmailTls {
    /// The server is asked to encrypt a connection that began in the clear, and must.
    #[default]
    Starttls,
    /// It is encrypted from its beginning.
    Implicit,
    /// It is not, which only a server on this machine is spoken to by.
    None,
}

/// The payload as an attachment.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct EmailAttachment {
    /// What its file is called.
    pub name: Template,
    /// Its media type; without it, the message's own.
    #[serde(default)]
    pub content_type: Option<String>,
}

fn half_a_minute() -> Period {
    Period(Duration::from_secs(30))
}

/// Sends each message as a mail.
///
/// A message is delivered when the server took the mail. It has a `Message-ID` that follows from the
/// message's id, by which most programs show a mail that was sent twice only once.
pub struct EmailPort {
    server: Server,
    /// Taken out by who sends, and put back when the server has said its last word: a connection on
    /// which somebody stopped waiting would give the answer to one mail to the next.
    connection: Mutex<Option<AsyncSmtpConnection>>,
    writer: Writer,
    timeout: Duration,
}

impl EmailPort {
    /// Sends as the settings say.
    ///
    /// # Errors
    /// `Fatal` when the settings contradict each other, the sender is no address, or the file of
    /// authorities cannot be read.
    pub fn new(settings: EmailPortSettings) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        Ok(Self {
            server: Server::new(&settings)?,
            connection: Mutex::new(None),
            timeout: settings.timeout.0,
            writer: Writer::new(settings)?,
        })
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, StageError>>,
    ) -> Result<T, StageError> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(done) => done,
            Err(_) => Err(StageError::unavailable(format!(
                "the mail server did not answer within {:?}",
                self.timeout
            ))),
        }
    }

    /// The connection that is there, if the server still answers on it, or another one.
    async fn connected(
        &self,
        held: &mut Option<AsyncSmtpConnection>,
    ) -> Result<AsyncSmtpConnection, StageError> {
        if let Some(mut connection) = held.take()
            && connection.test_connected().await
        {
            return Ok(connection);
        }
        self.server.connect().await
    }

    async fn send(
        &self,
        held: &mut Option<AsyncSmtpConnection>,
        mail: &Mail,
    ) -> Result<(), Unsent> {
        let connection = match held.take() {
            Some(connection) => connection,
            None => {
                let connected = self.in_time(self.server.connect()).await;
                connected.map_err(|error| Unsent::new(Blame::Server, error))?
            }
        };
        let sending = async { Ok(dialogue::send(connection, mail).await) };
        let (connection, sent) = self
            .in_time(sending)
            .await
            .map_err(|error| Unsent::new(Blame::Connection, error))?;
        *held = connection;
        sent
    }
}

/// What became of a batch so far.
#[derive(Default)]
struct Outcome<'a> {
    sent: usize,
    failed: Vec<(usize, StageError)>,
    /// Groups of which a mail may be sent later: what is behind it waits.
    groups: HashSet<&'a str>,
    /// Whether one failed for which the server is not to blame.
    has_own: bool,
    /// Connections that were lost, one after the other.
    lost: u32,
}

impl<'a> Outcome<'a> {
    fn waits(&self, parcel: &Parcel) -> bool {
        let group = parcel.message.message_group();
        group.is_some_and(|group| self.groups.contains(group))
    }

    /// Adds what became of a mail; returns whether to go on with the next.
    fn add(&mut self, at: usize, parcel: &'a Parcel, sent: Result<(), Unsent>) -> bool {
        let Err(Unsent { why, blame, .. }) = sent else {
            self.sent += 1;
            self.lost = 0;
            return true;
        };
        if !matches!(why, StageError::Rejected(_)) {
            self.groups.extend(parcel.message.message_group());
        }
        self.has_own |= blame == Blame::Mail;
        self.lost = match blame {
            Blame::Connection => self.lost + 1,
            _ => 0,
        };
        self.failed.push((at, why));
        blame != Blame::Server && self.lost < CONNECTIONS_LOST_MAX
    }

    fn into_result(self) -> Result<(), Failed> {
        let mut failed = self.failed.into_iter();
        match failed.next() {
            None => Ok(()),
            Some((_, first)) if self.sent == 0 && !self.has_own => Err(first.into()),
            Some(first) => Err(Failed::Parts(
                std::iter::once(first).chain(failed).collect(),
            )),
        }
    }
}

#[async_trait]
impl Port for EmailPort {
    async fn open(&self, _: &Reader) -> Result<Kept, StageError> {
        let mut held = self.connection.lock().await;
        *held = Some(self.in_time(self.server.connect()).await?);
        Ok(Kept::Nothing)
    }

    fn times_each_message(&self) -> bool {
        true
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let mut outcome = Outcome::default();
        let mut goes_on = true;
        let mut held = self.connection.lock().await;
        *held = Some(self.in_time(self.connected(&mut held)).await?);
        for (at, parcel) in batch.parcels.iter().enumerate() {
            if !goes_on || outcome.waits(parcel) {
                let told = "a mail before it could not be sent";
                outcome.failed.push((at, StageError::untried(told)));
                continue;
            }
            let sent = match self.writer.write(parcel) {
                Ok(mail) => self.send(&mut held, &mail).await,
                Err(error) => Err(Unsent::new(Blame::Mail, error)),
            };
            goes_on = outcome.add(at, parcel, sent);
        }
        outcome.into_result()
    }

    async fn close(&self) -> Result<(), StageError> {
        let mut held = self.connection.lock().await;
        if let Some(mut connection) = held.take() {
            let goodbye = async {
                connection.abort().await;
                Ok(())
            };
            return self.in_time(goodbye).await;
        }
        Ok(())
    }
}

impl fmt::Debug for EmailPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailPort").finish_non_exhaustive()
    }
}
