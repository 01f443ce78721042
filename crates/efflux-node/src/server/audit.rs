//! The trail of administrative actions: a topic like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Request;
use efflux_flow::particle::{Message, TopicName};
use efflux_flow::storage::{Result, TopicOptions};
use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

use super::access::Identity;
use super::limits::{REFUSALS_NOTED_MAX, REFUSALS_TIME};
use super::node::Node;

/// The topic that the trail is.
pub(crate) const AUDIT_TOPIC: &str = "efflux.audit";

/// What a particle of the trail says is its type.
const DATA_TYPE: &str = "efflux.administered";

/// The route of a topic, and that of a consumer.
const TOPIC: &str = "/v1/topics/{topic}";
const CONSUMER: &str = "/v1/topics/{topic}/consumers/{consumer}";

/// Who asked when no token was shown that is valid.
const NOBODY: &str = "nobody";

/// An administrative action: what it is to be, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Administering {
    who: String,
    method: Method,
    path: String,
}

/// What was done, by whom, and how it was answered.
#[derive(Debug, Serialize)]
struct Administered<'a> {
    token: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    /// Refused attempts that were not noted since the last one that was.
    #[serde(skip_serializing_if = "is_none")]
    unnoted: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// How many refused attempts were noted lately.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    counted: Mutex<BTreeMap<u16, Counted>>,
}

/// Those with one status.
#[derive(Debug)]
struct Counted {
    since: Instant,
    noted: u32,
    unnoted: u64,
}

impl Refusals {
    /// Whether one more is noted, and how many were not since the last one that was.
    fn take(&self, status: u16) -> Option<u64> {
        let mut counted = self.counted.lock();
        let counted = counted.entry(status).or_insert_with(|| Counted {
            since: Instant::now(),
            noted: 0,
            unnoted: 0,
        });
        if counted.since.elapsed() >= REFUSALS_TIME {
            (counted.since, counted.noted) = (Instant::now(), 0);
        }
        if counted.noted == REFUSALS_NOTED_MAX {
            counted.unnoted += 1;
            return None;
        }
        counted.noted += 1;
        Some(std::mem::take(&mut counted.unnoted))
    }
}

/// Whether a request changes more than a topic's particles and a consumer's position.
pub(crate) fn is_administrative(method: &Method, route: &str) -> bool {
    let changes = method == Method::PUT || method == Method::DELETE;
    changes && (route == TOPIC || route == CONSUMER)
        || route.ends_with("/reopen")
        || route.ends_with("/restoration")
        || route.ends_with("/seek")
        || route.starts_with("/v1/pipelines/") && method == Method::POST
}

impl Administering {
    /// What a request is about to do, if that is administrative and the node knows its clients.
    pub(crate) fn of(node: &Node, route: &str, request: &Request) -> Option<Self> {
        let is_noted = node.access().is_guarded() && is_administrative(request.method(), route);
        is_noted.then(|| Self {
            who: who(request).to_owned(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
        })
    }

    /// Notes how it was answered.
    pub(crate) async fn note(&self, node: &Node, status: StatusCode) {
        self.add(node, status, 0).await;
    }

    /// Notes that it was refused, in a task of its own: whoever is refused does not wait for that.
    /// So many are noted that nobody fills the disk with them.
    pub(crate) fn note_refusal(self, node: &Arc<Node>, status: StatusCode) {
        let is_of_access = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
        if !is_of_access {
            return;
        }
        let Some(unnoted) = node.refusals().take(status.as_u16()) else {
            return;
        };
        let (node, under_way) = (Arc::clone(node), node.administering().begin());
        tokio::spawn(async move {
            let _under_way = under_way;
            self.add(&node, status, unnoted).await;
        });
    }

    /// Adds to the trail. It was answered already, so a failure can only be logged.
    async fn add(&self, node: &Node, status: StatusCode, unnoted: u64) {
        let administered = Administered {
            token: &self.who,
            method: self.method.as_str(),
            path: &self.path,
            status: status.as_u16(),
            unnoted,
        };
        if let Err(error) = append(node, &administered).await {
            tracing::error!(%error, ?administered, "an administrative action is not in the trail");
        }
    }
}

fn who(request: &Request) -> &str {
    let who = request.extensions().get::<Identity>();
    who.map_or(NOBODY, Identity::name)
}

async fn append(node: &Node, administered: &Administered<'_>) -> Result<()> {
    let name: TopicName = AUDIT_TOPIC.parse()?;
    let topic = match node.topic(&name).await {
        Ok(hosted) => hosted.topic,
        Err(_) => match node.create_topic(&name, TopicOptions::default()).await {
            Ok(hosted) => hosted.topic,
            Err(_) => node.topic(&name).await?.topic,
        },
    };
    let message = Message::new(serde_json::to_vec(administered).unwrap_or_default())
        .with_data_type(DATA_TYPE)
        .with_content_type("application/json")
        .with_property("token", administered.token);
    topic.append(message).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn refused_attempts_are_noted_up_to_a_bound_and_then_counted() {
        let refusals = Refusals::default();
        for _ in 0..REFUSALS_NOTED_MAX {
            assert_eq!(refusals.take(403), Some(0));
        }
        assert_eq!((refusals.take(403), refusals.take(403)), (None, None));
        assert_eq!(refusals.take(401), Some(0));
        tokio::time::advance(REFUSALS_TIME).await;
        assert_eq!((refusals.take(403), refusals.take(403)), (Some(2), Some(0)));
    }

    #[test]
    fn only_routes_that_administer_are_noted() {
        for (method, route, expect) in [
            (Method::PUT, TOPIC, true),
            (Method::DELETE, CONSUMER, true),
            (Method::POST, "/v1/topics/{topic}/reopen", true),
            (Method::POST, "/v1/topics/{topic}/particles", false),
            (Method::PUT, "/v1/topics/{topic}/particles", false),
            (Method::PUT, "none", false),
            (Method::GET, TOPIC, false),
        ] {
            assert_eq!(
                is_administrative(&method, route),
                expect,
                "{method} {route}"
            );
        }
    }
}
