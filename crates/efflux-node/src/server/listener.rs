//! Accepts connections until it is asked to stop, then ends in order.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use efflux_flow::storage::{Error, Result, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::connection;
use super::limits::ACCEPT_PAUSE;
use super::node::Node;
use super::options::ServerOptions;
use super::routes;

/// A server that is bound to its address and not yet running.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    node: Arc<Node>,
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
        let stop = watch::Sender::new(false);
        let node = Arc::new(Node::new(store, options, stop.subscribe()));
        Ok(Self {
            listener,
            address,
            node,
            stop,
        })
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
        let routes = routes::router(&self.node);
        let mut connections = JoinSet::new();
        tokio::select! {
            () = self.accept(&routes, &mut connections) => {}
            () = stop => {}
        }
        let Self {
            listener,
            node,
            stop,
            ..
        } = self;
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
            let (node, routes, stop) = (
                Arc::clone(&self.node),
                routes.clone(),
                self.stop.subscribe(),
            );
            connections.spawn(async move {
                let _permit = permit;
                let _counted = node.metrics().connection();
                handle(stream, routes, &node, stop).await;
            });
        }
    }
}

async fn handle(stream: TcpStream, routes: Router, node: &Node, stop: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection is gone already");
        return;
    }
    connection::serve(stream, routes, node.options(), stop).await;
}
