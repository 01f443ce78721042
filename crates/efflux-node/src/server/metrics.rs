//! What the node measures, for Prometheus.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::pipelines::{Standing, State};

/// Upper ends of the buckets of times in seconds: from a memory access over a sync to a long wait.
const SECONDS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 10.0, 60.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TopicLabels {
    topic: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConsumerLabels {
    topic: String,
    consumer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PipelineLabels {
    pipeline: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PipelineName {
    pipeline: String,
}

/// What the node measures.
pub(crate) struct Metrics {
    registry: Registry,
    connections: Gauge,
    requests: Gauge,
    request_seconds: Family<RequestLabels, Histogram>,
    append_seconds: Histogram,
    sync_seconds: Histogram,
    appended_particles: Counter<u64, AtomicU64>,
    appended_bytes: Counter<u64, AtomicU64>,
    delivered_particles: Counter<u64, AtomicU64>,
    topic_head: Family<TopicLabels, Gauge>,
    index_lag: Family<TopicLabels, Gauge>,
    consumer_lag: Family<ConsumerLabels, Gauge>,
    consumer_in_flight: Family<ConsumerLabels, Gauge>,
    pipeline_messages: Family<PipelineLabels, Gauge>,
    pipeline_running: Family<PipelineName, Gauge>,
}

/// One more of something, until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::with_prefix("efflux"),
            connections: Gauge::default(),
            requests: Gauge::default(),
            request_seconds: Family::new_with_constructor(seconds),
            append_seconds: seconds(),
            sync_seconds: seconds(),
            appended_particles: Counter::default(),
            appended_bytes: Counter::default(),
            delivered_particles: Counter::default(),
            topic_head: Family::default(),
            index_lag: Family::default(),
            consumer_lag: Family::default(),
            consumer_in_flight: Family::default(),
            pipeline_messages: Family::default(),
            pipeline_running: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let all = &mut self.registry;
        let it = self.connections.clone();
        all.register("http_connections", "Connections that are open", it);
        let it = self.requests.clone();
        all.register("http_requests_in_flight", "Requests under way", it);
        let it = self.request_seconds.clone();
        let what = "Time from a request's head to its answer's head";
        all.register("http_request_duration_seconds", what, it);
        let it = self.append_seconds.clone();
        let what = "Time of an append in the store, its sync included";
        all.register("append_duration_seconds", what, it);
        let it = self.sync_seconds.clone();
        let what = "Time of a sync of a file or folder";
        all.register("sync_duration_seconds", what, it);
        let it = self.appended_particles.clone();
        all.register("appended_particles", "Particles that were appended", it);
        let it = self.appended_bytes.clone();
        all.register("appended_payload_bytes", "Bytes of their payloads", it);
        let it = self.delivered_particles.clone();
        let what = "Particles that were delivered to consumers";
        all.register("delivered_particles", what, it);
        let it = self.topic_head.clone();
        all.register("topic_head_sequence", "The topic's last sequence", it);
        let it = self.index_lag.clone();
        let what = "Particles that the index has not seen";
        all.register("topic_index_lag_particles", what, it);
        let it = self.consumer_lag.clone();
        let what = "Particles that the consumer has not settled";
        all.register("consumer_lag_particles", what, it);
        let it = self.consumer_in_flight.clone();
        let what = "Particles that are leased to the consumer's workers";
        all.register("consumer_in_flight_particles", what, it);
        let it = self.pipeline_messages.clone();
        let what = "Messages of the pipeline since it was started, by what became of them";
        all.register("pipeline_messages", what, it);
        let it = self.pipeline_running.clone();
        all.register("pipeline_running", "Whether the pipeline runs: 1 or 0", it);
    }

    pub(crate) fn connection(&self) -> Counted {
        self.connections.inc();
        Counted(self.connections.clone())
    }

    pub(crate) fn request(&self) -> Counted {
        self.requests.inc();
        Counted(self.requests.clone())
    }

    pub(crate) fn answered(&self, method: &http::Method, route: &str, status: u16, time: Duration) {
        let labels = RequestLabels {
            method: known(method),
            route: route.to_owned(),
            status,
        };
        let seconds = self.request_seconds.get_or_create(&labels);
        seconds.observe(time.as_secs_f64());
    }

    pub(crate) fn appended(&self, particles: u64, bytes: u64, time: Duration) {
        self.append_seconds.observe(time.as_secs_f64());
        self.appended_particles.inc_by(particles);
        self.appended_bytes.inc_by(bytes);
    }

    /// Where the times of syncs go.
    pub(crate) fn sync_seconds(&self) -> Histogram {
        self.sync_seconds.clone()
    }

    pub(crate) fn delivered(&self, particles: u64) {
        self.delivered_particles.inc_by(particles);
    }

    /// Forgets what was told of topics and consumers, of which some may be gone.
    pub(crate) fn forget(&self) {
        self.topic_head.clear();
        self.index_lag.clear();
        self.consumer_lag.clear();
        self.consumer_in_flight.clear();
        self.pipeline_messages.clear();
        self.pipeline_running.clear();
    }

    pub(crate) fn pipeline(&self, standing: &Standing) {
        let counts = &standing.counts;
        for (outcome, count) in [
            ("received", counts.received),
            ("filtered", counts.filtered),
            ("delivered", counts.delivered),
            ("dead_lettered", counts.dead_lettered),
            ("skipped", counts.skipped),
            ("retried", counts.retries),
        ] {
            let labels = PipelineLabels {
                pipeline: standing.name.clone(),
                outcome,
            };
            let messages = self.pipeline_messages.get_or_create(&labels);
            messages.set(gauge(count));
        }
        let labels = PipelineName {
            pipeline: standing.name.clone(),
        };
        let runs = i64::from(standing.state == State::Running);
        self.pipeline_running.get_or_create(&labels).set(runs);
    }

    pub(crate) fn topic(&self, topic: &str, head: u64, index_lag: Option<u64>) {
        let topic = topic.to_owned();
        let labels = TopicLabels { topic };
        self.topic_head.get_or_create(&labels).set(gauge(head));
        if let Some(lag) = index_lag {
            self.index_lag.get_or_create(&labels).set(gauge(lag));
        }
    }

    pub(crate) fn consumer(&self, topic: &str, consumer: &str, lag: u64, in_flight: usize) {
        let labels = ConsumerLabels {
            topic: topic.to_owned(),
            consumer: consumer.to_owned(),
        };
        self.consumer_lag.get_or_create(&labels).set(gauge(lag));
        let in_flight = i64::try_from(in_flight).unwrap_or(i64::MAX);
        self.consumer_in_flight
            .get_or_create(&labels)
            .set(in_flight);
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        // A string takes everything.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The method's name: one of few, so that nobody fills the memory with labels.
fn known(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
