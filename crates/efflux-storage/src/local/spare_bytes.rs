//! How many bytes of zeros a store holds ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::SPARE_BYTES_MAX;

/// Bytes of zeros of a store that no particle stands on yet.
#[derive(Debug, Default)]
pub(super) struct SpareBytes(AtomicU64);

/// Counts bytes of zeros until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    bytes: u64,
    all: Arc<SpareBytes>,
}

impl SpareBytes {
    pub(super) fn count(self: &Arc<Self>, bytes: u64) -> Option<Counted> {
        let counted = self
            .0
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes)
                    .filter(|used| *used <= SPARE_BYTES_MAX)
            });
        counted.ok().map(|_| Counted {
            bytes,
            all: Arc::clone(self),
        })
    }
}

impl Counted {
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
