//! The trail of administrative actions: a topic like any other.

use efflux_flow::particle::{Message, TopicName};
use efflux_flow::storage::TopicOptions;
use http::Method;
use serde::Serialize;

use super::access::Identity;
use super::node::Node;

/// The topic that the trail is.
pub(crate) const AUDIT_TOPIC: &str = "efflux.audit";

/// What a particle of the trail says is its type.
const DATA_TYPE: &str = "efflux.administered";

/// What was done, by whom, and how it was answered.
#[derive(Debug, Serialize)]
struct Administered<'a> {
    token: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
}

/// Whether a request changes more than a topic's particles and a consumer's position.
pub(crate) fn is_administrative(method: &Method, route: &str) -> bool {
    let changes = method == Method::PUT || method == Method::DELETE;
    changes
        || route.ends_with("/reopen")
        || route.ends_with("/restoration")
        || route.ends_with("/seek")
}

/// Notes an administrative action. It was answered already, so a failure can only be logged.
pub(crate) async fn note(node: &Node, who: &Identity, method: &Method, path: &str, status: u16) {
    let administered = Administered {
        token: who.name(),
        method: method.as_str(),
        path,
        status,
    };
    let noted = async {
        let name: TopicName = AUDIT_TOPIC.parse()?;
        let topic = match node.topic(&name).await {
            Ok(hosted) => hosted.topic,
            Err(_) => match node.create_topic(&name, TopicOptions::default()).await {
                Ok(hosted) => hosted.topic,
                Err(_) => node.topic(&name).await?.topic,
            },
        };
        let message = Message::new(serde_json::to_vec(&administered).unwrap_or_default())
            .with_data_type(DATA_TYPE)
            .with_content_type("application/json")
            .with_property("token", who.name());
        topic.append(message).await
    };
    if let Err(error) = noted.await {
        tracing::error!(%error, ?administered, "an administrative action is not in the trail");
    }
}
