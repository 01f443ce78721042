//! A session that the broker keeps and this side does not.
//!
//! What is received is acknowledged when it is durable elsewhere, and nothing of it is remembered
//! here: the broker delivers the rest again. The client library goes on with a broker's session
//! only when it finds its own side of it, which therefore is always an empty one.

use std::future::Future;
use std::pin::Pin;

use rumqttc::{
    PersistedAckMode, PersistedSession, SessionStore, SessionStoreError, SessionStoreKey,
};

/// The version of the form that the client library knows.
const FORMAT: u16 = 1;

#[derive(Clone, Copy, Debug)]
pub(super) struct Nothing {
    pub(super) expiry_seconds: u32,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

impl SessionStore for Nothing {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> Answer<'a, Option<PersistedSession>> {
        let empty = PersistedSession {
            format_version: FORMAT,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: Some(self.expiry_seconds),
            outgoing_inflight_upper_limit: None,
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(async move { Ok(Some(empty)) })
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
