//! What is said to the mail server about one mail, and what its answers mean.

use lettre::Message as Mail;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{self, Data, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};

use super::server::told;
use crate::stage_error::StageError;

/// A mail that was not sent.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) why: StageError,
    pub(super) blame: Blame,
    /// Whether the connection is in a state that is known.
    is_settled: bool,
}

/// Who is to blame for it that a mail was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The mail: what is in it, or who it is for.
    Mail,
    /// The mail or the server.
    Unknown,
    /// The mail or the server, and the connection is lost.
    Connection,
    /// The server, which cannot be reached, or does not take mails from us.
    Server,
}

impl Unsent {
    pub(super) const fn new(blame: Blame, why: StageError) -> Self {
        Self {
            why,
            blame,
            is_settled: false,
        }
    }

    /// What follows from the answer to a command that is about this: a lasting refusal is `lasting`,
    /// one for the time being is the fault of `passing`.
    fn of(error: &Error, passing: Blame, lasting: fn(String) -> StageError) -> Self {
        let told = told(error);
        let (why, blame) = match error.status().map(u16::from) {
            // The connection ends.
            Some(421) | None => (StageError::unavailable(told), Blame::Connection),
            // Who sends would have to show a password, or another one.
            Some(530 | 534 | 535 | 538) => (StageError::fatal(told), Blame::Server),
            Some(_) if error.is_permanent() => (lasting(told), Blame::Mail),
            Some(_) => (StageError::unavailable(told), passing),
        };
        Self {
            why,
            blame,
            is_settled: blame != Blame::Connection,
        }
    }
}

/// Sends a mail; returns the connection when it can be used for the next one.
pub(super) async fn send(
    mut connection: AsyncSmtpConnection,
    mail: &Mail,
) -> (Option<AsyncSmtpConnection>, Result<(), Unsent>) {
    let sent = converse(&mut connection, mail).await;
    let is_reset = match &sent {
        Ok(()) => true,
        Err(unsent) if unsent.is_settled => connection.command(Rset).await.is_ok(),
        Err(_) => false,
    };
    (is_reset.then_some(connection), sent)
}

async fn converse(connection: &mut AsyncSmtpConnection, mail: &Mail) -> Result<(), Unsent> {
    let envelope = mail.envelope();
    let bytes = mail.formatted();
    let parameters = parameters(connection, mail, &bytes).map_err(|why| Unsent {
        is_settled: true,
        ..Unsent::new(Blame::Mail, StageError::rejected(why))
    })?;
    // The sender is that of all mails.
    let sender = commands::Mail::new(envelope.from().cloned(), parameters);
    let answer = connection.command(sender).await;
    answer.map_err(|error| Unsent::of(&error, Blame::Unknown, StageError::fatal))?;
    let lasting: fn(String) -> StageError = StageError::rejected;
    for recipient in envelope.to() {
        let answer = connection.command(Rcpt::new(recipient.clone(), Vec::new()));
        let answer = answer.await;
        answer.map_err(|error| Unsent::of(&error, Blame::Mail, lasting))?;
    }
    let answer = connection.command(Data).await;
    answer.map_err(|error| Unsent::of(&error, Blame::Unknown, lasting))?;
    let answer = connection.message(&bytes).await;
    answer.map_err(|error| Unsent::of(&error, Blame::Unknown, lasting))?;
    Ok(())
}

/// What has to be said of the mail beforehand, if the server understands it.
fn parameters(
    connection: &AsyncSmtpConnection,
    mail: &Mail,
    bytes: &[u8],
) -> Result<Vec<MailParameter>, String> {
    let (envelope, server) = (mail.envelope(), connection.server_info());
    let mut addresses = envelope.to().iter().chain(envelope.from());
    let mut parameters = Vec::new();
    if addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err("the mail server takes no addresses beyond ASCII".to_owned());
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !bytes.is_ascii() {
        if !server.supports_feature(Extension::EightBitMime) {
            return Err("the mail server takes no letters beyond ASCII".to_owned());
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}
