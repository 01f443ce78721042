//! What the topics of a store share.

use std::io;
use std::sync::Arc;

use super::spare_bytes::SpareBytes;
use super::tables::Tables;
use crate::limits::WORKER_THREADS;
use crate::workers::Workers;

/// What the topics of a store share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) workers: Arc<Workers>,
    pub(super) tables: Arc<Tables>,
    pub(super) spare_bytes: Arc<SpareBytes>,
}

impl Shared {
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self {
            workers: Arc::new(Workers::start("efflux-io", WORKER_THREADS)?),
            tables: Arc::default(),
            spare_bytes: Arc::default(),
        })
    }
}
