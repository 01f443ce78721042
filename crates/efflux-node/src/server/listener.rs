//! Accepts connections until it is asked to stop, then ends in order.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use efflux_flow::storage::{Error, Result, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::access::{Access, Certified};
use super::connection;
use super::limits::ACCEPT_PAUSE;
use super::node::Node;
use super::options::ServerOptions;
use super::routes;
use super::tls::Tls;

/// A server that is bound to its address and not yet running.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    store: Store,
    options: ServerOptions,
    access: Access,
    tls: Option<Tls>,
}

/// What the connections of a running server share.
struct Running {
    listener: TcpListener,
    node: Arc<Node>,
    tls: Option<Tls>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Binds a server for `store` to an address, as in `127.0.0.1:7150`; port 0 takes a free one.
    ///
    /// # Errors
    /// `Invalid` when a setting is out of bounds; `Unavailable` when the address cannot be used.
    pub async fn bind(store: Store, address: &str, options: ServerOptions) -> Result<Self> {
        options.check()?;
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.map_err(|error| Error::io(format!("cannot listen on {address}"), error))?;
        let address = listener.local_addr();
        let address = address.map_err(|error| Error::io("the listener has no address", error))?;
        Ok(Self {
            listener,
            address,
            store,
            options,
            access: Access::everyone(),
            tls: None,
        })
    }

    /// Sets who may use the node: everyone unless this is called.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Encrypts all connections.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The address that clients connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready, then stops taking connections and requests, lets those under
    /// way finish within the time that is set for it, and closes the store.
    ///
    /// # Errors
    /// Those of [`Store::close`].
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<()> {
        let sender = watch::Sender::new(false);
        let stopped = sender.subscribe();
        let node = Node::new(self.store, self.options, self.access, self.address, stopped);
        let running = Running {
            listener: self.listener,
            node: Arc::new(node),
            tls: self.tls,
            stop: sender,
        };
        let routes = routes::router(&running.node);
        let mut connections = JoinSet::new();
        tokio::select! {
            () = running.accept(&routes, &mut connections) => {}
            () = stop => {}
        }
        let Running {
            listener,
            node,
            stop,
            ..
        } = running;
        drop(listener);
        tracing::info!("stopping");
        stop.send_replace(true);
        let ended = async { while connections.join_next().await.is_some() {} };
        let time = node.options().shutdown_time;
        if tokio::time::timeout(time, ended).await.is_err() {
            tracing::warn!(
                cut_off = connections.len(),
                "requests did not finish in time"
            );
            connections.shutdown().await;
        }
        node.close().await
    }
}

impl Running {
    async fn accept(&self, routes: &Router, connections: &mut JoinSet<()>) {
        let permits = Arc::new(Semaphore::new(self.node.options().connections_max));
        loop {
            // Above the bound, connections wait in the system's queue until one ends.
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                return;
            };
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        // Out of descriptors, usually: it takes a connection that ends.
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            let (node, routes) = (Arc::clone(&self.node), routes.clone());
            let (tls, stop) = (self.tls.clone(), self.stop.subscribe());
            connections.spawn(async move {
                let _permit = permit;
                let _counted = node.metrics().connection();
                handle(stream, tls, routes, &node, stop).await;
            });
        }
    }
}

async fn handle(
    stream: TcpStream,
    tls: Option<Tls>,
    routes: Router,
    node: &Node,
    stop: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection is gone already");
        return;
    }
    let options = node.options();
    let Some(tls) = tls else {
        return connection::serve(stream, None, routes, options, stop).await;
    };
    let shaken = tls.acceptor().accept(stream);
    match tokio::time::timeout(options.head_time, shaken).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates();
            let certified = shown.and_then(<[_]>::first).map(|it| Certified::of(it));
            connection::serve(stream, certified, routes, options, stop).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
        Err(_) => tracing::debug!("the TLS handshake took too long"),
    }
}
