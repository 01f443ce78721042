//! Settings of a server.

use std::time::Duration;

use efflux_flow::storage::{Error, Result};

use super::limits;

/// Settings of a server. Any value is checked once, by [`ServerOptions::check`], when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Connections that are open at once.
    pub connections_max: usize,
    /// Requests under way at once.
    pub requests_max: usize,
    /// Bytes of one request's body.
    pub body_bytes_max: usize,
    /// Bytes of all bodies that are being received or handled, without the first 64 KiB of each.
    pub bodies_bytes_max: usize,
    /// From the first byte of a request's head to its last, and from the beginning of a connection
    /// to its first request.
    pub head_time: Duration,
    /// After this time a connection without a request under way is ended.
    pub idle_time: Duration,
    /// By how much a body may be behind a pace of 64 KiB a second.
    pub body_time: Duration,
    /// After this time a client that takes no byte of its answer is cut off.
    pub stall_time: Duration,
    /// The longest time that a request may wait for something to come.
    pub wait_max: Duration,
    /// The time that shutting down may take.
    pub shutdown_time: Duration,
    /// Origins whose pages may use the node from a browser, as `https://app.example`.
    pub pages: Vec<String>,
    /// Whether the node serves its console.
    pub console: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            connections_max: limits::CONNECTIONS_MAX,
            requests_max: limits::REQUESTS_MAX,
            body_bytes_max: limits::BODY_BYTES_MAX,
            bodies_bytes_max: limits::BODIES_BYTES_MAX,
            head_time: limits::HEAD_TIME,
            idle_time: limits::IDLE_TIME,
            body_time: limits::BODY_TIME,
            stall_time: limits::STALL_TIME,
            wait_max: limits::WAIT_MAX,
            shutdown_time: limits::SHUTDOWN_TIME,
            pages: Vec::new(),
            console: true,
        }
    }
}

impl ServerOptions {
    /// Tells what is wrong with the settings: every fault there is, so that all can be mended at
    /// once.
    ///
    /// # Errors
    /// `Invalid` with all faults, one a line.
    pub fn check(&self) -> Result<()> {
        let counts = [
            ("connections_max", self.connections_max, 1_000_000),
            ("requests_max", self.requests_max, 1_000_000),
            ("body_bytes_max", self.body_bytes_max, 1 << 30),
            ("bodies_bytes_max", self.bodies_bytes_max, 1 << 40),
        ];
        let times = [
            ("head_time", self.head_time),
            ("idle_time", self.idle_time),
            ("body_time", self.body_time),
            ("stall_time", self.stall_time),
            ("wait_max", self.wait_max),
            ("shutdown_time", self.shutdown_time),
        ];
        let hour = Duration::from_secs(3600);
        let counts = counts.iter().filter_map(|(name, value, most)| {
            let is_right = (1..=*most).contains(value);
            (!is_right).then(|| format!("{name} is {value}: use 1 to {most}"))
        });
        let times = times.iter().filter_map(|(name, value)| {
            let is_right = (Duration::from_millis(1)..=hour).contains(value);
            (!is_right).then(|| format!("{name} is {value:?}: use 1 ms to an hour"))
        });
        let mut faults: Vec<String> = counts.chain(times).collect();
        if self.bodies_bytes_max < self.body_bytes_max {
            faults.push(format!(
                "bodies_bytes_max is {}, less than body_bytes_max with {}: the largest body would \
                 never be accepted",
                self.bodies_bytes_max, self.body_bytes_max
            ));
        }
        let wrong = self.pages.iter().filter(|page| !is_origin(page));
        faults.extend(wrong.map(|page| {
            format!(
                "{page:?} is no origin of pages: use one as https://app.example, without a path"
            )
        }));
        match faults.is_empty() {
            true => Ok(()),
            false => Err(Error::invalid(faults.join("\n"))),
        }
    }
}

/// Whether a browser may say this in `Origin`: a scheme, a host in lower case, and a port that is not
/// the scheme's own.
fn is_origin(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or(text.strip_prefix("https://"));
    let authority = rest.and_then(|rest| rest.parse::<http::uri::Authority>().ok());
    authority.is_some_and(|authority| {
        let port = authority.port_u16();
        let is_spelt_out = text.starts_with("https://") && port == Some(443)
            || text.starts_with("http://") && port == Some(80);
        let has_user = authority.as_str().contains('@');
        !has_user && !is_spelt_out && !text.contains(|it: char| it.is_ascii_uppercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_spelt_as_browsers_spell_them() {
        for (page, expected) in [
            ("https://app.example", true),
            ("http://localhost:3000", true),
            ("http://[::1]:3000", true),
            ("https://app.example/", false),
            ("https://app.example:443", false),
            ("https://App.example", false),
            ("https://me@app.example", false),
            ("app.example", false),
            ("*", false),
            ("null", false),
        ] {
            assert_eq!(is_origin(page), expected, "{page}");
        }
    }

    #[test]
    fn defaults_are_right_and_all_faults_are_told_at_once() {
        assert!(ServerOptions::default().check().is_ok());
        let wrong = ServerOptions {
            connections_max: 0,
            idle_time: Duration::ZERO,
            bodies_bytes_max: 1,
            ..ServerOptions::default()
        };
        let told = wrong.check().unwrap_err().to_string();
        for name in ["connections_max", "idle_time", "bodies_bytes_max"] {
            assert!(told.contains(name), "{told}");
        }
        assert_eq!(told.lines().count(), 3);
    }
}
