//! Where a broker is, how it is reached, and what its errors mean.

use std::path::PathBuf;
use std::sync::Arc;

use async_rs::Runtime;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::ShortString;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};
use tokio::time::timeout;

use super::limits::{CONNECT_MAX, HEARTBEAT_SECONDS};
use super::wire;
use crate::secret::Secret;
use crate::stage_error::StageError;
use crate::tls;

/// Where a broker is, and whom its clients have to believe.
pub(crate) struct Broker {
    uri: AMQPUri,
    ca_file: Option<PathBuf>,
}

impl Broker {
    pub(crate) fn new(url: &Secret, ca_file: Option<PathBuf>) -> Result<Self, StageError> {
        // The reason is the parser's; the URL itself holds the password and is not told.
        let mut uri: AMQPUri = url.expose().parse().map_err(|error| {
            let example = "amqp://USER:PASSWORD@HOST:5672/%2f";
            StageError::fatal(format!("the url is none, as in {example}: {error}"))
        })?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Ok(Self { uri, ca_file })
    }

    /// A connection and a channel on it. The broker shows the connection under this name.
    pub(crate) async fn connect(&self, name: &str) -> Result<(Connection, Channel), StageError> {
        let options = ConnectionProperties::default().with_connection_name(name.into());
        let tls = match self.uri.scheme {
            AMQPScheme::AMQP => None,
            AMQPScheme::AMQPS => Some(Arc::new(tls::client(self.ca_file.as_deref())?)),
        };
        let wired = async move |uri: AMQPUri, _: Runtime<wire::Wired>| {
            wire::connect(&uri, tls.as_ref()).await
        };
        let connect = async {
            let (uri, runtime) = (self.uri.clone(), wire::runtime());
            let connection = Connection::connector(uri, runtime, wired, options).await?;
            let channel = connection.create_channel().await?;
            Ok::<_, lapin::Error>((connection, channel))
        };
        let host = format!("{}:{}", self.uri.authority.host, self.uri.authority.port);
        match timeout(CONNECT_MAX, connect).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(error)) => Err(failed(&error, &format!("connect to {host}"))),
            Err(_) => Err(StageError::unavailable(format!(
                "cannot connect to {host}: it has not answered for {CONNECT_MAX:?}"
            ))),
        }
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut fields = f.debug_struct("Broker");
        fields.field("host", &self.uri.authority.host);
        fields.field("port", &self.uri.authority.port);
        fields.finish_non_exhaustive()
    }
}

/// What a broker's error means to a pipeline that tried to do this.
pub(crate) fn failed(error: &lapin::Error, doing: &str) -> StageError {
    let told = format!("cannot {doing}: {}", told(error));
    let will_never_work = match error.kind() {
        ErrorKind::ProtocolError(error) => matches!(
            error.kind(),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::NOTFOUND)
                | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED | AMQPHardError::INVALIDPATH)
        ),
        // What cannot be read now comes again and cannot be read then.
        ErrorKind::ParsingError(_) => true,
        ErrorKind::InvalidProtocolVersion(_)
        | ErrorKind::AuthProviderError(_)
        | ErrorKind::NoDefaultRuntime => true,
        _ => false,
    };
    match will_never_work {
        true => StageError::fatal(told),
        false => StageError::unavailable(told),
    }
}

/// The broker's own words where it said some.
fn told(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => format!("the broker says {}", error.get_message()),
        _ => error.to_string(),
    }
}

/// A text of at most 255 bytes, as AMQP wants it for names.
pub(crate) fn short(what: &str, text: &str) -> Result<ShortString, StageError> {
    ShortString::try_new(text).map_err(|_| {
        let bytes = text.len();
        StageError::rejected(format!("{what} has {bytes} bytes, AMQP allows at most 255"))
    })
}
