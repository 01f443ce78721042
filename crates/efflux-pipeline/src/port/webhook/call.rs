//! One call of the service.

use std::sync::Arc;

use bytes::Bytes;
use efflux_storage::particle::Timestamp;
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use super::WebhookPortSettings;
use super::answer::judge;
use super::signature::Signer;
use crate::derived_id::derived_id;
use crate::limits::ANSWER_BYTES_MAX;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::template::Template;
use crate::tls;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Headers that the port writes itself, or that concern the connection.
const OWN: &[&str] = &[
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "idempotency-key",
    "content-length",
    "transfer-encoding",
    "connection",
    "host",
];

/// How the service is called.
pub(super) struct Call {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: Vec<(HeaderName, Template)>,
    authorization: Option<HeaderValue>,
    signer: Option<Signer>,
    timeout: std::time::Duration,
}

impl Call {
    pub(super) fn new(settings: &WebhookPortSettings) -> Result<Self, StageError> {
        let uri = address(&settings.url)?;
        let config = match uri.scheme_str() == Some("https") {
            true => tls::client(settings.ca_file.as_deref())?,
            false => no_tls()?,
        };
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_connect_timeout(Some(settings.timeout.0));
        plain.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        let headers = settings.headers.iter().map(|(name, value)| {
            let parsed: Result<HeaderName, _> = name.parse();
            match parsed {
                Ok(parsed) if !OWN.contains(&parsed.as_str()) => Ok((parsed, value.clone())),
                Ok(parsed) => Err(StageError::fatal(format!(
                    "the port writes {parsed} itself"
                ))),
                Err(_) => Err(StageError::fatal(format!(
                    "{name:?} is no name of a header"
                ))),
            }
        });
        let authorization = settings.authorization.as_ref().map(|secret| {
            let mut value = HeaderValue::from_str(secret.expose())
                .map_err(|_| StageError::fatal("authorization is no value of a header"))?;
            value.set_sensitive(true);
            Ok::<_, StageError>(value)
        });
        let signer = settings.secret.as_ref().map(Signer::new);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            uri,
            headers: headers.collect::<Result<_, StageError>>()?,
            authorization: authorization.transpose()?,
            signer: signer.transpose().map_err(StageError::fatal)?,
            timeout: settings.timeout.0,
        })
    }

    /// Sends a message and waits for the answer.
    pub(super) async fn send(&self, parcel: &Parcel, now: Timestamp) -> Result<(), StageError> {
        let seconds = now.nanos().div_euclid(1_000_000_000);
        let request = self.request(parcel, seconds)?;
        let answered = timeout(self.timeout, async {
            let response = self.client.request(request).await;
            let response = response.map_err(|error| away(&error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = beginning(response).await;
            judge(status, &headers, &body, seconds)
        });
        match answered.await {
            Ok(judged) => judged,
            Err(_) => Err(StageError::unavailable(format!(
                "the service did not answer within {:?}",
                self.timeout
            ))),
        }
    }

    fn request(&self, parcel: &Parcel, seconds: i64) -> Result<Request<Full<Bytes>>, StageError> {
        let message = &parcel.message;
        let body = parcel.content()?;
        let id = match message.id() {
            Some(id) => id.to_string(),
            None => derived_id(&[body.as_ref()]).to_string(),
        };
        let mut headers = HeaderMap::new();
        for (name, template) in &self.headers {
            headers.append(name, value(name, &template.render(parcel)?)?);
        }
        let kind = message.content_type().unwrap_or("application/octet-stream");
        if !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, value(&CONTENT_TYPE, kind)?);
        }
        if !headers.contains_key(USER_AGENT) {
            headers.insert(USER_AGENT, HeaderValue::from_static("efflux"));
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(signer) = &self.signer {
            let signature = signer.sign(&id, seconds, &body);
            headers.insert(WEBHOOK_SIGNATURE, value(&WEBHOOK_SIGNATURE, &signature)?);
        }
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(seconds));
        headers.insert(IDEMPOTENCY_KEY, value(&IDEMPOTENCY_KEY, &id)?);
        headers.insert(WEBHOOK_ID, value(&WEBHOOK_ID, &id)?);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// A header's value; data that would begin a header of its own is refused.
fn value(name: &HeaderName, text: &str) -> Result<HeaderValue, StageError> {
    HeaderValue::from_str(text).map_err(|_| {
        StageError::rejected(format!(
            "the header {name} cannot hold {:?}",
            text.chars().take(80).collect::<String>()
        ))
    })
}

fn address(url: &str) -> Result<Uri, StageError> {
    let fault = |why: &str| StageError::fatal(format!("url is no http(s)://HOST/PATH: {why}"));
    let uri: Uri = url.parse().map_err(|_| fault("it does not parse"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(fault("it begins with another scheme"));
    }
    match uri.authority() {
        None => Err(fault("it has no host")),
        Some(authority) if authority.as_str().contains('@') => Err(fault(
            "a password does not belong into it; set authorization",
        )),
        Some(_) => Ok(uri),
    }
}

/// For a service in the clear: it never makes a connection.
fn no_tls() -> Result<ClientConfig, StageError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| StageError::fatal(format!("TLS: {error}")))?;
    Ok(builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// The beginning of the answer's body. One that is longer, or breaks off, says nothing more.
async fn beginning(response: Response<Incoming>) -> Bytes {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
    body.await.map(Collected::to_bytes).unwrap_or_default()
}

/// The service could not be spoken to. A certificate that does not hold may be put right there.
fn away(error: &hyper_util::client::legacy::Error) -> StageError {
    let mut text = format!("the service: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    StageError::unavailable(text)
}
