//! Which topic a message goes to.

mod routes;

use std::fmt;

use efflux_storage::particle::TopicName;

use crate::parcel::Parcel;
use crate::stage_error::StageError;

pub use self::routes::{RouteRule, RouterSettings, Routes};

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Into this topic.
    To(TopicName),
    /// Nowhere, for this reason.
    Drop(String),
}

/// Chooses the topic of each message.
///
/// 1. The same message always gets the same route, so that one that comes twice meets itself.
/// 2. A router changes nothing and waits for nothing.
pub trait Router: Send + Sync + fmt::Debug {
    /// The message's route.
    ///
    /// # Errors
    /// [`StageError::Rejected`] when no topic can be told from the message.
    fn route(&self, parcel: &Parcel) -> Result<Route, StageError>;

    /// The topic for messages whose topic is not there and is not made; none when they are rejected.
    fn otherwise(&self) -> Option<&TopicName> {
        None
    }
}

/// A topic's name routes every message to that topic.
impl Router for TopicName {
    fn route(&self, _parcel: &Parcel) -> Result<Route, StageError> {
        Ok(Route::To(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::Message;

    #[test]
    fn a_name_routes_everything_to_its_topic() {
        let orders: TopicName = "orders".parse().unwrap();
        let route = orders.route(&Parcel::of_message(Message::new("a")));
        assert_eq!(route.unwrap(), Route::To("orders".parse().unwrap()));
    }
}
