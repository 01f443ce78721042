//! One call of the service.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use efflux_storage::particle::Timestamp;
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use tokio::time::timeout;

use super::WebhookPortSettings;
use super::answer::judge;
use super::signature::Signer;
use crate::derived_id::derived_id;
use crate::limits::ANSWER_BYTES_MAX;
use crate::parcel::Parcel;
use crate::service::{ServiceClient, address, away, client};
use crate::stage_error::StageError;
use crate::template::Template;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Headers that the port writes itself, or that concern the connection.
pub(super) const OWN: &[&str] = &[
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
    client: ServiceClient<Full<Bytes>>,
    uri: Uri,
    headers: Vec<(HeaderName, Template)>,
    authorization: Option<HeaderValue>,
    signer: Option<Signer>,
    timeout: Duration,
}

impl Call {
    pub(super) fn new(settings: &WebhookPortSettings) -> Result<Self, StageError> {
        let uri = address(&settings.url, "set authorization")?;
        let client = client(&uri, settings.ca_file.as_deref(), settings.timeout.0)?;
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
            client,
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
            let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            judge(status, &headers, &body, SystemTime::UNIX_EPOCH + since)
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

/// The beginning of the answer's body. One that is longer, or breaks off, says nothing more.
async fn beginning(response: Response<Incoming>) -> Bytes {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
    body.await.map(Collected::to_bytes).unwrap_or_default()
}
