//! Encryption: TLS 1.2 and 1.3 with a certificate from files.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use efflux_flow::storage::{Error, Result};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// The certificate that a node shows, and its key.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Reads a chain of certificates, the node's own first, and its key, both as PEM.
    ///
    /// # Errors
    /// `Invalid` when a file cannot be read or does not hold what it should, or when the key is
    /// another one's.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self> {
        let refuse =
            |path: &Path, why: String| Error::invalid(format!("TLS, {}: {why}", path.display()));
        let chain = CertificateDer::pem_file_iter(certificates)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| refuse(certificates, error.to_string()))?;
        if chain.is_empty() {
            return Err(refuse(
                certificates,
                "there is no certificate in it".to_owned(),
            ));
        }
        let private = PrivateKeyDer::from_pem_file(key);
        let private = private.map_err(|error| refuse(key, error.to_string()))?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse(certificates, error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| refuse(certificates, error.to_string()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor })
    }

    pub(crate) const fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
