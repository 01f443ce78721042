//! A client of a node behind TLS: one connection, with or without a certificate.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::Answer;

/// A connection to a node, and the certificate that the node showed.
pub(crate) struct SecureClient {
    sender: SendRequest<Full<Bytes>>,
    pub(crate) shown: Vec<u8>,
}

/// A file of the tests' certificates and keys.
pub(crate) fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/server/tls")
        .join(name)
}

/// The certificate in one of these files.
pub(crate) fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(tls_file(name)).unwrap()
}

impl SecureClient {
    /// Connects; `owner` names the client's certificate and key.
    pub(crate) async fn connect(address: SocketAddr, owner: Option<&str>) -> Self {
        Self::try_connect(address, owner).await.unwrap()
    }

    pub(crate) async fn try_connect(
        address: SocketAddr,
        owner: Option<&str>,
    ) -> std::io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for root in ["cert.pem", "renewed.pem"] {
            roots.add(certificate(root)).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match owner {
            None => config.with_no_client_auth(),
            Some(owner) => {
                let key = PrivateKeyDer::from_pem_file(tls_file(&format!("{owner}-key.pem")));
                let chain = vec![certificate(&format!("{owner}.pem"))];
                config.with_client_auth_cert(chain, key.unwrap()).unwrap()
            }
        };
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(address).await?;
        let stream = connector.connect(name, stream).await?;
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Ok(Self { sender, shown })
    }

    /// Sends a request; none when the node ends the connection.
    pub(crate) async fn try_send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers.iter().chain(&[("host", "localhost")]) {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::new())).unwrap();
        self.sender.ready().await.ok()?;
        let (parts, body) = self.sender.send_request(request).await.ok()?.into_parts();
        Some(Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.ok()?.to_bytes(),
        })
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.try_send(method, path, headers).await.unwrap()
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }
}
