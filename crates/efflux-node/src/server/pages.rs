//! What browsers are told of pages that may use the node: CORS, as the Fetch Standard has it.

use std::time::Duration;

use http::header::{ETAG, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use efflux_flow::storage::remote::wire::HEAD_HEADER;

/// A browser asks again after an hour whether a page may.
const ASKED_AGAIN_TIME: Duration = Duration::from_secs(3600);

/// Tells browsers that pages of these origins may use the node: with a token, which the page has to
/// send itself.
pub(crate) fn admitting(pages: &[String]) -> CorsLayer {
    let origins = pages
        .iter()
        .filter_map(|page| HeaderValue::from_str(page).ok());
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
    ];
    let exposed = [
        ETAG,
        LOCATION,
        WWW_AUTHENTICATE,
        HeaderName::from_static(HEAD_HEADER),
    ];
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods(methods)
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
        .max_age(ASKED_AGAIN_TIME)
}
