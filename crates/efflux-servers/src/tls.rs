//! The certificate that servers show.

use std::path::PathBuf;

use crate::Result;
use crate::folder::Folder;

/// For `localhost` and 127.0.0.1, signed by the authority of the tests, for a hundred years.
const CERTIFICATE: &str = include_str!("../tls/cert.pem");
const KEY: &str = include_str!("../tls/key.pem");
const AUTHORITY: &str = include_str!("../tls/ca.pem");

/// The certificate of the authority that signed that of the servers, in PEM. Its key was thrown
/// away.
#[must_use]
pub const fn tls_authority() -> &'static str {
    AUTHORITY
}

/// Files of the certificate and its key that the server may read.
pub(crate) fn write(folder: &Folder) -> Result<(PathBuf, PathBuf)> {
    let certificate = folder.write("cert.pem", CERTIFICATE)?;
    Ok((certificate, folder.write("key.pem", KEY)?))
}
