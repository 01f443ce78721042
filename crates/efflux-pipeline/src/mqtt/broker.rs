//! Where a broker is, how it is reached, and what its errors mean.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AckMode, AsyncClient, Broker as Address, ConnAck, ConnectReturnCode, ConnectionError,
    DisconnectReasonCode, Event, EventLoop, MqttOptions, Packet, SessionMode, StateError,
    TlsConfiguration, Transport,
};
use tokio::time::timeout;

use super::limits::CONNECT_MAX;
use super::session::Nothing;
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::tls;

/// A session that the broker keeps has no end by itself.
const NO_EXPIRY: u32 = u32::MAX;

/// Where a broker is, and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    host: String,
    port: u16,
    is_encrypted: bool,
    ca_file: Option<PathBuf>,
    credentials: Option<(String, Secret)>,
    keep_alive_seconds: u16,
}

/// Which session a client has with a broker.
#[derive(Clone, Debug)]
pub(crate) enum Session {
    /// One that ends with the connection.
    Clean { client_id: String },
    /// One that the broker keeps: messages that come while nobody is connected, and those that
    /// were not acknowledged. The broker sends at most so many before it is answered.
    Kept { client_id: String, receive_max: u16 },
}

/// A connection; it lives as long as its event loop is polled.
pub(crate) struct Connected {
    pub(crate) client: AsyncClient,
    pub(crate) events: EventLoop,
    /// The largest packet that the broker takes, in bytes; none for as large as there are.
    pub(crate) packet_bytes_max: Option<u32>,
}

/// All that is wrong with where a broker is, and how it is spoken to.
pub(crate) fn faults(
    url: &str,
    user: Option<&String>,
    password: Option<&Secret>,
    keep_alive: Duration,
) -> Vec<SettingFault> {
    let usual = super::limits::KEEP_ALIVE_DEFAULT;
    let of_url = Broker::new(url, None, None, None, usual).err();
    let of_url = of_url.map(|error| SettingFault::from(error).within("url"));
    let of_password = (user.is_none() && password.is_some())
        .then(|| SettingFault::lack("there is a password, and no user").within("password"));
    let is_kept = u16::try_from(keep_alive.as_secs()).is_ok_and(|seconds| seconds > 0);
    let what = "keep_alive has to be 1s to 65535s";
    let of_keep_alive = SettingFault::unless(is_kept, "keep_alive", what);
    let faults = of_url.into_iter().chain(of_password);
    faults.chain(of_keep_alive).collect()
}

impl Broker {
    pub(crate) fn new(
        url: &str,
        user: Option<&String>,
        password: Option<&Secret>,
        ca_file: Option<PathBuf>,
        keep_alive: Duration,
    ) -> Result<Self, StageError> {
        let fatal = |what: String| Err(StageError::fatal(what));
        let (is_encrypted, address) = match url.split_once("://") {
            Some(("mqtt", address)) => (false, address),
            Some(("mqtts", address)) => (true, address),
            _ => {
                return fatal(
                    "the url is none, as in mqtt://HOST:1883 or mqtts://HOST:8883".into(),
                );
            }
        };
        let address = address.trim_end_matches('/');
        if address.contains(['@', '/', '?']) {
            return fatal(
                "the url holds a host and a port alone; user and password are settings".into(),
            );
        }
        let usual = if is_encrypted { 8883 } else { 1883 };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => match port.parse() {
                Ok(port) => (host, port),
                Err(_) => return fatal(format!("the url's port {port:?} is no number of a port")),
            },
            _ => (address, usual),
        };
        let credentials = match (user, password) {
            (Some(user), Some(password)) => Some((user.clone(), password.clone())),
            (Some(user), None) => Some((user.clone(), Secret::new(""))),
            (None, None) => None,
            (None, Some(_)) => return fatal("there is a password, and no user".into()),
        };
        let Ok(keep_alive_seconds @ 1..) = u16::try_from(keep_alive.as_secs()) else {
            return fatal("keep_alive has to be 1s to 65535s".into());
        };
        if host.trim_matches(['[', ']']).is_empty() {
            return fatal("the url names no host".into());
        }
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            is_encrypted,
            ca_file,
            credentials,
            keep_alive_seconds,
        })
    }

    /// Connects, with room for this many requests that wait to be sent.
    pub(crate) async fn connect(
        &self,
        session: &Session,
        requests: usize,
    ) -> Result<Connected, StageError> {
        let options = self.options(session)?;
        let (client, mut events) = AsyncClient::builder(options)
            .capacity(requests)
            .try_build()
            .map_err(|error| StageError::fatal(error.to_string()))?;
        let doing = format!("connect to {}:{}", self.host, self.port);
        let acknowledged = async {
            loop {
                if let Event::Incoming(Packet::ConnAck(acknowledged)) = events.poll().await? {
                    return Ok::<ConnAck, ConnectionError>(acknowledged);
                }
            }
        };
        match timeout(CONNECT_MAX, acknowledged).await {
            Ok(Ok(acknowledged)) => Ok(Connected {
                client,
                events,
                packet_bytes_max: acknowledged.properties.and_then(|it| it.max_packet_size),
            }),
            Ok(Err(error)) => Err(failed(&error, &doing)),
            Err(_) => Err(StageError::unavailable(format!(
                "cannot {doing}: it has not answered for {CONNECT_MAX:?}"
            ))),
        }
    }

    fn options(&self, session: &Session) -> Result<MqttOptions, StageError> {
        let address = Address::tcp(self.host.clone(), self.port);
        let mut options = match session {
            Session::Clean { client_id } => MqttOptions::new(client_id, address),
            Session::Kept {
                client_id,
                receive_max,
            } => {
                let mut options = MqttOptions::new(client_id, address);
                options.set_session_mode(SessionMode::Persistent);
                options.set_session_expiry_interval(Some(NO_EXPIRY));
                options.set_session_store(Nothing {
                    expiry_seconds: NO_EXPIRY,
                });
                options.set_receive_maximum(Some(*receive_max));
                options.set_ack_mode(AckMode::Manual);
                options
            }
        };
        // A bound would be told to the broker, which then leaves out what is larger.
        options.set_unlimited_incoming_packet_size();
        options.set_keep_alive(self.keep_alive_seconds);
        if let Some((user, password)) = &self.credentials {
            options.set_credentials(user, password.expose().as_bytes().to_vec());
        }
        if self.is_encrypted {
            let tls = Arc::new(tls::client(self.ca_file.as_deref())?);
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        }
        Ok(options)
    }
}

/// What a broker's error means to a pipeline that tried to do this.
pub(crate) fn failed(error: &ConnectionError, doing: &str) -> StageError {
    use ConnectReturnCode as Code;
    let will_never_work = match error {
        ConnectionError::ConnectionRefused(code)
        | ConnectionError::MqttState(StateError::ConnFail { reason: code }) => matches!(
            code,
            Code::BadUserNamePassword
                | Code::NotAuthorized
                | Code::BadClientId
                | Code::ClientIdentifierNotValid
                | Code::Banned
                | Code::BadAuthenticationMethod
                | Code::RefusedProtocolVersion
                | Code::UnsupportedProtocolVersion
        ),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => matches!(
            reason_code,
            DisconnectReasonCode::NotAuthorized | DisconnectReasonCode::SessionTakenOver
        ),
        ConnectionError::SessionRestore(_) | ConnectionError::BrokerTransportMismatch => true,
        _ => false,
    };
    let told = match error {
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            ..
        }) => format!("cannot {doing}: another client uses the same client_id"),
        ConnectionError::ConnectionRefused(code) => {
            format!("cannot {doing}: the broker says {code:?}")
        }
        error => format!("cannot {doing}: {error}"),
    };
    match will_never_work {
        true => StageError::fatal(told),
        false => StageError::unavailable(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(url: &str, keep_alive: u64) -> Result<Broker, String> {
        let keep_alive = Duration::from_secs(keep_alive);
        Broker::new(url, None, None, None, keep_alive).map_err(|error| error.reason())
    }

    #[test]
    fn a_url_is_a_host_and_a_port() {
        for (url, host, port, is_encrypted) in [
            ("mqtt://localhost", "localhost", 1883, false),
            ("mqtts://broker.example/", "broker.example", 8883, true),
            ("mqtt://127.0.0.1:99", "127.0.0.1", 99, false),
            ("mqtt://[::1]:99", "::1", 99, false),
            ("mqtt://[::1]", "::1", 1883, false),
        ] {
            let broker = broker(url, 10).unwrap();
            let found = (broker.host.as_str(), broker.port, broker.is_encrypted);
            assert_eq!(found, (host, port, is_encrypted), "{url}");
        }
        for (url, keep_alive, told) in [
            ("localhost:1883", 10, "mqtt://HOST"),
            ("mqtt://user:secret@host", 10, "settings"),
            ("mqtt://host:x", 10, "no number"),
            ("mqtt://host", 0, "keep_alive"),
        ] {
            let error = broker(url, keep_alive).unwrap_err();
            assert!(error.contains(told), "{error} does not tell {told}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
