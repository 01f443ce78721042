//! One request and its answer, over a connection of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::retry_after::retry_after;
use crate::stage_error::StageError;
use crate::transform::limits::FETCH_HEAD_BYTES_MAX;

/// Where a request goes.
#[derive(Debug)]
pub(super) struct Target<'a> {
    address: &'a Uri,
    pub(super) host: &'a str,
    pub(super) port: u16,
    is_secure: bool,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

/// What believes the system's authorities and those in `authorities`, which is PEM.
pub(super) fn tls(authorities: Option<&str>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in authorities
        .iter()
        .flat_map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes()))
    {
        let certificate =
            certificate.map_err(|error| format!("the authorities cannot be read: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("an authority cannot be believed: {error}"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl<'a> Target<'a> {
    pub(super) fn of(address: &'a Uri) -> Result<Self, StageError> {
        let is_secure = address.scheme_str() == Some("https");
        let host = address
            .host()
            .ok_or_else(|| StageError::rejected(format!("{address} names no host")))?;
        Ok(Self {
            address,
            host: host.trim_start_matches('[').trim_end_matches(']'),
            port: address
                .port_u16()
                .unwrap_or(if is_secure { 443 } else { 80 }),
            is_secure,
        })
    }

    /// The answer to a GET, from one of these addresses.
    pub(super) async fn get(
        &self,
        addresses: &[SocketAddr],
        tls: &TlsConnector,
        headers: &[(HeaderName, HeaderValue)],
        bytes_max: usize,
    ) -> Result<Answer, StageError> {
        let unavailable = |error: io::Error| {
            StageError::unavailable(format!("{} cannot be reached: {error}", self.host))
        };
        let stream = TcpStream::connect(addresses).await.map_err(unavailable)?;
        if !self.is_secure {
            return self.ask(stream, headers, bytes_max).await;
        }
        let name = ServerName::try_from(self.host.to_owned())
            .map_err(|_| StageError::rejected(format!("{:?} is no name of a server", self.host)))?;
        let stream = tls.connect(name, stream).await.map_err(unavailable)?;
        self.ask(stream, headers, bytes_max).await
    }

    async fn ask<S>(
        &self,
        stream: S,
        headers: &[(HeaderName, HeaderValue)],
        bytes_max: usize,
    ) -> Result<Answer, StageError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| {
            StageError::unavailable(format!("{} broke off: {error}", self.host))
        };
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(FETCH_HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let request = self.request(headers)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            self.read(response, bytes_max).await
        };
        // The connection lives as long as the exchange: who gives up on one drops the other.
        tokio::pin!(connection);
        tokio::pin!(exchange);
        let mut is_open = true;
        loop {
            tokio::select! {
                answer = &mut exchange => return answer,
                _ = &mut connection, if is_open => is_open = false,
            }
        }
    }

    fn request(
        &self,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Request<Empty<Bytes>>, StageError> {
        let path = self
            .address
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let host = self
            .address
            .authority()
            .map_or(self.host, |authority| authority.as_str());
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(HOST, host)
            .header(USER_AGENT, concat!("efflux/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT_ENCODING, "identity");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request
            .body(Empty::new())
            .map_err(|error| StageError::rejected(format!("no request can be made: {error}")))
    }

    async fn read(
        &self,
        response: Response<Incoming>,
        bytes_max: usize,
    ) -> Result<Answer, StageError> {
        let (head, mut incoming) = response.into_parts();
        let mut answer = Answer {
            status: head.status,
            content_type: text_of(&head.headers, &CONTENT_TYPE).map(ToOwned::to_owned),
            retry_after: retry_after(&head.headers, None),
            body: Bytes::new(),
        };
        // What is said with an error is not looked at, whatever its size.
        if !head.status.is_success() {
            return Ok(answer);
        }
        if let Some(encoding) = head.headers.get(CONTENT_ENCODING)
            && encoding != "identity"
        {
            return Err(StageError::rejected(format!(
                "{} answers compressed, though it was asked not to",
                self.host
            )));
        }
        let mut body = BytesMut::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| {
                StageError::unavailable(format!("{} broke off: {error}", self.host))
            })?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            if body.len() + data.len() > bytes_max {
                return Err(StageError::rejected(format!(
                    "{} answers more than {bytes_max} bytes",
                    self.host
                )));
            }
            body.extend_from_slice(data);
        }
        answer.body = body.freeze();
        Ok(answer)
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
