//! The mail server, and what its answers mean for the pipeline.

use std::error::Error as _;
use std::fs;
use std::net::IpAddr;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{AsyncSmtpTransport, Tokio1Executor};

use super::{EmailPortSettings, EmailTls};
use crate::stage_error::StageError;

/// Connections to the server, which are used again.
pub(super) type Transport = AsyncSmtpTransport<Tokio1Executor>;

pub(super) fn transport(settings: &EmailPortSettings) -> Result<Transport, StageError> {
    let is_here = settings.host == "localhost"
        || settings
            .host
            .parse()
            .is_ok_and(|host: IpAddr| host.is_loopback());
    let (tls, port) = match settings.tls {
        EmailTls::Starttls => (Tls::Required(parameters(settings)?), 587),
        EmailTls::Implicit => (Tls::Wrapper(parameters(settings)?), 465),
        EmailTls::None if is_here => (Tls::None, 25),
        EmailTls::None => {
            return Err(StageError::fatal(
                "tls none is for a mail server on this machine; set starttls or implicit",
            ));
        }
    };
    let mut builder = Transport::builder_dangerous(&settings.host)
        .port(settings.port.unwrap_or(port))
        .tls(tls)
        .timeout(Some(settings.timeout.0))
        // Mails go one after the other.
        .pool_config(PoolConfig::new().max_size(1));
    match (&settings.user, &settings.password) {
        (Some(user), Some(password)) => {
            let password = password.expose().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        (None, None) => (),
        _ => return Err(StageError::fatal("user and password belong together")),
    }
    Ok(builder.build())
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

/// What follows from an answer of the server, or from none.
pub(super) fn fault(error: &Error) -> StageError {
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
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    let code = error.status().map(u16::from);
    match code {
        // Who sends is not known, or would have to show a password.
        Some(530 | 534 | 535 | 538) => StageError::fatal(text),
        _ if error.is_permanent() => StageError::rejected(text),
        _ if error.is_tls() || text.contains("certificate") => StageError::fatal(text),
        // It cannot do what the settings ask for, such as STARTTLS.
        _ if error.is_client() => StageError::fatal(text),
        _ => StageError::unavailable(text),
    }
}
