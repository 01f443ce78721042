//! The routes, one file a noun, and the table of them all.

mod append;
mod consumers;
mod deliveries;
mod events;
mod head;
mod operation;
mod particles;
mod pipelines;
mod queries;
mod restoration;
mod topics;
mod verify;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use efflux_flow::storage::remote::wire::Problem;
use http::StatusCode;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::queries::Asking;
use super::answer;
use super::console;
use super::description::{self, Guarded};
use super::gate;
use super::node::Node;
use super::pages;
use super::refusal::{Answer, Refusal};
use super::trace;

/// Where the description of the interface is.
const DESCRIPTION: &str = "/openapi.json";

/// What the description does not tell of, because no program needs to be told.
const UNDESCRIBED: [&str; 3] = [DESCRIPTION, console::PAGE, console::FILE];

/// What the interface's description begins with; the rest is made from the handlers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Efflux",
        description = "A hash-chained, searchable event log over HTTP"
    ),
    components(schemas(Problem))
)]
struct Described;

/// All routes, and the description of those under `/v1` and of operation.
fn described() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(topics::list))
        .routes(routes!(topics::put, topics::show, topics::delete))
        .routes(routes!(topics::reopen))
        .routes(routes!(restoration::restore))
        .routes(routes!(head::head))
        .routes(routes!(append::one, particles::list))
        .routes(routes!(append::batch))
        .routes(routes!(append::each))
        .routes(routes!(particles::by_sequence))
        .routes(routes!(particles::payload_of))
        .routes(routes!(particles::by_id))
        .routes(routes!(events::events))
        .routes(routes!(verify::verify))
        .routes(routes!(consumers::list))
        .routes(routes!(consumers::put, consumers::show, consumers::delete))
        .routes(routes!(consumers::state))
        .routes(routes!(deliveries::receive))
        .routes(routes!(deliveries::commit))
        .routes(routes!(deliveries::rollback))
        .routes(routes!(deliveries::extend))
        .routes(routes!(deliveries::seek))
        .routes(routes!(pipelines::list))
        .routes(routes!(pipelines::reload))
        .routes(routes!(pipelines::show))
        .routes(routes!(pipelines::start))
        .routes(routes!(pipelines::stop))
        .routes(routes!(operation::healthy))
        .routes(routes!(operation::ready))
        .routes(routes!(operation::metrics))
}

/// The description of the interface of a node without tokens: OpenAPI 3.1, as JSON. Routes that take
/// frames alone are not in it.
#[must_use]
pub fn openapi() -> serde_json::Value {
    let described = described().into_openapi();
    description::without_frames(description::complete(&described, Guarded::Never))
}

/// The routes of a node.
pub(crate) fn router(node: &Arc<Node>) -> Router {
    let (routes, said) = described().split_for_parts();
    let guarded = match node.access().is_guarded() {
        true => Guarded::Always,
        false => Guarded::Never,
    };
    let description = description::complete(&said, guarded);
    let asking = Arc::new(Asking::of(&description, &UNDESCRIBED));
    let description = description::without_frames(description);
    let routes = match node.options().console {
        true => routes.merge(console::routes()),
        false => routes,
    };
    let routes = routes
        .route(
            DESCRIPTION,
            get(|| async move { answer::json(StatusCode::OK, &description) }),
        )
        .fallback(no_route)
        .layer(from_fn_with_state(asking, queries::check))
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(node), gate::pass));
    // Browsers ask before a page may, and that is answered before anything else is.
    let routes = match node.options().pages.as_slice() {
        [] => routes,
        pages => routes.layer(pages::admitting(pages)),
    };
    routes
        .layer(from_fn(trace::request))
        .with_state(Arc::clone(node))
}

async fn no_route() -> Answer {
    Err(Refusal::not_found(
        "there is no such route: see /openapi.json",
    ))
}
