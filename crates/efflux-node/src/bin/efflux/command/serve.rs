//! `efflux serve`: hosts the store for others over HTTP.

use std::io;
use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use efflux_node::server::{Server, ServerOptions};
use tracing::level_filters::LevelFilter;

use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::note;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux serve
  efflux serve --store file:./data --listen 127.0.0.1:7150
  efflux serve --log-format json --log debug
  curl -X PUT localhost:7150/v1/topics/orders";

/// What `efflux serve` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The address to listen on; port 0 takes a free one
    #[arg(
        long,
        env = "EFFLUX_LISTEN",
        default_value = "127.0.0.1:7150",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// Listen off the loopback address without encryption and authentication
    #[arg(long)]
    insecure: bool,
    /// What is logged on standard error: off, error, warn, info, debug or trace
    #[arg(long, env = "EFFLUX_LOG", default_value = "info", value_name = "LEVEL")]
    log: LevelFilter,
    /// How it is logged
    #[arg(long, env = "EFFLUX_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let address = arguments.listen;
    if !address.ip().is_loopback() && !arguments.insecure {
        return Err(Failure::usage(format!(
            "the node does not listen on {address}: everyone who reaches it could read and write"
        ))
        .with_detail("off the loopback address it needs encryption and authentication")
        .with_try("--listen 127.0.0.1:7150, or --insecure where the network itself is guarded"));
    }
    log(&arguments);
    let store = context.open_or_create().await?;
    let server = Server::bind(store, &address.to_string(), ServerOptions::default()).await?;
    note(&format!(
        "serving {} on http://{}",
        context.global.store,
        server.address()
    ));
    server.run(context.interrupt.asked()).await?;
    Ok(Exit::Success)
}

fn log(arguments: &Arguments) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(arguments.log)
        .with_writer(io::stderr);
    match arguments.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
