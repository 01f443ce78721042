//! The settings of a node as a TOML file.
//!
//! ```toml
//! listen = "0.0.0.0:7150"
//! tokens = "/etc/efflux/tokens.toml"
//! pipelines = "/etc/efflux/pipelines"        # may be left out
//! pages = ["https://app.example"]            # may be left out
//! console = false                            # served when left out
//!
//! [tls]
//! cert = "/etc/efflux/cert.pem"
//! key = "/etc/efflux/key.pem"
//! client_ca = "/etc/efflux/client-ca.pem"   # may be left out
//!
//! [limits]
//! connections_max = 4096
//! idle_ms = 60000
//! ```

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use efflux_flow::pipeline::file;
use efflux_flow::storage::{Error, Result};
use serde::Deserialize;

use super::access::Access;
use super::exposure::Exposure;
use super::options::ServerOptions;
use super::tls::{Tls, TlsFiles};

/// The settings of a node. What is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Where the node listens; `127.0.0.1:7150` when left out.
    pub listen: Option<SocketAddr>,
    /// Whether it may do so off the loopback address without encryption and tokens.
    #[serde(default)]
    pub insecure: bool,
    /// The file of tokens; none when everyone may do everything.
    pub tokens: Option<PathBuf>,
    /// Certificate and key; none for connections that are not encrypted.
    pub tls: Option<TlsFiles>,
    /// The folder of files that declare the pipelines that the node runs; none when it runs none.
    pub pipelines: Option<PathBuf>,
    /// Origins whose pages may use the node from a browser, as `https://app.example`.
    #[serde(default)]
    pub pages: Vec<String>,
    /// Whether the node serves its console; it does when left out.
    pub console: Option<bool>,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
}

/// Bounds of a node: see [`ServerOptions`]. Times are in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each is one of `ServerOptions`, where it is described"
)]
#[non_exhaustive]
pub struct Limits {
    pub connections_max: Option<usize>,
    pub requests_max: Option<usize>,
    pub body_bytes_max: Option<usize>,
    pub bodies_bytes_max: Option<usize>,
    pub head_ms: Option<u64>,
    pub idle_ms: Option<u64>,
    pub body_ms: Option<u64>,
    pub stall_ms: Option<u64>,
    pub wait_ms_max: Option<u64>,
    pub shutdown_ms: Option<u64>,
}

/// What a configuration comes to: all that a server is made of but its store.
#[derive(Debug)]
#[non_exhaustive]
pub struct Prepared {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its bounds.
    pub options: ServerOptions,
    /// Who may use it.
    pub access: Access,
    /// Its certificate.
    pub tls: Option<Tls>,
    /// The folder of its pipelines.
    pub pipelines: Option<PathBuf>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// `Invalid` when it cannot be read or holds something else: every fault on a line of its own,
    /// with its place.
    pub fn read(path: &Path) -> Result<Self> {
        let refuse = |why: String| format!("{}: {why}", path.display());
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| Error::invalid(refuse(error.to_string())))?;
        file::read(&text).map_err(|faults| {
            let faults = faults.iter().map(|fault| refuse(fault.to_string()));
            Error::invalid(faults.collect::<Vec<_>>().join("\n"))
        })
    }

    /// Checks everything as a whole, and reads the files that are named.
    ///
    /// # Errors
    /// `Invalid` with all faults, one a line.
    pub fn prepare(&self) -> Result<Prepared> {
        let mut faults = Vec::new();
        let mut noted = |error: Error| faults.push(error.to_string());
        let address = self
            .listen
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7150)));
        let mut options = self.limits.options();
        options.pages.clone_from(&self.pages);
        options.console = self.console.unwrap_or(options.console);
        options.check().unwrap_or_else(&mut noted);
        let exposure = Exposure {
            address,
            is_encrypted: self.tls.is_some(),
            is_guarded: self.tokens.is_some(),
            is_insecure: self.insecure,
        };
        exposure.check().unwrap_or_else(&mut noted);
        if self.tokens.is_none() && self.tls.as_ref().is_some_and(|it| it.client_ca.is_some()) {
            noted(Error::invalid(
                "tls.client_ca says whose certificates are believed, and nothing says what their \
                 owners may do: name a file of tokens with [[certificate]] in it (--tokens)",
            ));
        }
        if let Some(folder) = self.pipelines.as_ref().filter(|folder| !folder.is_dir()) {
            noted(Error::invalid(format!(
                "pipelines: {} is no folder that can be read",
                folder.display()
            )));
        }
        let access = self.tokens.as_ref().map(Access::tokens).transpose();
        let access = access.unwrap_or_else(|error| {
            noted(error);
            None
        });
        let tls = self.tls.clone().map(Tls::read);
        let tls = tls.transpose().unwrap_or_else(|error| {
            noted(error);
            None
        });
        if !faults.is_empty() {
            return Err(Error::invalid(faults.join("\n")));
        }
        Ok(Prepared {
            address,
            options,
            access: access.unwrap_or_default(),
            tls,
            pipelines: self.pipelines.clone(),
        })
    }
}

impl Limits {
    fn options(self) -> ServerOptions {
        let mut options = ServerOptions::default();
        let set = |place: &mut usize, value: Option<usize>| *place = value.unwrap_or(*place);
        set(&mut options.connections_max, self.connections_max);
        set(&mut options.requests_max, self.requests_max);
        set(&mut options.body_bytes_max, self.body_bytes_max);
        set(&mut options.bodies_bytes_max, self.bodies_bytes_max);
        let set = |place: &mut Duration, value: Option<u64>| {
            *place = value.map_or(*place, Duration::from_millis);
        };
        set(&mut options.head_time, self.head_ms);
        set(&mut options.idle_time, self.idle_ms);
        set(&mut options.body_time, self.body_ms);
        set(&mut options.stall_time, self.stall_ms);
        set(&mut options.wait_max, self.wait_ms_max);
        set(&mut options.shutdown_time, self.shutdown_ms);
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sets_what_it_names_and_leaves_the_rest() {
        let text =
            "listen = \"127.0.0.1:9\"\nconsole = false\n[limits]\nidle_ms = 5\nrequests_max = 7\n";
        let config: Config = toml::from_str(text).unwrap();
        let prepared = config.prepare().unwrap();
        assert_eq!(prepared.address.port(), 9);
        let expect = ServerOptions {
            idle_time: Duration::from_millis(5),
            requests_max: 7,
            console: false,
            ..ServerOptions::default()
        };
        assert_eq!(prepared.options, expect);
        assert!(!prepared.access.is_guarded() && prepared.tls.is_none());
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let text = "listen = \"0.0.0.0:9\"\ntokens = \"/nowhere\"\n[limits]\nidle_ms = 0\n";
        let config: Config = toml::from_str(text).unwrap();
        let told = config.prepare().unwrap_err().to_string();
        for part in ["idle_time", "encryption", "/nowhere"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        for wrong in [
            "listen = \"here\"",
            "lissten = 1",
            "[limits]\nidle = 5",
            "[tls]\ncert = \"a\"",
        ] {
            assert!(toml::from_str::<Config>(wrong).is_err(), "{wrong}");
        }
    }
}
