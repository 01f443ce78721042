//! Opens what a URL names.

use std::sync::Arc;

use super::url::StoreUrl;
use crate::disk::Disk;
use crate::error::Result;
use crate::host::Host;
use crate::ids::IdSource;
use crate::local::LocalBackend;
use crate::log::Backend;
use crate::memory::MemoryBackend;
use crate::options::StoreOptions;
#[cfg(feature = "remote")]
use crate::remote::{Address, RemoteBackend};

/// What stands behind a URL.
pub(super) struct Opened {
    pub(super) backend: Arc<dyn Backend>,
    /// The process that works on the topics, when it is another one.
    pub(super) host: Option<Arc<dyn Host>>,
}

/// Whether a text is the URL of a store.
pub(super) fn check(url: &str) -> Result<()> {
    match StoreUrl::parse(url)? {
        StoreUrl::Memory | StoreUrl::File(_) => Ok(()),
        StoreUrl::Node(url) => check_node(&url),
    }
}

#[cfg(feature = "remote")]
fn check_node(url: &str) -> Result<()> {
    Address::parse(url).map(|_| ())
}

#[cfg(not(feature = "remote"))]
fn check_node(_url: &str) -> Result<()> {
    Ok(())
}

/// Opens what a URL names.
pub(super) async fn backend(
    url: &str,
    options: &StoreOptions,
    disk: Arc<dyn Disk>,
    ids: &Arc<IdSource>,
) -> Result<Opened> {
    let backend: Arc<dyn Backend> = match StoreUrl::parse(url)? {
        StoreUrl::Memory => Arc::new(MemoryBackend::new(Arc::clone(ids))),
        StoreUrl::File(path) => Arc::new(LocalBackend::open(disk, path, options, Arc::clone(ids))?),
        StoreUrl::Node(url) => return node(&url, options).await,
    };
    let host = None;
    Ok(Opened { backend, host })
}

#[cfg(feature = "remote")]
async fn node(url: &str, options: &StoreOptions) -> Result<Opened> {
    let node = Arc::new(RemoteBackend::open(Address::parse(url)?, options).await?);
    let host: Arc<dyn Host> = Arc::clone(&node) as Arc<dyn Host>;
    Ok(Opened {
        backend: node,
        host: Some(host),
    })
}

#[cfg(not(feature = "remote"))]
async fn node(url: &str, _options: &StoreOptions) -> Result<Opened> {
    Err(crate::error::Error::invalid(format!(
        "store {url:?}: this program was built without the feature `remote` of efflux-storage"
    )))
}
