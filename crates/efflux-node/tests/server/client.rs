//! A node for one test, and a client of it.

use std::net::SocketAddr;

use bytes::Bytes;
use efflux_node::server::{Access, Server, ServerOptions};
use efflux_node::storage::Store;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client as Connections};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A node that runs until it is stopped, or dropped with its runtime.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    stop: oneshot::Sender<()>,
    running: JoinHandle<efflux_node::storage::Result<()>>,
}

/// Sends requests to a node.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    connections: Connections<HttpConnector, Full<Bytes>>,
}

/// An answer that was received whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Node {
    /// A node with a store in memory.
    pub(crate) async fn start() -> Self {
        Self::start_with("mem:", ServerOptions::default()).await
    }

    pub(crate) async fn start_with(url: &str, options: ServerOptions) -> Self {
        let store = Store::open(url).await.unwrap();
        Self::run(Server::bind(store, "127.0.0.1:0", options).await.unwrap())
    }

    /// A node with a store in memory whose clients need tokens.
    pub(crate) async fn start_guarded(options: ServerOptions, access: Access) -> Self {
        Self::start_guarded_in("mem:", options, access).await
    }

    pub(crate) async fn start_guarded_in(
        url: &str,
        options: ServerOptions,
        access: Access,
    ) -> Self {
        let store = Store::open(url).await.unwrap();
        let server = Server::bind(store, "127.0.0.1:0", options).await.unwrap();
        Self::run(server.with_access(access))
    }

    pub(crate) fn run(server: Server) -> Self {
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async { drop(stopped.await) }));
        let client = Client::new(address);
        Self {
            address,
            client,
            stop,
            running,
        }
    }

    /// A node with a topic `orders`.
    pub(crate) async fn with_orders() -> Self {
        let node = Self::start().await;
        let made = node.client.put("/v1/topics/orders", "").await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        node
    }

    /// Asks the node to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.ask_to_stop().await.unwrap().unwrap();
    }

    /// Asks the node to stop; what is returned ends when it has.
    pub(crate) fn ask_to_stop(self) -> JoinHandle<efflux_node::storage::Result<()>> {
        drop(self.stop);
        self.running
    }

    /// A connection of one's own, to send what no client would.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::of(address, false)
    }

    /// A client that speaks HTTP/2.
    pub(crate) fn of(address: SocketAddr, http2: bool) -> Self {
        Self::built(address, |builder| {
            builder.http2_only(http2);
        })
    }

    /// A client whose connections are set up in this way.
    pub(crate) fn built(address: SocketAddr, set: impl FnOnce(&mut Builder)) -> Self {
        let mut builder = Connections::builder(TokioExecutor::new());
        set(&mut builder);
        Self {
            address,
            connections: builder.build_http(),
        }
    }

    /// Sends a request; what is returned has its body still to come.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> http::Response<Incoming> {
        let uri = format!("http://{}{path}", self.address);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        self.connections.request(request).await.unwrap()
    }

    /// Appends a payload to `orders`; none when no answer comes.
    pub(crate) async fn try_append(&self, payload: &str) -> Option<StatusCode> {
        let uri = format!("http://{}/v1/topics/orders/particles", self.address);
        let body = Full::new(Bytes::from(payload.to_owned()));
        let request = Request::builder().method(Method::POST).uri(uri).body(body);
        let response = self.connections.request(request.unwrap()).await.ok()?;
        Some(response.status())
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let (parts, body) = self.open(method, path, headers, body).await.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn get_as(&self, path: &str, accept: &str) -> Answer {
        self.send(Method::GET, path, &[("accept", accept)], "")
            .await
    }

    pub(crate) async fn put(&self, path: &str, json: &str) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(Method::PUT, path, &headers, json.to_owned())
            .await
    }

    pub(crate) async fn post(&self, path: &str, json: &str) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, path, &headers, json.to_owned())
            .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], "").await
    }

    /// Appends a payload to `orders`, with these headers.
    pub(crate) async fn append(&self, payload: &str, headers: &[(&str, &str)]) -> Answer {
        let path = "/v1/topics/orders/particles";
        self.send(Method::POST, path, headers, payload.to_owned())
            .await
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Holds the answer against a refusal: its status, its document, its type.
    pub(crate) fn refused(&self, status: u16, name: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{name}: {}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let asks = self.header("www-authenticate") == "Bearer realm=\"efflux\"";
        assert_eq!(
            asks,
            status == 401,
            "whoever is not known is told how to say so"
        );
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:efflux:problem:{name}"));
        assert_eq!(problem["status"], status);
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// The sequences of the receipts of an append that went well.
    pub(crate) fn sequences(&self) -> Vec<u64> {
        assert!(self.status.is_success(), "{}", self.text());
        let appended = self.json();
        let receipts = appended["receipts"].as_array().unwrap();
        let sequence = |receipt: &Value| receipt["sequence"].as_u64().unwrap();
        receipts.iter().map(sequence).collect()
    }
}
