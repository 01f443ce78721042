//! Restoring a topic of particles that were sealed before.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use efflux_flow::particle::{Head, TopicName};
use efflux_flow::storage::remote::wire::{ProblemKind, RESTORATION, RestorationLine, TopicShown};
use efflux_flow::storage::{Error, ErrorKind, Restoration};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::topics::shown;
use crate::server::access::Action;
use crate::server::access::Identity;
use crate::server::answer;
use crate::server::extract::{Path, RestorationParts, essence, one, parsed};
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};

/// Makes a topic of the particles of another one, as a backup has them.
///
/// The body is lines of JSON, each one of the forms that the schema names: `settings` first,
/// `frames` with so many bytes of whole frames behind the line's end, `consumer`, and `head` last.
/// Each frame is checked as it comes. The topic is there when all of it is: what ends before the
/// line of the head leaves none.
#[utoipa::path(post, path = "/v1/topics/{topic}/restoration", tag = "topics",
    operation_id = "restore_topic",
    params(("topic" = String, Path, description = "The topic's name, which must be free")),
    request_body(content = RestorationLine, content_type = "application/vnd.efflux.restoration"),
    responses(
        (status = 201, body = TopicShown),
        (status = 400, description = "A part does not check, or the body ends too early"),
        (status = 409, description = "There is a topic of this name"),
    ))]
pub(super) async fn restore(
    State(node): State<Arc<Node>>,
    Extension(identity): Extension<Identity>,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let name: TopicName = parsed("topic", &name)?;
    let media_type = one(request.headers(), CONTENT_TYPE.as_str())?;
    if media_type.as_deref().map(essence).as_deref() != Some(RESTORATION) {
        return Err(Refusal::new(
            ProblemKind::UnsupportedMediaType,
            format!("send {RESTORATION}"),
        ));
    }
    let mut parts = RestorationParts::new(&node, request.into_body());
    let RestorationLine::Settings(settings) = parts.line().await? else {
        return Err(Refusal::invalid("the first line holds the settings"));
    };
    let begun = Restoration::begin(node.store(), &name, settings.options()?);
    let mut restoration = begun.await?;
    loop {
        match parts.line().await? {
            RestorationLine::Settings(_) => {
                return Err(Refusal::invalid("the settings stand there twice"));
            }
            RestorationLine::Frames(bytes) => {
                let frames = parts.frames(bytes).await?;
                restoration
                    .append(&frames.bytes)
                    .await
                    .map_err(sent_wrong)?;
            }
            RestorationLine::Consumer(shown) => {
                if let Some(dead) = &shown.settings.dead_letter {
                    // The consumer appends there in the name of whoever names it.
                    identity.demand(Action::Append, dead)?;
                }
                let (name, state) = shown.state()?;
                restoration.put_consumer(name, state);
            }
            RestorationLine::Head(head) => {
                let head: Head = parsed("head", &head)?;
                parts.end().await?;
                let topic = restoration.finish(head).await.map_err(sent_wrong)?;
                return Ok(answer::json(StatusCode::CREATED, &shown(&topic).await?));
            }
        }
    }
}

/// What does not check is what was sent, nothing that the node keeps.
fn sent_wrong(error: Error) -> Refusal {
    match error.kind() {
        ErrorKind::Corrupt => Refusal::invalid(format!("what was sent does not check: {error}")),
        _ => error.into(),
    }
}
