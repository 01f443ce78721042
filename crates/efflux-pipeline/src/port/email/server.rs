//! The mail server, and what its answers mean for the pipeline.

use std::error::Error as _;
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use super::{EmailPortSettings, EmailTls};
use crate::stage_error::StageError;

/// Where the mail server is, and how it is spoken to.
pub(super) struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
    timeout: Duration,
}

enum Encryption {
    None,
    Starttls(TlsParameters),
    Implicit(TlsParameters),
}

impl Server {
    pub(super) fn new(settings: &EmailPortSettings) -> Result<Self, StageError> {
        let is_here = is_here(&settings.host);
        let (encryption, port) = match settings.tls {
            EmailTls::Starttls => (Encryption::Starttls(parameters(settings)?), 587),
            EmailTls::Implicit => (Encryption::Implicit(parameters(settings)?), 465),
            EmailTls::None if is_here => (Encryption::None, 25),
            EmailTls::None => {
                return Err(StageError::fatal(
                    "tls none is for a mail server on this machine; set starttls or implicit",
                ));
            }
        };
        let credentials = match (&settings.user, &settings.password) {
            (Some(user), Some(password)) => {
                let password = password.expose().to_owned();
                Some(Credentials::new(user.clone(), password))
            }
            (None, None) => None,
            _ => return Err(StageError::fatal("user and password belong together")),
        };
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port.unwrap_or(port),
            encryption,
            credentials,
            timeout: settings.timeout.0,
        })
    }

    /// A connection on which mail can be sent.
    pub(super) async fn connect(&self) -> Result<AsyncSmtpConnection, StageError> {
        let connected = self.connected().await;
        connected.map_err(|error| fault_of_connecting(&error))
    }

    async fn connected(&self) -> Result<AsyncSmtpConnection, Error> {
        let hello = ClientId::default();
        let implicit = match &self.encryption {
            Encryption::Implicit(parameters) => Some(parameters.clone()),
            Encryption::None | Encryption::Starttls(_) => None,
        };
        let address = (self.host.as_str(), self.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            address,
            Some(self.timeout),
            &hello,
            implicit,
            None,
        )
        .await?;
        // A server that does not offer it is an error: nothing is sent in the clear.
        if let Encryption::Starttls(parameters) = &self.encryption {
            connection.starttls(parameters.clone(), &hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

/// Whether a mail server is on this machine.
pub(super) fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|host: IpAddr| host.is_loopback())
}

fn parameters(settings: &EmailPortSettings) -> Result<TlsParameters, StageError> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let fault =
            |why: String| StageError::fatal(format!("certificates of {}: {why}", path.display()));
        let pem = fs::read(path).map_err(|error| fault(error.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| fault(error.to_string()))?;
        builder = builder.add_root_certificate(certificate);
    }
    let built = builder.build_rustls();
    built.map_err(|error| StageError::fatal(format!("TLS: {error}")))
}

/// What follows from an error before a mail was spoken of: no mail is to blame.
fn fault_of_connecting(error: &Error) -> StageError {
    let told = told(error);
    let is_lasting = error.is_permanent()
        // It cannot do what the settings ask for, such as STARTTLS.
        || error.is_client()
        || error.is_tls()
        || told.contains("certificate");
    match is_lasting {
        true => StageError::fatal(told),
        false => StageError::unavailable(told),
    }
}

pub(super) fn told(error: &Error) -> String {
    let mut text = format!("the mail server: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text.retain(|letter| !letter.is_control());
    text
}
