//! A service behind TLS that keeps what it was sent, as it came in and as it was meant.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// One of the certificates of the tests. `authority.pem` signed `believed.pem`, and `expired.pem`
/// for January 2020; somebody else signed `strangers.pem`. All are for `localhost` and 127.0.0.1, and
/// have the key `key.pem`. The keys of both authorities were thrown away.
pub(crate) fn pem(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/encryption/certificates");
    folder.join(name)
}

/// What a service does with a connection.
#[derive(Clone)]
pub(crate) enum Shows {
    /// It speaks TLS, with this certificate.
    Certificate(&'static str),
    /// It answers in the clear.
    Nothing,
}

/// What a service was sent.
#[derive(Clone, Default)]
pub(crate) struct Service {
    /// All bytes, as they came in.
    raw: Arc<Mutex<Vec<u8>>>,
    /// Requests that it could read.
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Service {
    /// A service on a free port of this address, which answers each request like this.
    pub(crate) async fn start(ip: Ipv4Addr, shows: Shows, answer: &str) -> (Self, SocketAddr) {
        let service = Self::default();
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (serving, answer) = (service.clone(), answer.to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *serving.connections.lock().unwrap() += 1;
                let (serving, shows, answer) = (serving.clone(), shows.clone(), answer.clone());
                tokio::spawn(async move { serving.serve(stream, &shows, &answer).await });
            }
        });
        (service, address)
    }

    async fn serve(self, stream: TcpStream, shows: &Shows, answer: &str) {
        let heard = Heard {
            stream,
            raw: Arc::clone(&self.raw),
        };
        match shows {
            Shows::Certificate(name) => {
                if let Ok(stream) = acceptor(name).accept(heard).await {
                    self.answer(stream, answer).await;
                }
            }
            Shows::Nothing => self.answer(heard, answer).await,
        }
    }

    /// Answers the first request, however much of it could be understood.
    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
        let mut bytes = vec![0; 64 * 1024];
        let mut read = 0;
        while let Ok(more @ 1..) = stream.read(&mut bytes[read..]).await {
            read += more;
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let is_tls = bytes[0] == 22;
            if is_tls || is_whole(&text) {
                self.asked.lock().unwrap().push(text);
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
                return;
            }
        }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Whether these bytes came in the clear.
    pub(crate) fn overhears(&self, text: &str) -> bool {
        let raw = self.raw.lock().unwrap();
        raw.windows(text.len()).any(|part| part == text.as_bytes())
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

/// Whether a request has all of the body that it announces.
fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn acceptor(certificate: &str) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(pem(certificate)).unwrap();
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(pem("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A connection of which all that comes in is kept.
struct Heard {
    stream: TcpStream,
    raw: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let came = &into.filled()[before..];
        self.raw.lock().unwrap().extend_from_slice(came);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
