//! Makes connections to nodes, plain ones and those behind TLS.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::address::Address;
use crate::error::{Error, Result};
use crate::options::StoreOptions;

/// Makes connections to a node.
pub(super) type Connector = HttpsConnector<HttpConnector>;

/// What connects to this node. A node whose certificate does not hold is never spoken to.
///
/// # Errors
/// `Invalid` when a file of certificates or a key does not hold what it should.
pub(super) fn connector(
    mut plain: HttpConnector,
    address: &Address,
    options: &StoreOptions,
) -> Result<Connector> {
    plain.enforce_http(false);
    let config = match address.is_encrypted() {
        true => config(options)?,
        // It is never used: the address says so, and a node sends nobody elsewhere.
        false => builder()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth(),
    };
    let builder = HttpsConnectorBuilder::new().with_tls_config(config);
    let connector = match address.is_encrypted() {
        true => builder.https_only().enable_http1().wrap_connector(plain),
        false => builder.https_or_http().enable_http1().wrap_connector(plain),
    };
    Ok(connector)
}

fn config(options: &StoreOptions) -> Result<ClientConfig> {
    let config = builder()?.with_root_certificates(roots(options)?);
    let Some(shown) = &options.client_certificate else {
        return Ok(config.with_no_client_auth());
    };
    let chain = certificates(&shown.cert)?;
    let key = PrivateKeyDer::from_pem_file(&shown.key);
    let key = key.map_err(|error| refusal(&shown.key, error))?;
    let config = config.with_client_auth_cert(chain, key);
    config.map_err(|error| refusal(&shown.cert, error))
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::invalid(format!("TLS: {error}")))
}

/// Those whom nodes are believed: the ones in the file that is named, or those of the system.
fn roots(options: &StoreOptions) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &options.ca_file {
        for certificate in certificates(path)? {
            let added = roots.add(certificate);
            added.map_err(|error| refusal(path, error))?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        true => Err(Error::invalid(
            "the system names no authority that certificates are believed by: name a file of them",
        )),
        false => Ok(roots),
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

fn refusal(path: &Path, why: impl Display) -> Error {
    Error::invalid(format!("TLS, {}: {why}", path.display()))
}
