//! `efflux serve`: hosts the store for others over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use efflux_node::pipelines::Folder;
use efflux_node::server::{Config, MeasuredDisk, Prepared, Server, Tls, TlsFiles};
use efflux_node::storage::RealDisk;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::pipeline::variable;
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::note;
use crate::telemetry::Telemetry;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux serve
  efflux serve --store file:./data --listen 127.0.0.1:7150
  efflux serve --config efflux.toml --check
  efflux serve --listen 0.0.0.0:7150 --tls-cert cert.pem --tls-key key.pem --tokens tokens.toml
  curl -X PUT localhost:7150/v1/topics/orders";

/// What `efflux serve` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A file of settings, in TOML; options and variables of the environment come before it
    #[arg(long, env = "EFFLUX_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on, port 0 for a free one [default: 127.0.0.1:7150]
    #[arg(long, env = "EFFLUX_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// The file of tokens that `efflux token` makes; without it everyone may do everything
    #[arg(long, env = "EFFLUX_TOKENS", value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// The chain of certificates, the node's own first, as PEM
    #[arg(
        long,
        env = "EFFLUX_TLS_CERT",
        requires = "tls_key",
        value_name = "FILE"
    )]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, as PEM
    #[arg(
        long,
        env = "EFFLUX_TLS_KEY",
        requires = "tls_cert",
        value_name = "FILE"
    )]
    tls_key: Option<PathBuf>,
    /// Whose certificates of clients are believed, as PEM; the file of tokens says what they allow
    #[arg(long, env = "EFFLUX_TLS_CLIENT_CA", value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// A folder of files that declare pipelines, which the node runs; SIGHUP reads it again
    #[arg(long, env = "EFFLUX_PIPELINES", value_name = "FOLDER")]
    pipelines: Option<PathBuf>,
    #[arg(
        help = "An origin whose pages may use the node from a browser, as https://app.example; may be \
                given several times",
        long = "page",
        env = "EFFLUX_PAGES",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pages: Vec<String>,
    /// Serve no console
    #[arg(long)]
    no_console: bool,
    /// Listen off the loopback address without encryption and authentication
    #[arg(long)]
    insecure: bool,
    /// Check all settings, tell what is wrong with them, and end
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    telemetry: Telemetry,
}

impl Arguments {
    /// All settings: those of the file, with those of the command line and the environment before
    /// them. Every fault is told at once.
    fn prepared(&self) -> Result<Prepared, Failure> {
        let mut faults = Vec::new();
        let config = self.config(&mut faults).map(|config| config.prepare());
        match config {
            Some(Ok(prepared)) if faults.is_empty() => return Ok(prepared),
            Some(Err(error)) => faults.push(error.to_string()),
            _ => {}
        }
        Err(Failure::new(Exit::Usage, faults.join("\n")))
    }

    /// The settings, not held against each other; none when there is no telling them for faults.
    fn config(&self, faults: &mut Vec<String>) -> Option<Config> {
        let read = match &self.config {
            Some(path) => Config::read(path),
            None => Ok(Config::default()),
        };
        let is_read = read.is_ok();
        let mut config = read.unwrap_or_else(|error| {
            faults.push(error.to_string());
            Config::default()
        });
        match self.listen.as_deref().map(str::parse::<SocketAddr>) {
            Some(Ok(address)) => config.listen = Some(address),
            Some(Err(_)) => faults.push(format!(
                "listen: {:?} is no address: use one as 127.0.0.1:7150",
                self.listen.as_deref().unwrap_or_default()
            )),
            None => {}
        }
        config.insecure |= self.insecure;
        if self.no_console {
            config.console = Some(false);
        }
        if !self.pages.is_empty() {
            config.pages.clone_from(&self.pages);
        }
        config.tokens = self.tokens.clone().or(config.tokens);
        config.pipelines = self.pipelines.clone().or(config.pipelines);
        if let (Some(cert), Some(key)) = (self.tls_cert.clone(), self.tls_key.clone()) {
            let client_ca = config.tls.and_then(|files| files.client_ca);
            config.tls = Some(TlsFiles::new(cert, key));
            if let (Some(files), Some(path)) = (&mut config.tls, client_ca) {
                files.client_ca = Some(path);
            }
        }
        if let Some(path) = self.tls_client_ca.clone() {
            match &mut config.tls {
                Some(files) => files.client_ca = Some(path),
                None if is_read => faults.push(
                    "--tls-client-ca needs a certificate of the node: --tls-cert, --tls-key"
                        .to_owned(),
                ),
                None => {}
            }
        }
        // What a file that could not be read says is not known: it is not held against the rest.
        is_read.then_some(config)
    }
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let prepared = arguments.prepared()?;
    if arguments.check {
        note("the settings are right");
        return Ok(Exit::Success);
    }
    let telling = arguments.telemetry.start()?;
    context.interrupt.listen_within_runtime()?;
    let hangups = signal(SignalKind::hangup());
    let hangups = hangups.map_err(|error| Failure::io("cannot listen to SIGHUP", &error))?;
    let (reloads, reloaded) = mpsc::channel(1);
    tokio::spawn(reload(hangups, prepared.tls.clone(), reloads));
    let disk = MeasuredDisk::new(Arc::new(RealDisk));
    let store = context.open_or_create_on(Arc::new(disk.clone())).await?;
    let address = prepared.address.to_string();
    let mut server = Server::bind(store, &address, prepared.options).await?;
    server = server.with_access(prepared.access).with_disk(disk);
    let scheme = if prepared.tls.is_some() {
        "https"
    } else {
        "http"
    };
    if let Some(tls) = prepared.tls {
        server = server.with_tls(tls);
    }
    if let Some(folder) = prepared.pipelines {
        server = server.with_pipelines(Folder::new(folder), variable, reloaded);
    }
    let (url, address) = (&context.global.store, server.address());
    note(&format!("serving {url} on {scheme}://{address}"));
    let ended = server.run(context.interrupt.asked()).await;
    telling.end().await;
    ended?;
    Ok(Exit::Success)
}

/// Reads the certificate and the pipelines again whenever SIGHUP comes.
async fn reload(mut hangups: Signal, tls: Option<Tls>, reloads: mpsc::Sender<()>) {
    while hangups.recv().await.is_some() {
        // One that waits already reads what is there by then.
        let _ = reloads.try_send(());
        match tls.as_ref().map(Tls::reload) {
            Some(Ok(())) => tracing::info!("the certificate was read again"),
            Some(Err(error)) => {
                tracing::error!(%error, "the certificate cannot be read again, the former one stays");
            }
            None => tracing::info!("there is no certificate to read again"),
        }
    }
}
