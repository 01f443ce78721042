//! One request and its answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, USER_AGENT,
};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use tokio::time::timeout;

use super::settings::HttpPollSettings;
use crate::retry_after::retry_after;
use crate::secret::Secret;
use crate::service::{ServiceClient, address, away, client};
use crate::stage_error::StageError;

/// What tells one version of an answer from another, as the service says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Validators {
    pub(super) etag: Option<HeaderValue>,
    pub(super) modified: Option<HeaderValue>,
}

/// What the service answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// What it answered before still holds, or there is nothing.
    Nothing,
    Body {
        validators: Validators,
        content_type: Option<String>,
        /// None when it is larger than it may be.
        body: Option<Bytes>,
    },
}

/// Where a password belongs.
pub(super) const FOR_PASSWORD: &str = "set the header authorization";

/// A header that is sent, if it can be.
pub(super) fn header(name: &str, secret: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = name.parse::<HeaderName>().ok();
    let parsed = parsed.filter(|parsed| !OWN.contains(parsed));
    let parsed = parsed.ok_or_else(|| format!("{name:?} is no name of a header to send"))?;
    let mut value = HeaderValue::from_str(secret.expose())
        .map_err(|_| format!("the header {name} has a value that cannot be sent"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// How the service is asked.
#[derive(Debug)]
pub(super) struct Exchange {
    client: ServiceClient<Empty<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
    body_bytes_max: usize,
}

impl Exchange {
    pub(super) fn new(settings: &HttpPollSettings) -> Result<Self, StageError> {
        let uri = address(&settings.url, FOR_PASSWORD)?;
        let client = client(&uri, settings.ca_file.as_deref(), settings.timeout.0)?;
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static("efflux"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (name, secret) in &settings.headers {
            let (name, value) = header(name, secret).map_err(StageError::fatal)?;
            headers.insert(name, value);
        }
        Ok(Self {
            client,
            uri,
            headers,
            timeout: settings.timeout.0,
            body_bytes_max: settings.body_max.bytes(),
        })
    }

    /// The URL, without what comes behind a `?`: a key may stand there.
    pub(super) fn place(&self) -> String {
        let uri = &self.uri;
        let scheme = uri.scheme_str().unwrap_or_default();
        let host = uri.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{host}{}", uri.path())
    }

    /// Asks for what is there, if it is another version than the known one.
    pub(super) async fn get(&self, known: &Validators) -> Result<Answer, StageError> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let conditions = [
            (IF_NONE_MATCH, &known.etag),
            (IF_MODIFIED_SINCE, &known.modified),
        ];
        for (name, value) in conditions {
            if let Some(value) = value {
                request.headers_mut().insert(name, value.clone());
            }
        }
        let answered = timeout(self.timeout, async {
            let response = self.client.request(request).await;
            let (head, body) = response.map_err(|error| away(&error))?.into_parts();
            if !judge(head.status, &head.headers)? {
                return Ok(Answer::Nothing);
            }
            let body = match Limited::new(body, self.body_bytes_max).collect().await {
                Ok(body) => Some(body.to_bytes()),
                Err(error) if error.is::<LengthLimitError>() => None,
                Err(error) => {
                    let told = format!("the answer breaks off: {error}");
                    return Err(StageError::unavailable(told));
                }
            };
            let content_type = head.headers.get(CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok());
            Ok(Answer::Body {
                validators: Validators {
                    etag: head.headers.get(ETAG).cloned(),
                    modified: head.headers.get(LAST_MODIFIED).cloned(),
                },
                content_type: content_type.map(ToOwned::to_owned),
                body,
            })
        });
        answered.await.unwrap_or_else(|_| {
            let limit = self.timeout;
            let told = format!("{} did not answer within {limit:?}", self.place());
            Err(StageError::unavailable(told))
        })
    }
}

/// Headers that the connector writes itself, or that concern the connection.
const OWN: &[HeaderName] = &[
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    ACCEPT_ENCODING,
    hyper::header::HOST,
    hyper::header::CONNECTION,
    hyper::header::CONTENT_LENGTH,
    hyper::header::TRANSFER_ENCODING,
    hyper::header::RANGE,
];

/// Whether the answer has a body that counts.
fn judge(status: StatusCode, headers: &HeaderMap) -> Result<bool, StageError> {
    let told = format!("the service answered {status}");
    match status {
        StatusCode::OK => {
            let encoding = headers.get(CONTENT_ENCODING);
            match encoding.filter(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
                None => Ok(true),
                Some(encoding) => Err(StageError::fatal(format!(
                    "the service answers in the encoding {encoding:?}, which was not asked for"
                ))),
            }
        }
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Ok(false),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Err(later(told, headers))
        }
        _ if status.is_server_error() => Err(later(told, headers)),
        _ if status.is_redirection() => {
            let to = headers.get(LOCATION);
            Err(StageError::fatal(format!(
                "{told}; redirects are not followed, set url to where it is ({to:?})"
            )))
        }
        _ => Err(StageError::fatal(told)),
    }
}

fn later(told: String, headers: &HeaderMap) -> StageError {
    match retry_after(headers, None) {
        Some(rest) => StageError::unavailable_for(told, rest),
        None => StageError::unavailable(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_what_follows() {
        for (status, expect) in [
            (200, "body"),
            (204, "nothing"),
            (304, "nothing"),
            (301, "fatal"),
            (401, "fatal"),
            (404, "fatal"),
            (408, "unavailable"),
            (429, "unavailable"),
            (503, "unavailable"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let found = match judge(status, &HeaderMap::new()) {
                Ok(true) => "body",
                Ok(false) => "nothing",
                Err(error) => error.kind(),
            };
            assert_eq!(found, expect, "{status}");
        }
    }
}
