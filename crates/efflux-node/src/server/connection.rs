//! One connection: HTTP/1.1 or HTTP/2 over a stream, with its time-outs.

use std::convert::Infallible;
use std::pin::pin;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tower::ServiceExt;

use super::access::Certified;
use super::activity::Activity;
use super::limits::{
    CONNECTION_WINDOW_BYTES, HEAD_BYTES_MAX, HEADERS_MAX, STREAM_WINDOW_BYTES, STREAMS_MAX,
};
use super::options::ServerOptions;
use super::stalling::Stalling;
use super::streamed::Holding;

/// Serves a connection until either side ends it, it is idle for too long, or the node stops.
pub(crate) async fn serve<S>(
    stream: S,
    certified: Option<Certified>,
    routes: Router,
    options: &ServerOptions,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new();
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
            Ok::<_, Infallible>(response.map(|body| Holding::body(body, under_way)))
        }
    });
    let io = TokioIo::new(Stalling::new(stream, options.stall_time));
    let builder = builder(options);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut idle = pin!(activity.idle_for(options.idle_time));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = &mut idle => {
                tracing::debug!("connection was idle");
                return;
            }
            _ = stop.wait_for(|stop| *stop), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(options: &ServerOptions) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
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
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX));
    builder
}
