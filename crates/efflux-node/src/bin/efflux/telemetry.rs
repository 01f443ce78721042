//! What a node or a pipeline tells about itself: its log, and, built with the feature `otlp`, its traces.

use std::io;

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::exit::Failure;
use crate::progress::ProgressLine;

/// What is told, and where.
#[derive(Debug, Args)]
pub(crate) struct Telemetry {
    /// What is logged on standard error: off, error, warn, info, debug or trace
    #[arg(long, env = "EFFLUX_LOG", default_value = "info", value_name = "LEVEL")]
    log: LevelFilter,
    /// How it is logged
    #[arg(long, env = "EFFLUX_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    #[cfg(feature = "otlp")]
    #[command(flatten)]
    traces: crate::traces::Traces,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Tells until it is ended.
#[derive(Debug)]
pub(crate) struct Telling {
    #[cfg(feature = "otlp")]
    exporting: Option<crate::traces::Exporting>,
}

impl Telemetry {
    /// Begins to tell.
    ///
    /// # Errors
    /// When traces cannot be exported as it was asked for.
    pub(crate) fn start(&self) -> Result<Telling, Failure> {
        self.start_to(io::stderr)
    }

    /// Begins to tell beside a line of progress, which gives way to what is logged.
    ///
    /// # Errors
    /// When traces cannot be exported as it was asked for.
    pub(crate) fn start_beside(&self, line: &ProgressLine) -> Result<Telling, Failure> {
        let log = line.log();
        self.start_to(move || log.clone())
    }

    fn start_to<W>(&self, writer: W) -> Result<Telling, Failure>
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let registry = tracing_subscriber::registry().with(self.log_layer(writer));
        #[cfg(feature = "otlp")]
        {
            let (layer, exporting) = self.traces.layer()?.unzip();
            registry.with(layer).init();
            Ok(Telling { exporting })
        }
        #[cfg(not(feature = "otlp"))]
        {
            registry.init();
            Ok(Telling {})
        }
    }

    fn log_layer<S, W>(&self, writer: W) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let layer = tracing_subscriber::fmt::layer().with_writer(writer);
        let log = self.log;
        let is_told = filter_fn(move |it| {
            // A pipeline's spans are for traces: they would stand before each line that it writes.
            let is_of_traces = it.is_span() && it.target().starts_with("efflux_pipeline");
            // A message that a broker returns is told whole, payload and all.
            let is_payload = it.target() == "lapin::returned_messages";
            *it.level() <= log && !is_of_traces && !is_payload
        });
        let is_told = is_told.with_max_level_hint(log);
        match self.log_format {
            LogFormat::Text => layer.with_filter(is_told).boxed(),
            LogFormat::Json => layer.json().with_filter(is_told).boxed(),
        }
    }
}

impl Telling {
    /// Sends what was not sent yet.
    pub(crate) async fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(exporting) = self.exporting {
            exporting.end().await;
        }
    }
}
