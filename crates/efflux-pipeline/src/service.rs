//! An HTTP service as stages speak to it: its address, the client, and why it could not be reached.

use std::path::Path;
use std::time::Duration;

use hyper::Uri;
use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;

use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::tls;

/// A client that speaks HTTP/1.1, in the clear or through TLS as the address says.
pub(crate) type ServiceClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// Where a service is. `for_password` says where a password belongs, which is not in there.
///
/// # Errors
/// `Fatal` when the text is no address of HTTP.
pub(crate) fn address(url: &str, for_password: &str) -> Result<Uri, StageError> {
    let fault = |why: &str| StageError::fatal(format!("url is no http(s)://HOST/PATH: {why}"));
    let uri: Uri = url.parse().map_err(|_| fault("it does not parse"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(fault("it begins with another scheme"));
    }
    match uri.authority() {
        None => Err(fault("it has no host")),
        Some(authority) if authority.as_str().contains('@') => Err(fault(&format!(
            "a password does not belong into it; {for_password}"
        ))),
        Some(_) => Ok(uri),
    }
}

/// What is wrong with the settings `url` and `ca_file` of a service, without asking it. The file is
/// looked at where the address needs it.
pub(crate) fn fault_of_service(
    url: &str,
    for_password: &str,
    ca_file: Option<&Path>,
) -> Option<SettingFault> {
    let uri = match address(url, for_password) {
        Ok(uri) => uri,
        Err(error) => return Some(SettingFault::from(error).within("url")),
    };
    let ca_file = ca_file.filter(|_| uri.scheme_str() == Some("https"))?;
    let error = tls::client(Some(ca_file)).err()?;
    Some(SettingFault::from(error).within("ca_file"))
}

/// A client for the service at this address, which believes the authorities in the file, or those of
/// the system.
///
/// # Errors
/// `Fatal` when TLS is needed and cannot be set up.
pub(crate) fn client<B>(
    uri: &Uri,
    ca_file: Option<&Path>,
    connect_timeout: Duration,
) -> Result<ServiceClient<B>, StageError>
where
    B: Body + Send,
    B::Data: Send,
{
    let config = match uri.scheme_str() == Some("https") {
        true => tls::client(ca_file)?,
        // It never makes a connection.
        false => tls::believing(RootCertStore::empty())?,
    };
    let mut plain = HttpConnector::new();
    plain.enforce_http(false);
    plain.set_connect_timeout(Some(connect_timeout));
    plain.set_nodelay(true);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(plain);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// The service could not be spoken to. A certificate that does not hold may be put right there.
pub(crate) fn away(error: &Error) -> StageError {
    let mut text = format!("the service: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    StageError::unavailable(text)
}
