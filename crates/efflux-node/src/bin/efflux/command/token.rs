//! `efflux token`: creates, lists and revokes the tokens of a node.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use efflux_node::particle::Timestamp;
use efflux_node::server::{NewToken, Permission, Token, Tokens};
use efflux_node::storage::{Clock, ErrorKind, SystemClock};
use serde::Serialize;

use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::note;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux token create billing --allow consume:orders --allow 'append:invoices.*'
  efflux token create ops --allow 'admin:*' --allow 'read:*' --expires 30d
  efflux token list
  efflux token revoke 3f2a9c01";

/// The commands of `efflux token`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a token and print its secret, which cannot be had again
    Create(Create),
    /// List the tokens, without their secrets
    List(File),
    /// Revoke a token: a running node refuses it within a second
    Revoke {
        /// The token's id
        id: String,
        #[command(flatten)]
        file: File,
    },
}

/// Where the tokens are kept.
#[derive(Debug, Args)]
pub(crate) struct File {
    /// The file of tokens
    #[arg(
        long,
        env = "EFFLUX_TOKENS",
        default_value = "efflux-tokens.toml",
        value_name = "FILE"
    )]
    tokens: PathBuf,
}

/// What `efflux token create` takes.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What the token is for
    name: String,
    /// What it allows: read, append, consume or admin, a colon and a topic, in which * stands for
    /// any text; may be given several times
    #[arg(long, required = true, value_name = "ACTION:TOPIC")]
    allow: Vec<Permission>,
    /// After this time it is not valid any more, as in 12h or 90d
    #[arg(long, value_parser = time, value_name = "TIME")]
    expires: Option<Duration>,
    /// Requests a second at most
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "REQUESTS")]
    per_second: Option<u32>,
    #[command(flatten)]
    file: File,
}

/// A token as it is listed.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    id: &'a str,
    name: &'a str,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_second: Option<u32>,
    permissions: &'a [Permission],
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

pub(crate) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Create(arguments) => create(context, arguments),
        Command::List(file) => list(context, &file),
        Command::Revoke { id, file } => revoke(&id, &file),
    }
}

fn create(context: &Context, arguments: Create) -> Outcome {
    let path = arguments.file.tokens;
    let now = SystemClock.now();
    let token = NewToken {
        name: arguments.name,
        expires: arguments.expires.map(|time| now.plus(time)),
        requests_per_second: arguments.per_second,
        permissions: arguments.allow,
    };
    let (tokens, (id, secret)) = Tokens::change(&path, |tokens| tokens.add(token, now))?;
    note(&format!(
        "token {id} stands in {}; its secret is printed once",
        path.display()
    ));
    let mut printer = context.printer()?;
    if let Some(token) = tokens.all().iter().find(|token| token.id == id) {
        printer.result(&listed(token, Some(&secret)), &secret)?;
    }
    printer.flush()?;
    Ok(Exit::Success)
}

fn list(context: &Context, file: &File) -> Outcome {
    let tokens = Tokens::read(&file.tokens)?;
    let mut printer = context.printer()?;
    for token in tokens.all() {
        printer.result(&listed(token, None), &line(token))?;
    }
    printer.flush()?;
    Ok(Exit::Success)
}

fn revoke(id: &str, file: &File) -> Outcome {
    Tokens::change(&file.tokens, |tokens| tokens.revoke(id)).map_err(|error| {
        let is_unknown = error.kind() == ErrorKind::NotFound;
        let failure = Failure::from(error);
        match is_unknown {
            true => failure.with_try("efflux token list"),
            false => failure,
        }
    })?;
    Ok(Exit::Success)
}

fn listed<'a>(token: &'a Token, secret: Option<&'a str>) -> Listed<'a> {
    Listed {
        id: &token.id,
        name: &token.name,
        created: token.created.to_string(),
        expires: token.expires.map(|expires| expires.to_string()),
        requests_per_second: token.requests_per_second,
        permissions: &token.permissions,
        token: secret,
    }
}

fn line(token: &Token) -> String {
    let permissions: Vec<String> = token.permissions.iter().map(ToString::to_string).collect();
    let expires = token.expires.map(|time: Timestamp| time.to_string());
    let expires = expires.unwrap_or_else(|| "-".to_owned());
    format!(
        "{}  {}  {expires}  {}",
        token.id,
        permissions.join(","),
        token.name
    )
}

/// Reads a time such as `90d`, `12h`, `30m` or `45s`.
fn time(text: &str) -> Result<Duration, String> {
    let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let mut read = units.iter().filter_map(|(unit, seconds)| {
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        count.checked_mul(*seconds)
    });
    let seconds = read
        .next()
        .filter(|seconds| (1..=100 * 366 * 86_400).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "use a time as 12h or 90d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(time("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(time("45s"), Ok(Duration::from_secs(45)));
        for wrong in [
            "",
            "90",
            "d",
            "-1d",
            "0d",
            "1w",
            "99999999999999999999d",
            "99999999d",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
