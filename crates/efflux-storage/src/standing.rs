//! Where an open log stands, told to all who wait for it to move.

use efflux_particle::{Head, Sequence, TopicName};
use tokio::sync::watch;

use crate::error::{Error, Result};

/// The readable head of an open log, and whether it can still move.
#[derive(Debug)]
pub(crate) struct Standing(watch::Sender<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    head: Head,
    is_closed: bool,
}

impl Standing {
    pub(crate) fn at(head: Head) -> Self {
        let is_closed = false;
        Self(watch::Sender::new(State { head, is_closed }))
    }

    pub(crate) fn head(&self) -> Head {
        self.0.borrow().head
    }

    pub(crate) fn move_to(&self, head: Head) {
        self.0.send_modify(|state| state.head = head);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.borrow().is_closed
    }

    /// The head moves no more; who waits for it is told.
    pub(crate) fn close(&self) {
        self.0.send_modify(|state| state.is_closed = true);
    }

    /// Waits until the head is past `sequence`. Cancel-safe.
    pub(crate) async fn wait_past(&self, sequence: Sequence, topic: &TopicName) -> Result<Head> {
        let closed = || Error::closed(format!("topic {topic} is closed"));
        let mut states = self.0.subscribe();
        let moved = states.wait_for(|state| state.head.sequence > sequence || state.is_closed);
        let state = *moved.await.map_err(|_| closed())?;
        match state.head.sequence > sequence {
            true => Ok(state.head),
            false => Err(closed()),
        }
    }
}
