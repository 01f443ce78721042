//! Encryption: TLS 1.2 and 1.3 with a certificate from files, which can be read again.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use efflux_flow::storage::{Error, Result};
use parking_lot::RwLock;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The chain of certificates, the node's own first, as PEM.
    pub cert: PathBuf,
    /// The key, as PEM.
    pub key: PathBuf,
    /// Those whom clients' certificates are believed, as PEM; none when clients have none.
    pub client_ca: Option<PathBuf>,
}

/// The certificate that a node shows, and its key. Clones share what was read last.
#[derive(Clone)]
pub struct Tls {
    files: TlsFiles,
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl TlsFiles {
    /// A chain of certificates, the node's own first, and its key, both as PEM.
    #[must_use]
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            cert: cert.into(),
            key: key.into(),
            client_ca: None,
        }
    }

    /// Sets whom clients' certificates are believed. A client may still come without one.
    #[must_use]
    pub fn with_client_ca(mut self, path: impl Into<PathBuf>) -> Self {
        self.client_ca = Some(path.into());
        self
    }

    fn config(&self) -> Result<ServerConfig> {
        let chain = certificates(&self.cert)?;
        let private = PrivateKeyDer::from_pem_file(&self.key);
        let private = private.map_err(|error| refusal(&self.key, error))?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| refusal(&self.cert, error))?
            .with_client_cert_verifier(self.clients(provider)?)
            .with_single_cert(chain, private)
            .map_err(|error| refusal(&self.cert, error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn clients(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>> {
        let Some(path) = &self.client_ca else {
            return Ok(WebPkiClientVerifier::no_client_auth());
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path)? {
            let added = roots.add(certificate);
            added.map_err(|error| refusal(path, error))?;
        }
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()
            .map_err(|error| refusal(path, error))
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// `Invalid` when a file cannot be read or does not hold what it should, or when the key is
    /// another one's.
    pub fn read(files: TlsFiles) -> Result<Self> {
        let config = Arc::new(files.config()?);
        let config = Arc::new(RwLock::new(config));
        Ok(Self { files, config })
    }

    /// Reads the files again, for the connections that come after. Those that are open go on, and
    /// when it fails all is as it was.
    ///
    /// # Errors
    /// Those of [`Tls::read`].
    pub fn reload(&self) -> Result<()> {
        let config = Arc::new(self.files.config()?);
        *self.config.write() = config;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config.read()))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let read: Vec<_> = read.map_err(|error| refusal(path, error))?;
    match read.is_empty() {
        true => Err(refusal(path, "there is no certificate in it")),
        false => Ok(read),
    }
}

fn refusal(path: &Path, why: impl fmt::Display) -> Error {
    Error::invalid(format!("TLS, {}: {why}", path.display()))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}
