//! A flow that decides.

use std::error::Error;
use std::fmt;

use crate::decision::Decision;

/// A flow that follows a timeline and decides what happens next.
///
/// An instance is one course of the process, as one order's fulfilment; events are routed to it.
///
/// 1. The state of an instance is what `given` made, beginning from the default, of every event
///    that was routed to it, its own included, each exactly once, in the timeline's order.
/// 2. `given` depends on nothing but its arguments: no clock, no chance, no look elsewhere.
/// 3. `when` is asked after `given` has seen the event. It is asked again when the step could not
///    be finished, so what it does outside of its decision must bear being done twice.
/// 4. State, position and decision become durable together, or none of them does.
/// 5. An instance that fails stops alone, with its last good state; the other ones go on.
pub trait Process: Send + Sync + fmt::Debug {
    /// The events of the timeline.
    type Event: Send + Sync;
    /// What an instance remembers.
    type State: Default + Send + Sync;
    /// Why no decision could be made.
    type Failure: Error + Send + Sync + 'static;

    /// The instance that the event concerns; none when it concerns no instance of this process.
    fn route(&self, event: &Self::Event) -> Option<String>;

    /// Takes the event into the instance's state.
    fn given(&self, state: &mut Self::State, event: &Self::Event);

    /// Decides what follows from the event.
    ///
    /// # Errors
    /// The process's own; the instance then stops until it is retried, skipped past or repaired.
    fn when(&self, state: &Self::State, event: &Self::Event) -> Result<Decision, Self::Failure>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_pipeline::particle::Message;
    use std::convert::Infallible;

    /// Ships an order once it is both paid and packed.
    #[derive(Debug)]
    struct Shipping;

    #[derive(Clone, Copy)]
    enum Event {
        Paid(u32),
        Packed(u32),
    }

    impl Process for Shipping {
        type Event = Event;
        type State = (bool, bool);
        type Failure = Infallible;

        fn route(&self, event: &Event) -> Option<String> {
            let (Event::Paid(order) | Event::Packed(order)) = event;
            Some(order.to_string())
        }

        fn given(&self, (paid, packed): &mut (bool, bool), event: &Event) {
            match event {
                Event::Paid(_) => *paid = true,
                Event::Packed(_) => *packed = true,
            }
        }

        fn when(&self, state: &(bool, bool), _event: &Event) -> Result<Decision, Infallible> {
            Ok(match state {
                (true, true) => Decision::nothing().and_then(Message::new("shipped")),
                _ => Decision::nothing(),
            })
        }
    }

    #[test]
    fn a_process_is_plain_code_that_can_be_tried_alone() {
        let mut state = Default::default();
        let mut decided = Vec::new();
        for event in [Event::Packed(7), Event::Paid(7)] {
            assert_eq!(Shipping.route(&event).as_deref(), Some("7"));
            Shipping.given(&mut state, &event);
            decided.push(Shipping.when(&state, &event).unwrap().events().len());
        }
        assert_eq!(decided, [0, 1]);
    }
}
