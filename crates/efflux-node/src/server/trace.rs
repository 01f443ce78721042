//! One span a request, named and labelled by OpenTelemetry's conventions for HTTP servers.
//!
//! <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>, and W3C Trace Context for the
//! span that the client is in.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// Does a request within a span of its own.
pub(crate) async fn request(request: Request, next: Next) -> Response {
    let span = span(&request);
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

fn span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str);
    let method = request.method();
    let name = format_args!("{method} {route}");
    let span = tracing::info_span!(
        "request",
        otel.name = %name,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = %method,
        http.route = route,
        url.path = request.uri().path(),
        http.response.status_code = Empty,
    );
    continue_from(&span, request.headers());
    span
}

/// Makes the span that the client says it is in the span's parent.
#[cfg(feature = "otlp")]
fn continue_from(span: &Span, headers: &HeaderMap) {
    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let extractor = opentelemetry_http::HeaderExtractor(headers);
    let parent = TraceContextPropagator::new().extract(&extractor);
    // It fails only where nobody collects spans.
    let _ = span.set_parent(parent);
}

#[cfg(not(feature = "otlp"))]
fn continue_from(_span: &Span, _headers: &HeaderMap) {}
