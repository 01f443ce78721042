//! A flow that answers.

use std::fmt;

/// A flow that follows a timeline and keeps documents that answer questions.
///
/// 1. A document is what `given` made, beginning from the default, of every event that was routed
///    to it, each exactly once, in the timeline's order.
/// 2. `given` depends on nothing but its arguments, so that a view can be thrown away and built
///    again, beside the one that answers meanwhile.
/// 3. Documents and position become durable together.
/// 4. A projection decides nothing and appends nothing.
pub trait Projection: Send + Sync + fmt::Debug {
    /// The events of the timeline.
    type Event: Send + Sync;
    /// What answers a question.
    type Document: Default + Send + Sync;

    /// The document that the event changes; none when it changes no document of this projection.
    fn route(&self, event: &Self::Event) -> Option<String>;

    /// Takes the event into the document.
    fn given(&self, document: &mut Self::Document, event: &Self::Event);
}
