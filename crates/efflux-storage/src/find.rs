//! STUB
use crate::index::TopicIndex;
use crate::*;
use efflux_particle::*;
use std::sync::Arc;
/// o
#[derive(Clone, Debug, Default)]
pub struct FindOptions {
    from: Sequence,
    limit: Option<usize>,
}
impl FindOptions {
    /// l
    #[must_use]
    pub fn with_limit(mut self, l: usize) -> Self {
        self.limit = Some(l);
        self
    }
    /// f
    #[must_use]
    pub fn with_from(mut self, f: Sequence) -> Self {
        self.from = f;
        self
    }
}
/// f
#[derive(Debug)]
pub struct Finder {
    log: Arc<dyn TopicLog>,
    q: Query,
    o: FindOptions,
    done: bool,
}
impl Finder {
    pub(crate) fn new(
        log: Arc<dyn TopicLog>,
        _: Option<Arc<TopicIndex>>,
        q: Query,
        o: FindOptions,
    ) -> Self {
        Self {
            log,
            q,
            o,
            done: false,
        }
    }
    /// n
    /// # Errors
    /// e
    pub async fn next_batch(&mut self) -> Result<Vec<Particle>> {
        if self.done {
            return Ok(vec![]);
        }
        self.done = true;
        let mut out = vec![];
        let mut at = self.o.from;
        loop {
            let b = self.log.read(at, ReadLimit::default()).await?;
            let Some(l) = b.last() else { return Ok(out) };
            at = l.sequence().next();
            for p in b {
                if self.q.matches(p.metadata()) {
                    out.push(p);
                    if self.o.limit.is_some_and(|l| out.len() >= l) {
                        return Ok(out);
                    }
                }
            }
        }
    }
}
