//! Spans of a pipeline: one a batch, from its source to its answer, and within it what is done.
//!
//! Names and attributes are those of OpenTelemetry's conventions for messaging:
//! <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>

use tracing::Span;
use tracing::field::Empty;

use super::line::{Line, Stopped};

/// The span of a batch: from when it came until its source is answered.
pub(super) fn batch(line: &Line, messages: usize) -> Span {
    tracing::info_span!(
        parent: None,
        "batch",
        otel.name = %format_args!("process {}", line.name),
        otel.kind = "consumer",
        messaging.system = "efflux",
        messaging.operation.name = "process",
        "messaging.operation.type" = "process",
        messaging.consumer.group.name = %line.name,
        messaging.batch.message_count = number(messages),
    )
}

/// The span of the steps that a batch is taken through.
pub(super) fn steps(batch: &Span) -> Span {
    tracing::info_span!(parent: batch, "steps", otel.status_code = Empty, "error.type" = Empty)
}

/// The span of a delivery: a child of the first batch that it belongs to, with links to the others.
pub(super) fn delivery(line: &Line, batches: &[Span], messages: usize) -> Span {
    let first = batches.first().and_then(Span::id);
    let span = tracing::info_span!(
        parent: first,
        "delivery",
        otel.name = %format_args!("send {}", line.name),
        otel.kind = "producer",
        otel.status_code = Empty,
        "error.type" = Empty,
        messaging.system = "efflux",
        messaging.operation.name = "send",
        "messaging.operation.type" = "send",
        messaging.batch.message_count = number(messages),
    );
    for batch in batches.iter().skip(1) {
        span.follows_from(batch);
    }
    span
}

/// A number as collectors take one: they know none without a sign.
fn number(messages: usize) -> i64 {
    i64::try_from(messages).unwrap_or(i64::MAX)
}

/// Says in the span that is open that the pipeline stopped in it.
pub(super) fn noted<T>(outcome: Result<T, Stopped>) -> Result<T, Stopped> {
    if let Err((_, error)) = &outcome {
        let span = Span::current();
        span.record("otel.status_code", "ERROR");
        span.record("error.type", error.kind());
    }
    outcome
}
