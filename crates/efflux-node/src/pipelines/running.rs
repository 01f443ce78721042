//! A pipeline in a task of its own: at work, or waiting for what it needs to begin.

use std::sync::Arc;
use std::time::Duration;

use efflux_flow::pipeline::declared::{Document, Stores};
use efflux_flow::pipeline::{Counters, Pipeline, PipelineError, PipelineOptions};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::standing::State;

/// The first wait before a store or topic that is away is asked for again: 1 s. Waits double.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest of these waits: 1 minute.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A pipeline that is to run, and where it tells how it stands.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) name: String,
    pub(super) document: Arc<Document>,
    pub(super) stores: Arc<Stores>,
    pub(super) ends_when_idle: Option<Duration>,
    pub(super) state: Arc<Mutex<State>>,
    pub(super) counters: Arc<Mutex<Arc<Counters>>>,
}

/// A task that works on a pipeline. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    pub(super) fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    pub(super) async fn ended(self) {
        let _ = self.task.await;
    }
}

impl Work {
    /// Puts the pipeline together, and tells how it stands then; none when the document does not
    /// declare it.
    pub(super) async fn open(&self) -> Option<Result<Pipeline, PipelineError>> {
        let opened = self.document.open(&self.name, &self.stores).await?;
        Some(opened.map(|pipeline| {
            let options = PipelineOptions {
                ends_when_idle: self.ends_when_idle,
                ..pipeline.options().clone()
            };
            pipeline.with_options(options)
        }))
    }

    /// Tells how it stands, and works in a task; none when it can never begin.
    pub(super) fn begin(self, opened: Result<Pipeline, PipelineError>) -> Option<Running> {
        self.tell(&opened);
        if opened.as_ref().is_err_and(|error| !error.is_retryable()) {
            return None;
        }
        let stop = watch::Sender::new(false);
        let stopped = stop.subscribe();
        let task = tokio::spawn(self.work(opened, stopped));
        Some(Running { stop, task })
    }

    async fn work(
        self,
        mut opened: Result<Pipeline, PipelineError>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut wait = WAIT_MIN;
        let pipeline = loop {
            match opened {
                Ok(pipeline) => break pipeline,
                Err(error) if !error.is_retryable() => return,
                Err(_) => {}
            }
            tokio::select! {
                asked = stopped.wait_for(|stop| *stop) => {
                    // Without its sender it was started anew, and the state is the other one's.
                    if asked.is_ok() {
                        *self.state.lock() = State::Stopped;
                    }
                    return;
                }
                () = sleep(wait) => {}
            }
            wait = (wait * 2).min(WAIT_MAX);
            let Some(again) = self.open().await else {
                return;
            };
            opened = again;
            self.tell(&opened);
        };
        tracing::info!(pipeline = %self.name, "the pipeline runs");
        let until = async {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let ended = pipeline.run(until).await;
        let is_stopped = *stopped.borrow();
        *self.state.lock() = match ended {
            Ok(()) if is_stopped => State::Stopped,
            Ok(()) => State::Ended,
            Err(error) => {
                tracing::error!(pipeline = %self.name, %error, "the pipeline failed");
                State::Failed(error.to_string())
            }
        };
    }

    fn tell(&self, opened: &Result<Pipeline, PipelineError>) {
        *self.state.lock() = match opened {
            Ok(pipeline) => {
                *self.counters.lock() = pipeline.counters();
                State::Running
            }
            Err(error) => {
                tracing::error!(pipeline = %self.name, %error, "the pipeline cannot be started");
                State::Failed(error.to_string())
            }
        };
    }
}
