//! What stands on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use efflux_node::storage::{BearerToken, ClientCertificate, StoreOptions};

use crate::command::{
    append, backup, completions, consume, consumer, export, find, get, head, import, pipeline,
    read, restore, serve, token, topic, verify,
};
use crate::output::OutputFormat;

/// Keeps the data flowing: a hash-chained, searchable event log
#[derive(Debug, Parser)]
#[command(name = "efflux", version, before_help = EXAMPLES, max_term_width = 100)]
#[command(propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  efflux import orders orders.ndjson --id id --time-from at --type-from type
  efflux find orders 'type = order.paid and properties.customer = c-7'
  efflux append orders '{\"total\":12}' --type order.placed --create
  efflux consume orders --consumer billing --max 10
  efflux verify orders";

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    #[arg(
        help = "The store: file:PATH, a path, mem:, or http(s)://HOST:PORT",
        long,
        global = true,
        env = "EFFLUX_STORE",
        default_value = "file:./efflux-data",
        value_name = "URL"
    )]
    pub(crate) store: String,
    #[arg(
        help = "The token for a node, which is better given in the environment",
        long,
        global = true,
        env = "EFFLUX_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub(crate) token: Option<Token>,
    /// Send the token also to http:// beyond this machine, where everyone on the way can read it
    #[arg(long, global = true, env = "EFFLUX_TOKEN_IN_CLEAR")]
    pub(crate) token_in_clear: bool,
    /// Whom a node behind TLS is believed, as PEM [default: those whom the system trusts]
    #[arg(long, global = true, env = "EFFLUX_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The certificate that a node behind TLS is shown, as PEM
    #[arg(
        long,
        global = true,
        env = "EFFLUX_CLIENT_CERT",
        requires = "client_key",
        value_name = "FILE"
    )]
    pub(crate) client_cert: Option<PathBuf>,
    /// The certificate's key, as PEM
    #[arg(
        long,
        global = true,
        env = "EFFLUX_CLIENT_KEY",
        requires = "client_cert",
        value_name = "FILE"
    )]
    pub(crate) client_key: Option<PathBuf>,
    /// How results are printed; json is a stable interface, raw prints payloads
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) output: OutputFormat,
    /// What follows each payload with -o raw; \n, \t and \0 are understood [default: \n]
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) separator: Option<String>,
}

impl Global {
    /// The settings of a store, with what a node is shown and whom it is believed.
    pub(crate) fn shown(&self, mut options: StoreOptions) -> StoreOptions {
        options.token = self.token.as_ref().map(|token| token.0.clone());
        options.token_in_clear = self.token_in_clear;
        options.ca_file.clone_from(&self.ca_file);
        if let (Some(cert), Some(key)) = (self.client_cert.clone(), self.client_key.clone()) {
            options.client_certificate = Some(ClientCertificate { cert, key });
        }
        options
    }
}

/// What a node is shown, never printed.
#[derive(Clone, Debug)]
pub(crate) struct Token(pub(crate) BearerToken);

impl std::str::FromStr for Token {
    type Err = std::convert::Infallible;

    fn from_str(secret: &str) -> Result<Self, Self::Err> {
        Ok(Self(BearerToken::new(secret)))
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create, list, show and delete topics
    #[command(subcommand, before_help = topic::EXAMPLES)]
    Topic(topic::Command),
    /// Append one message, or one a line from standard input
    #[command(before_help = append::EXAMPLES)]
    Append(append::Arguments),
    /// Import records from files: NDJSON, JSON, CSV, lines or frames
    #[command(before_help = import::EXAMPLES)]
    Import(Box<import::Arguments>),
    /// Read particles in order
    #[command(before_help = read::EXAMPLES)]
    Read(read::Arguments),
    /// Get particles by sequence or id, with all their metadata
    #[command(before_help = get::EXAMPLES)]
    Get(get::Arguments),
    /// Find particles by a query over their metadata
    #[command(before_help = find::EXAMPLES)]
    Find(find::Arguments),
    /// Print where a topic's chain stands: SEQUENCE:FINGERPRINT
    #[command(before_help = head::EXAMPLES)]
    Head(head::Arguments),
    /// Check every byte of topics, and write nothing
    #[command(before_help = verify::EXAMPLES)]
    Verify(verify::Arguments),
    /// Write the frames themselves to standard output
    #[command(before_help = export::EXAMPLES)]
    Export(export::Arguments),
    /// Take particles from a topic as a named consumer
    #[command(before_help = consume::EXAMPLES)]
    Consume(consume::Arguments),
    /// List, show, move and delete consumers
    #[command(subcommand, before_help = consumer::EXAMPLES)]
    Consumer(consumer::Command),
    /// Add what topics have got to a folder of frames, each particle checked
    #[command(before_help = backup::EXAMPLES)]
    Backup(backup::Arguments),
    /// Restore topics from a folder of frames, or check one
    #[command(before_help = restore::EXAMPLES)]
    Restore(restore::Arguments),
    /// Check, try and run pipelines that files declare
    #[command(subcommand, before_help = pipeline::EXAMPLES)]
    Pipeline(pipeline::Command),
    /// Host the store for others over HTTP
    #[command(before_help = serve::EXAMPLES)]
    Serve(serve::Arguments),
    /// Create, list and revoke the tokens of a node
    #[command(subcommand, before_help = token::EXAMPLES)]
    Token(token::Command),
    /// Print completions for a shell
    #[command(before_help = completions::EXAMPLES)]
    Completions(completions::Arguments),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_begins_its_help_with_examples() {
        let command = Arguments::command();
        command.clone().debug_assert();
        for part in command.get_subcommands() {
            let help = part.clone().render_help().to_string();
            assert!(
                help.starts_with("Examples:\n  efflux "),
                "{}: {help}",
                part.get_name()
            );
        }
    }
}
