//! Accepts connections until it is asked to stop, then ends in order.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use efflux_flow::storage::{Error, Result, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{self, JoinSet};

use super::access::{Access, Certified};
use super::activity::Activity;
use super::connection;
use super::hosting::{Hosting, Variables};
use super::limits::{ACCEPT_PAUSE, GIVE_WAY_TIME};
use super::measured_disk::MeasuredDisk;
use super::node::Node;
use super::options::ServerOptions;
use super::routes;
use super::tls::Tls;
use crate::pipelines::{Folder, Pipelines};

/// A server that is bound to its address and not yet running.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    store: Store,
    options: ServerOptions,
    access: Access,
    tls: Option<Tls>,
    disk: Option<MeasuredDisk>,
    pipelines: Option<(Folder, Variables)>,
    reloads: Option<mpsc::Receiver<()>>,
}

/// What the connections of a running server share.
struct Running {
    listener: TcpListener,
    node: Arc<Node>,
    tls: Option<Tls>,
    permits: Arc<Semaphore>,
    open: Open,
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
            disk: None,
            pipelines: None,
            reloads: None,
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

    /// Sets the disk that the store is on, so that the node tells how long syncs take.
    #[must_use]
    pub fn with_disk(mut self, disk: MeasuredDisk) -> Self {
        self.disk = Some(disk);
        self
    }

    /// Runs the pipelines that the files of a folder declare, with variables filled in from
    /// `variables`. The folder is read when the server runs, when a client asks for it, and whenever
    /// `reloads` receives something.
    #[must_use]
    pub fn with_pipelines(
        mut self,
        folder: Folder,
        variables: Variables,
        reloads: mpsc::Receiver<()>,
    ) -> Self {
        self.pipelines = Some((folder, variables));
        self.reloads = Some(reloads);
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
        let hosting = self.pipelines.map(|(folder, variables)| {
            Hosting::new(Pipelines::beside(self.store.clone()), folder, variables)
        });
        let node = Node::new(self.store, self.options, self.access, self.address, stopped);
        let node = node.with_hosting(hosting);
        if let Some(disk) = &self.disk {
            disk.tell(node.metrics().sync_seconds());
        }
        let permits = Arc::new(Semaphore::new(node.options().connections_max));
        let mut running = Running {
            listener: self.listener,
            node: Arc::new(node),
            tls: self.tls,
            permits,
            open: Open::default(),
        };
        let routes = routes::router(&running.node);
        let mut connections = JoinSet::new();
        let node = Arc::clone(&running.node);
        tokio::select! {
            () = running.accept(&routes, &mut connections) => {}
            () = host(&node, self.reloads) => {}
            () = stop => {}
        }
        drop(running.listener);
        tracing::info!("stopping");
        sender.send_replace(true);
        node.hurry();
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

/// Lets the pipelines of the folder run, and reads it again whenever that is asked for.
async fn host(node: &Node, reloads: Option<mpsc::Receiver<()>>) {
    let (Some(hosting), Some(mut reloads)) = (node.hosting(), reloads) else {
        return std::future::pending().await;
    };
    loop {
        // What is wrong was logged.
        let _ = hosting.load().await;
        if reloads.recv().await.is_none() {
            return std::future::pending().await;
        }
    }
}

impl Running {
    async fn accept(&mut self, routes: &Router, connections: &mut JoinSet<()>) {
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        // Out of descriptors, usually: it takes a connection that ends.
                        self.open.end_idle();
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
                Some(ended) = connections.join_next_with_id() => {
                    self.open.forget(&ended);
                    continue;
                }
            };
            let permit = self.permit(connections).await;
            let (node, routes) = (Arc::clone(&self.node), routes.clone());
            let (tls, activity) = (self.tls.clone(), Activity::new());
            let doing = activity.clone();
            let task = connections.spawn(async move {
                let _permit = permit;
                let _counted = node.metrics().connection();
                handle(stream, tls, routes, &node, &doing).await;
            });
            self.open.add(task.id(), activity);
        }
    }

    /// A place for a connection. Above the bound, one that is idle ends for it, or it waits until
    /// one does; those that come behind wait in the system's queue.
    async fn permit(&mut self, connections: &mut JoinSet<()>) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some(permit);
        }
        loop {
            self.open.end_idle();
            tokio::select! {
                permit = Arc::clone(&self.permits).acquire_owned() => return permit.ok(),
                Some(ended) = connections.join_next_with_id() => self.open.forget(&ended),
                () = tokio::time::sleep(ACCEPT_PAUSE) => {}
            }
        }
    }
}

/// The connections that are open, and what they do.
#[derive(Debug, Default)]
struct Open(HashMap<task::Id, Activity>);

impl Open {
    fn add(&mut self, id: task::Id, activity: Activity) {
        self.0.insert(id, activity);
    }

    fn forget(&mut self, ended: &std::result::Result<(task::Id, ()), task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.0.remove(&id);
    }

    /// Lets that idle connection end that can best be done without.
    fn end_idle(&self) {
        let idle = self.0.values();
        let idle = idle.filter_map(|it| Some((it.idle_since(GIVE_WAY_TIME)?, it)));
        if let Some((_, activity)) = idle.min_by_key(|(idle, _)| *idle) {
            activity.give_way();
        }
    }
}

async fn handle(
    stream: TcpStream,
    tls: Option<Tls>,
    routes: Router,
    node: &Node,
    activity: &Activity,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection is gone already");
        return;
    }
    let Some(tls) = tls else {
        return connection::serve(stream, None, routes, node, activity).await;
    };
    let time = node.options().head_time;
    let shaken = tokio::select! {
        shaken = tls.acceptor().accept(stream) => shaken,
        () = activity.is_over(time, time) => {
            return tracing::debug!("the TLS handshake took too long");
        }
    };
    match shaken {
        Ok(stream) => {
            let shown = stream.get_ref().1.peer_certificates();
            let certified = shown.and_then(<[_]>::first).map(|it| Certified::of(it));
            connection::serve(stream, certified, routes, node, activity).await;
        }
        Err(error) => tracing::debug!(%error, "no TLS"),
    }
}
