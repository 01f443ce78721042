//! Listing, starting, stopping and reloading pipelines.

use std::sync::Arc;

use axum::extract::State;
use efflux_flow::storage::Error;
use efflux_flow::storage::remote::wire::ProblemKind;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::pipelines::Standing;
use crate::server::answer;
use crate::server::extract::Path;
use crate::server::hosting::Hosting;
use crate::server::node::Node;
use crate::server::refusal::{Answer, Refusal};

/// How pipelines stand.
#[derive(Debug, Serialize, ToSchema)]
struct PipelinesShown {
    /// In ascending order of their names.
    pipelines: Vec<PipelineShown>,
}

/// How a pipeline stands.
#[derive(Debug, Serialize, ToSchema)]
struct PipelineShown {
    /// Its name.
    name: String,
    /// The file that declares it.
    file: String,
    /// `running`, `stopped`, `ended` or `failed`.
    state: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Messages that came in since it was started.
    received: u64,
    /// Messages that a step filtered out.
    filtered: u64,
    /// Messages that were delivered.
    delivered: u64,
    /// Messages that went to the dead-letter topic.
    dead_lettered: u64,
    /// Messages that failed and were left out.
    skipped: u64,
    /// Tries that failed and were made again.
    retries: u64,
    /// Intakes that are under way.
    in_flight: u64,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

/// What reading the folder again came to.
#[derive(Debug, Serialize, ToSchema)]
struct ReloadShown {
    /// Pipelines that were started.
    started: Vec<String>,
    /// Pipelines that were stopped, because no file declares them any more.
    stopped: Vec<String>,
    /// Pipelines that were started anew, because they are declared otherwise.
    restarted: Vec<String>,
    /// What is wrong, with file, line and column. The pipelines of such a file stay as they were.
    faults: Vec<String>,
}

impl From<Standing> for PipelineShown {
    fn from(standing: Standing) -> Self {
        let counts = standing.counts;
        Self {
            name: standing.name,
            file: standing.file,
            state: standing.state.name().to_owned(),
            error: standing.state.failure().map(ToOwned::to_owned),
            received: counts.received,
            filtered: counts.filtered,
            delivered: counts.delivered,
            dead_lettered: counts.dead_lettered,
            skipped: counts.skipped,
            retries: counts.retries,
            in_flight: counts.in_flight,
            last_error: counts.last_error,
        }
    }
}

fn hosting(node: &Node) -> Answer<&Arc<Hosting>> {
    node.hosting().ok_or_else(|| {
        Refusal::not_found("the node runs no pipelines: `pipelines` in its settings names a folder")
    })
}

fn shown(node: &Node, name: &str) -> Answer {
    let standing = hosting(node)?.pipelines().standing(name);
    let none = || Refusal::not_found(format!("there is no pipeline {name}"));
    let shown = PipelineShown::from(standing.ok_or_else(none)?);
    Ok(answer::json(StatusCode::OK, &shown))
}

/// How all pipelines stand.
#[utoipa::path(get, path = "/v1/pipelines", tag = "pipelines",
    operation_id = "list_pipelines",
    responses((status = 200, body = PipelinesShown)))]
pub(super) async fn list(State(node): State<Arc<Node>>) -> Answer {
    let all = node.hosting().map(|it| it.pipelines().list());
    let pipelines = all
        .unwrap_or_default()
        .into_iter()
        .map(Into::into)
        .collect();
    Ok(answer::json(StatusCode::OK, &PipelinesShown { pipelines }))
}

/// How a pipeline stands.
#[utoipa::path(get, path = "/v1/pipelines/{pipeline}", tag = "pipelines",
    operation_id = "show_pipeline",
    params(("pipeline" = String, Path, description = "The pipeline's name")),
    responses((status = 200, body = PipelineShown)))]
pub(super) async fn show(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Answer {
    shown(&node, &name)
}

/// Starts a pipeline; one that runs is left alone.
#[utoipa::path(post, path = "/v1/pipelines/{pipeline}/start", tag = "pipelines",
    operation_id = "start_pipeline",
    params(("pipeline" = String, Path, description = "The pipeline's name")),
    responses((status = 200, body = PipelineShown)))]
pub(super) async fn start(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Answer {
    let started = hosting(&node)?.pipelines().start(&name).await;
    started.map_err(|error| Refusal::not_found(error.to_string()))?;
    shown(&node, &name)
}

/// Stops a pipeline, when what is under way is delivered or given back.
#[utoipa::path(post, path = "/v1/pipelines/{pipeline}/stop", tag = "pipelines",
    operation_id = "stop_pipeline",
    params(("pipeline" = String, Path, description = "The pipeline's name")),
    responses((status = 200, body = PipelineShown)))]
pub(super) async fn stop(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Answer {
    let stopped = hosting(&node)?.pipelines().stop(&name).await;
    stopped.map_err(|error| Refusal::not_found(error.to_string()))?;
    shown(&node, &name)
}

/// Reads the folder of pipelines again: what came is started, what is gone is stopped, what is
/// declared otherwise is started anew.
#[utoipa::path(post, path = "/v1/pipelines/reload", tag = "pipelines",
    operation_id = "reload_pipelines",
    responses((status = 200, body = ReloadShown)))]
pub(super) async fn reload(State(node): State<Arc<Node>>) -> Answer {
    let reloaded = hosting(&node)?.load().await.map_err(|error| {
        let error = Error::io("the folder of pipelines cannot be read", error);
        Refusal::new(ProblemKind::Unavailable, error.to_string())
    })?;
    let shown = ReloadShown {
        started: reloaded.started,
        stopped: reloaded.stopped,
        restarted: reloaded.restarted,
        faults: reloaded.faults,
    };
    Ok(answer::json(StatusCode::OK, &shown))
}
