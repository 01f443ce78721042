//! One connection: HTTP/1.1 or HTTP/2 over a stream, with its time-outs.

use std::convert::Infallible;
use std::pin::pin;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tower::ServiceExt;

use super::access::Certified;
use super::activity::Activity;
use super::limits::{
    CONNECTION_SHARES, CONNECTION_WINDOW_BYTES, FAREWELL_TIME, HEAD_BYTES_MAX, HEADERS_MAX,
    HURRIED_STALL_TIME, STREAM_WINDOW_BYTES, STREAMS_MAX,
};
use super::node::Node;
use super::options::ServerOptions;
use super::stalling::Stalling;
use super::streamed::Holding;
use super::streams::{Streams, taken};

/// Serves a connection until either side ends it, it is idle for too long, it gives way to another
/// one, or the node stops.
pub(crate) async fn serve<S>(
    stream: S,
    certified: Option<Certified>,
    routes: Router,
    node: &Node,
    activity: &Activity,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let requests = activity.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(certified) = &certified {
            request.extensions_mut().insert(certified.clone());
        }
        let under_way = requests.begin();
        let routes = routes.clone();
        async move {
            let response = routes.oneshot(request.map(Body::new)).await;
            let response = response.unwrap_or_else(|never: Infallible| match never {});
            Ok::<_, Infallible>(response.map(|body| Holding::body(taken(body), under_way)))
        }
    });
    let (options, patience) = (node.options(), node.patience());
    let io = TokioIo::new(Stalling::new(stream, patience.clone()));
    let builder = builder(options, Streams::new(patience));
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut idle = pin!(activity.is_over(options.head_time, options.idle_time));
    let mut stopping = pin!(node.stopping());
    let (mut is_stopping, mut end) = (false, None);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = &mut idle, if end.is_none() => {
                tracing::debug!("connection was idle");
                connection.as_mut().graceful_shutdown();
                end = Some(Instant::now() + FAREWELL_TIME);
            }
            () = tokio::time::sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {
                return;
            }
            () = &mut stopping, if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            // Its peer may neither take the rest of what was sent nor say goodbye.
            () = activity.rests(), if is_stopping && end.is_none() => {
                end = Some(Instant::now() + HURRIED_STALL_TIME);
            }
        }
    }
}

fn builder(options: &ServerOptions, streams: Streams) -> Builder<Streams> {
    let share = options.requests_max.div_ceil(CONNECTION_SHARES);
    let streams_max = u32::try_from(share).map_or(STREAMS_MAX, |share| share.min(STREAMS_MAX));
    let mut builder = Builder::new(streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_time)
        .max_headers(HEADERS_MAX * 2)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(options.idle_time)
        .keep_alive_timeout(options.stall_time)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(streams_max)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX));
    builder
}
