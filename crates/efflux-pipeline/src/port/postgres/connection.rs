//! A connection to the server, and how it is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;

use tokio::task::AbortHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};

use super::PostgresPortSettings;
use super::fault::fault_of_connecting;
use super::secure::Secure;
use crate::stage_error::StageError;
use crate::tls;

/// Where to connect to, and how.
pub(super) struct Target {
    config: Config,
    secure: Secure,
}

impl Target {
    pub(super) fn new(settings: &PostgresPortSettings) -> Result<Self, StageError> {
        // The parser's error does not repeat the text, and so tells no password.
        let parsed = settings.url.expose().parse::<Config>();
        let mut config = parsed.map_err(|error| {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            StageError::fatal(format!(
                "url is no postgres://USER:PASSWORD@HOST:PORT/DATABASE: {}",
                why.unwrap_or_default()
            ))
        })?;
        if let Some(password) = &settings.password {
            config.password(password.expose());
        }
        if config.get_application_name().is_none() {
            config.application_name("efflux");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(settings.timeout.0);
        }
        config.tcp_user_timeout(settings.timeout.0);
        // "prefer", the default, would let whoever stands between strip the encryption.
        if config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(match is_here(&config) {
                true => SslMode::Disable,
                false => SslMode::Require,
            });
        }
        let secure = match config.get_ssl_mode() {
            SslMode::Disable => Secure::never(),
            _ => Secure::new(tls::client(settings.ca_file.as_deref())?),
        };
        Ok(Self { config, secure })
    }

    pub(super) async fn connect(&self) -> Result<Connection, StageError> {
        let connected = self.config.connect(self.secure.clone()).await;
        let (client, work) = connected.map_err(|error| fault_of_connecting(&error))?;
        let task = tokio::spawn(async move {
            // What ended it is told to whoever waits for an answer of the client.
            let _ = work.await;
        });
        Ok(Connection {
            client,
            task: task.abort_handle(),
        })
    }
}

/// Whether the server is on this machine.
fn is_here(config: &Config) -> bool {
    let is_loopback = |address: &IpAddr| match address {
        IpAddr::V4(address) => Ipv4Addr::is_loopback(address),
        IpAddr::V6(address) => Ipv6Addr::is_loopback(address),
    };
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address| is_loopback(&address))
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    config.get_hostaddrs().iter().all(is_loopback) && config.get_hosts().iter().all(is_here)
}

/// A connection, which ends when it is dropped, even if the server does not answer.
pub(super) struct Connection {
    client: Client,
    task: AbortHandle,
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        let settings = PostgresPortSettings {
            url: crate::Secret::new(url),
            password: None,
            ca_file: Some("no-such-file".into()),
            table: "t".to_owned(),
            columns: std::collections::BTreeMap::new(),
            mode: crate::WriteMode::Insert,
            key: Vec::new(),
            timeout: crate::Period(std::time::Duration::from_secs(1)),
        };
        match Target::new(&settings) {
            Ok(target) => target.config.get_ssl_mode(),
            // The file of authorities was looked for.
            Err(error) => {
                assert!(error.reason().contains("no-such-file"), "{error}");
                SslMode::Require
            }
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls_unless_it_is_asked_for() {
        assert_eq!(mode("postgres://a@localhost/d"), SslMode::Disable);
        assert_eq!(mode("postgres://a@127.0.0.1/d"), SslMode::Disable);
        assert_eq!(mode("postgres://a@[::1]/d"), SslMode::Disable);
        assert_eq!(mode("postgres://a@db.example/d"), SslMode::Require);
        assert_eq!(
            mode("postgres://a@10.0.0.1/d?sslmode=prefer"),
            SslMode::Require
        );
        assert_eq!(
            mode("postgres://a@db.example/d?sslmode=disable"),
            SslMode::Disable
        );
        assert_eq!(
            mode("postgres://a@localhost/d?sslmode=require"),
            SslMode::Require
        );
        assert_eq!(
            mode("postgres://a@localhost,db.example/d"),
            SslMode::Require
        );
    }
}
