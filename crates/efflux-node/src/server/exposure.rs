//! Whether a node may listen where it is told to.

use std::net::SocketAddr;

use efflux_flow::storage::{Error, Result};

/// Who can reach a node, and what keeps them out.
#[derive(Clone, Copy, Debug)]
pub struct Exposure {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether connections are encrypted.
    pub is_encrypted: bool,
    /// Whether a token is needed.
    pub is_guarded: bool,
    /// Whether whoever starts it said that it need be neither.
    pub is_insecure: bool,
}

impl Exposure {
    /// Refuses a node that others could reach without encryption or without a token.
    ///
    /// # Errors
    /// `Invalid`, with what is missing.
    pub fn check(&self) -> Result<()> {
        if self.address.ip().is_loopback() || self.is_insecure {
            return Ok(());
        }
        let missing = match (self.is_encrypted, self.is_guarded) {
            (true, true) => return Ok(()),
            (false, true) => "encryption: --tls-cert and --tls-key",
            (true, false) => "authentication: --tokens",
            (false, false) => "encryption (--tls-cert, --tls-key) and authentication (--tokens)",
        };
        Err(Error::invalid(format!(
            "the node does not listen on {}, off the loopback address, without {missing}; \
             --insecure says that the network itself is guarded",
            self.address
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_encrypted_and_guarded_is_shown_to_others() {
        let may = |address: &str, is_encrypted, is_guarded, is_insecure| {
            let exposure = Exposure {
                address: address.parse().unwrap(),
                is_encrypted,
                is_guarded,
                is_insecure,
            };
            exposure.check().is_ok()
        };
        for loopback in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1"] {
            assert!(may(loopback, false, false, false), "{loopback}");
        }
        for other in [
            "0.0.0.0:1",
            "[::]:1",
            "192.168.1.1:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(!may(other, false, false, false), "{other}");
            assert!(!may(other, true, false, false), "{other}");
            assert!(!may(other, false, true, false), "{other}");
            assert!(may(other, true, true, false), "{other}");
            assert!(may(other, false, false, true), "{other}");
        }
    }
}
