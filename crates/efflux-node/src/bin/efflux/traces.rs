//! Traces, exported with OTLP over HTTP as protobuf.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::exit::{Exit, Failure};

/// A collector gets so much time for an answer.
const EXPORT_TIME: Duration = Duration::from_secs(10);

/// Most bytes that are read of a collector's answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What is said of traces.
#[derive(Debug, Args)]
pub(crate) struct Traces {
    #[arg(
        help = "Export traces with OTLP over HTTP to this collector, as http://localhost:4318",
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL"
    )]
    otlp_endpoint: Option<String>,
    /// What part of the requests is traced, from 0 to 1; of those that come in a trace, what it says
    #[arg(
        long,
        env = "EFFLUX_TRACED",
        default_value_t = 1.0,
        value_name = "PART"
    )]
    traced: f64,
}

/// What collects spans.
type SpanLayer<S> = Box<dyn Layer<S> + Send + Sync>;

/// Spans on their way to the collector.
#[derive(Debug)]
pub(crate) struct Exporting(SdkTracerProvider);

impl Traces {
    /// What collects spans, when they are exported.
    ///
    /// # Errors
    /// When the collector's URL is none, or there is nobody to believe it.
    pub(crate) fn layer<S>(&self) -> Result<Option<(SpanLayer<S>, Exporting)>, Failure>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let Some(endpoint) = &self.otlp_endpoint else {
            return Ok(None);
        };
        let refuse = |why: String| {
            let what = format!("traces cannot be exported to {endpoint}: {why}");
            Failure::new(Exit::Usage, what).with_try("--otlp-endpoint http://localhost:4318")
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new().map_err(&refuse)?)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(EXPORT_TIME)
            .build()
            .map_err(|error| refuse(error.to_string()))?;
        let sampler = Sampler::TraceIdRatioBased(self.traced);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_resource(Resource::builder().with_service_name("efflux").build())
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("efflux"));
        Ok(Some((
            layer.with_filter(LevelFilter::INFO).boxed(),
            Exporting(provider),
        )))
    }
}

impl Exporting {
    /// Sends what was not sent yet, within a bound of time.
    pub(crate) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}

/// Sends to a collector on the program's runtime: the exporter has a thread of its own, without one.
#[derive(Debug)]
struct Collector {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
}

impl Collector {
    fn new() -> Result<Self, String> {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        let provider = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|error| error.to_string())?
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            runtime: Handle::current(),
        })
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sending = self.client.request(request.map(Full::new));
        let sent = self.runtime.spawn(async move {
            let exchange = async {
                let (parts, body) = sending.await?.into_parts();
                let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
                Ok::<_, HttpError>(Response::from_parts(parts, body.to_bytes()))
            };
            tokio::time::timeout(EXPORT_TIME, exchange).await?
        });
        sent.await?
    }
}
