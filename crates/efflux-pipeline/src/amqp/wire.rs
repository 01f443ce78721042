//! The wire to a broker: TCP, or TLS over it.
//!
//! The client library brings TLS too, with readers of key stores that nothing here needs and a
//! second SHA-256; so it is given a wire that speaks TLS already.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_util::Stream;
use futures_util::io::{AsyncRead, AsyncWrite};
use lapin::AsyncTcpStream;
use lapin::uri::{AMQPScheme, AMQPUri};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// What the client library runs on.
pub(crate) type Wired = RuntimeParts<Tokio, Wires>;
/// A wire to a broker.
pub(crate) type Wire = Compat<Box<dyn Socket>>;

/// What a wire stands on.
pub(crate) trait Socket:
    tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin
{
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Socket for S {}

/// Times and wires of tokio.
#[derive(Clone, Debug)]
pub(crate) struct Wires(Tokio);

/// The tokio runtime that this is called on, for the client library.
pub(super) fn runtime() -> Runtime<Wired> {
    let tokio = Tokio::current();
    Runtime::new(RuntimeParts::new(tokio.clone(), Wires(tokio)))
}

impl Reactor for Wires {
    type TcpStream = Wire;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// Nothing is watched but the wires that are made here.
    fn register<H: Read + Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Wire, _>(io::Error::from(io::ErrorKind::Unsupported))
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.0.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(time)
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "the future outlives the one that is asked"
    )]
    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Wire>> + Send + 'static {
        async move {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            Ok(wire(socket))
        }
    }
}

fn wire(socket: impl Socket + 'static) -> Wire {
    let socket: Box<dyn Socket> = Box::new(socket);
    socket.compat()
}

/// A wire to the broker, in TLS when the URL wants it and never without it then.
pub(super) async fn connect(
    uri: &AMQPUri,
    tls: Option<&Arc<ClientConfig>>,
) -> lapin::Result<AsyncTcpStream<Wire>> {
    let authority = &uri.authority;
    let socket = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
    socket.set_nodelay(true)?;
    let wire = match (&uri.scheme, tls) {
        (AMQPScheme::AMQP, _) => wire(socket),
        (AMQPScheme::AMQPS, None) => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        (AMQPScheme::AMQPS, Some(tls)) => {
            let name = ServerName::try_from(authority.host.clone()).map_err(io::Error::other)?;
            let connector = TlsConnector::from(Arc::clone(tls));
            wire(connector.connect(name, socket).await?)
        }
    };
    Ok(AsyncTcpStream::Plain(wire))
}
