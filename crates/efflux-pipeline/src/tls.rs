//! TLS as stages use it: certificates always hold, or nothing is sent.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::stage_error::StageError;

/// TLS that believes the authorities in this file, or those of the system.
///
/// # Errors
/// `Fatal` when the file holds no certificate, or the system names no authority.
pub(crate) fn client(ca_file: Option<&Path>) -> Result<ClientConfig, StageError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let fault = |why: &dyn std::fmt::Display| {
                StageError::fatal(format!("certificates of {}: {why}", path.display()))
            };
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
            let read: Vec<_> = read.map_err(|error| fault(&error))?;
            for certificate in read {
                roots.add(certificate).map_err(|error| fault(&error))?;
            }
            if roots.is_empty() {
                return Err(fault(&"there is none in it"));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(StageError::fatal(
                    "the system names no authority that certificates are believed by; \
                     set ca_file to a file of them",
                ));
            }
        }
    }
    believing(roots)
}

/// TLS that believes these authorities.
///
/// # Errors
/// `Fatal` when it cannot be set up.
pub(crate) fn believing(roots: RootCertStore) -> Result<ClientConfig, StageError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| StageError::fatal(format!("TLS: {error}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
