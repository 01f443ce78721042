//! What a process decides.

use efflux_pipeline::particle::Message;

/// What a process decides about an event: the events that follow from it.
///
/// They are appended together or not at all, with the event as their cause, under ids that are
/// derived from it, so that deciding twice appends once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    events: Vec<Message>,
}

impl Decision {
    /// Decides that nothing follows.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Decides that this event follows too.
    #[must_use]
    pub fn and_then(mut self, event: Message) -> Self {
        self.events.push(event);
        self
    }

    /// The events, in the order in which they are to be appended.
    #[must_use]
    pub fn events(&self) -> &[Message] {
        &self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_keep_their_order() {
        let decision = Decision::nothing()
            .and_then(Message::new("a"))
            .and_then(Message::new("b"));
        let payloads: Vec<_> = decision.events().iter().map(Message::payload).collect();
        assert_eq!(payloads, ["a", "b"]);
    }
}
