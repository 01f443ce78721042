//! Makes connections to nodes: plain ones, where this program was built without TLS.

use hyper_util::client::legacy::connect::HttpConnector;

use super::address::Address;
use crate::error::{Error, Result};
use crate::options::StoreOptions;

/// Makes connections to a node.
pub(super) type Connector = HttpConnector;

/// What connects to this node.
///
/// # Errors
/// `Invalid` when the node is behind TLS.
pub(super) fn connector(
    plain: HttpConnector,
    address: &Address,
    _options: &StoreOptions,
) -> Result<Connector> {
    match address.is_encrypted() {
        false => Ok(plain),
        true => Err(Error::invalid(format!(
            "store {address}: this program was built without the feature `remote-tls` of \
             efflux-storage"
        ))),
    }
}
