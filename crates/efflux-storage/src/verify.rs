//! What a check of a whole topic covered.

use std::fmt;
use std::sync::Arc;

use efflux_particle::Head;

/// What a check of a whole topic covered: every byte of every particle, and what stands around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Particles checked, the root included.
    pub particles: u64,
    /// Bytes of frames checked.
    pub bytes: u64,
    /// Segment files checked.
    pub segments: u64,
    /// The head that the check arrived at.
    pub head: Head,
    /// What is damaged but does no harm, because it is kept twice or can be derived: one line each.
    pub notes: Vec<String>,
}

/// Is told now and then how many particles and bytes were checked.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(u64, u64) + Send + Sync>>);

impl Progress {
    /// Calls `tell(particles, bytes)` now and then.
    pub fn new(tell: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// Tells how far the check is.
    pub fn tell(&self, particles: u64, bytes: u64) {
        if let Some(tell) = &self.0 {
            tell(particles, bytes);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
