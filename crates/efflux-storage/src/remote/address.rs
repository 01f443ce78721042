//! Where a node is.

use std::fmt;

use crate::error::{Error, Result};

/// What a URL of a node looks like.
const FORM: &str = "a node is http://HOST:PORT or https://HOST:PORT";

/// Where a node is: `http://HOST:PORT`, or `https://HOST:PORT` behind TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Host and port, as they stand in a URL.
    authority: String,
    is_encrypted: bool,
}

impl Address {
    /// Reads `http://HOST[:PORT]` or `https://HOST[:PORT]`, with or without a slash at the end.
    ///
    /// # Errors
    /// `Invalid` when it is none.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let refuse = |why: &str| Error::invalid(format!("store {url:?}: {FORM}{why}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refuse(""))?;
        let is_encrypted = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(refuse("")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let parsed: http::uri::Authority = authority.parse().map_err(|_| refuse(""))?;
        let port = authority.strip_prefix(parsed.host());
        let port = port.map(|rest| rest.strip_prefix(':').unwrap_or("80"));
        let has_port = port.is_some_and(|port| port.parse::<u16>().is_ok());
        if parsed.host().is_empty() || !has_port {
            return Err(refuse(", without a user"));
        }
        Ok(Self {
            authority: authority.to_owned(),
            is_encrypted,
        })
    }

    /// Whether the node is behind TLS.
    pub(super) const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whether what is sent to the node can be read on its way: it leaves this machine, in clear.
    pub(super) fn is_readable_on_the_way(&self) -> bool {
        let authority = self.authority.parse::<http::uri::Authority>();
        let host = authority.as_ref().map_or("", |authority| authority.host());
        let ip = host.trim_start_matches('[').trim_end_matches(']');
        let ip: Result<std::net::IpAddr, _> = ip.parse();
        let is_here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
        !self.is_encrypted && !is_here
    }

    /// The URL of a path with its query.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_in_clear_is_known() {
        for (url, expected) in [
            ("http://localhost:7150", false),
            ("http://127.0.0.2:7150", false),
            ("http://[::1]:7150", false),
            ("https://node.example", false),
            ("http://node.example", true),
            ("http://localhost.example", true),
            ("http://10.0.0.1:7150", true),
            ("http://[fe80::1]:7150", true),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.is_readable_on_the_way(), expected, "{url}");
        }
    }

    #[test]
    fn a_node_has_a_host_and_perhaps_a_port() {
        for url in [
            "http://localhost:7150",
            "http://[::1]:7150/",
            "http://node.example",
            "https://node.example:7150/",
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), url.trim_end_matches('/'));
        }
        for url in [
            "http://",
            "http:///",
            "http://host:port",
            "http://a/b",
            "http://a?b",
            "http://a:",
            "http://a:70000",
            "http://me@host",
            "https://me@host",
            "ftp://host",
            "http:host",
            "http://ho st",
        ] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }
}
