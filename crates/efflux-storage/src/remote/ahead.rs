//! A read that is asked for before anybody wants it.

use efflux_particle::Sequence;
use parking_lot::Mutex;

use super::client::Running;
use crate::log::ReadLimit;

/// The read that whoever reads a topic upwards is likely to want next: one at a time.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    asked: Mutex<Option<Asked>>,
}

#[derive(Debug)]
struct Asked {
    from: Sequence,
    limit: ReadLimit,
    running: Running,
}

impl Ahead {
    /// The read that was asked for, if it is this one.
    pub(super) fn take(&self, from: Sequence, limit: ReadLimit) -> Option<Running> {
        let mut asked = self.asked.lock();
        let same = asked.take_if(|asked| (asked.from, asked.limit) == (from, limit));
        same.map(|asked| asked.running)
    }

    /// Asks for a read, unless another one is under way: giving it up would cost its connection.
    pub(super) fn begin(&self, from: Sequence, limit: ReadLimit, ask: impl FnOnce() -> Running) {
        let mut asked = self.asked.lock();
        if asked.as_ref().is_none_or(|it| it.running.is_finished()) {
            let running = ask();
            *asked = Some(Asked {
                from,
                limit,
                running,
            });
        }
    }

    /// Gives up what was asked for.
    pub(super) fn end(&self) {
        *self.asked.lock() = None;
    }
}
