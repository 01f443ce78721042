//! Checking what is stored.

use std::sync::Arc;

use axum::extract::State;
use efflux_flow::particle::{Head, Sequence};
use efflux_flow::storage::remote::wire::{ProblemKind, Verified, Verify};
use efflux_flow::storage::{Progress, Topic};
use http::StatusCode;

use super::topics::topic;
use crate::server::answer;
use crate::server::extract::{Json, Path, parsed};
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};

/// Checks every byte that is stored of a topic, or the chain behind a head.
#[utoipa::path(post, path = "/v1/topics/{topic}/verify", tag = "particles",
    operation_id = "verify",
    params(("topic" = String, Path, description = "The topic's name")),
    request_body = Option<Verify>,
    responses(
        (status = 200, body = Verified),
        (status = 409, description = "The topic does not have the head that is named"),
        (status = 500, description = "Something is damaged; `damage` names the place"),
    ))]
pub(super) async fn verify(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    asked: Json<Verify>,
) -> Answer {
    let topic = topic(&node, &name).await?;
    let asked = asked.0.unwrap_or_default();
    let after = asked
        .after
        .map(|head| parsed::<Head>("after", &head))
        .transpose()?;
    let verified = match (after, asked.until) {
        (None, None) => Verified::from(&topic.verify(Progress::default()).await?),
        (after, until) => chain(&topic, after, until.map(Sequence::new)).await?,
    };
    Ok(answer::json(StatusCode::OK, &verified))
}

/// Refuses a head that the topic does not have: there is no chain behind it that could be checked.
async fn stands(topic: &Topic, head: Head) -> Answer<()> {
    let there = topic
        .get(head.sequence)
        .await?
        .map(|particle| Head::on(&particle));
    if there == Some(head) {
        return Ok(());
    }
    let there = there.map_or_else(|| "no such particle".to_owned(), |there| there.to_string());
    let why = format!("the topic does not have the head {head}: there is {there}");
    Err(Refusal::new(ProblemKind::Conflict, why))
}

async fn chain(topic: &Topic, after: Option<Head>, until: Option<Sequence>) -> Answer<Verified> {
    if let Some(after) = after {
        stands(topic, after).await?;
    }
    let until = until.unwrap_or(topic.head().sequence);
    let mut audit = topic.audit(after);
    let (mut particles, mut bytes) = (0, 0);
    let mut head = after;
    while head.is_none_or(|head| head.sequence < until) {
        let batch = audit.next_batch().await?;
        if batch.is_empty() {
            break;
        }
        for particle in batch.iter().filter(|particle| particle.sequence() <= until) {
            particles += 1;
            bytes += particle.frame().len() as u64;
            head = Some(Head::on(particle));
        }
    }
    Ok(Verified {
        particles,
        bytes,
        segments: 0,
        head: head.unwrap_or_else(|| topic.head()).to_string(),
        notes: Vec::new(),
    })
}
