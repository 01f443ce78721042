//! A pipeline in a task of its own: at work, or waiting for what it needs to begin.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use efflux_flow::pipeline::declared::{Document, Stores};
use efflux_flow::pipeline::{Counters, Pipeline, PipelineError, PipelineOptions};
use futures_util::FutureExt;
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
    /// Its own: one that is started anew meanwhile has others.
    pub(super) told: Told,
}

/// Where a pipeline that works tells how it stands.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) state: Arc<Mutex<State>>,
    pub(super) counters: Arc<Mutex<Arc<Counters>>>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            state: Arc::new(Mutex::new(State::Stopped)),
            counters: Arc::default(),
        }
    }
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

    /// Works; a pipeline that panics is told as failed.
    async fn work(self, opened: Result<Pipeline, PipelineError>, stopped: watch::Receiver<bool>) {
        let (name, state) = (self.name.clone(), Arc::clone(&self.told.state));
        let worked = AssertUnwindSafe(self.worked(opened, stopped)).catch_unwind();
        if worked.await.is_err() {
            tracing::error!(pipeline = %name, "the pipeline panicked");
            *state.lock() = State::Failed("it panicked, which is an error of Efflux".to_owned());
        }
    }

    async fn worked(
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
                _ = stopped.wait_for(|stop| *stop) => {
                    *self.told.state.lock() = State::Stopped;
                    return;
                }
                () = sleep(wait) => {}
            }
            wait = (wait * 2).min(WAIT_MAX);
            let Some(again) = self.open().await else {
                return;
            };
            // It was started anew meanwhile, and that one works.
            if stopped.has_changed().is_err() {
                return;
            }
            opened = again;
            self.tell(&opened);
        };
        tracing::info!(pipeline = %self.name, "the pipeline runs");
        let until = async {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let ended = pipeline.run(until).await;
        let is_stopped = *stopped.borrow();
        *self.told.state.lock() = match ended {
            Ok(()) if is_stopped => State::Stopped,
            Ok(()) => State::Ended,
            Err(error) => {
                tracing::error!(pipeline = %self.name, %error, "the pipeline failed");
                State::Failed(error.to_string())
            }
        };
    }

    fn tell(&self, opened: &Result<Pipeline, PipelineError>) {
        *self.told.state.lock() = match opened {
            Ok(pipeline) => {
                *self.told.counters.lock() = pipeline.counters();
                State::Running
            }
            Err(error) => {
                tracing::error!(pipeline = %self.name, %error, "the pipeline cannot be started");
                State::Failed(error.to_string())
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use efflux_flow::pipeline::{
        Connector, Intake, IntakeMax, IntakeReceipt, StageError, TopicsPort,
    };
    use efflux_flow::storage::particle::TopicName;
    use efflux_flow::storage::{Store, TopicOptions};

    #[derive(Debug)]
    struct Panics;

    #[async_trait]
    impl Connector for Panics {
        async fn poll(&self, _max: IntakeMax) -> Result<Option<Intake>, StageError> {
            panic!("as a connector of somebody else may");
        }

        async fn ack(&self, _receipt: IntakeReceipt) -> Result<(), StageError> {
            Ok(())
        }

        async fn nack(&self, _receipt: IntakeReceipt, _why: &StageError) -> Result<(), StageError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_pipeline_that_panics_is_told_as_failed() {
        let store = Store::open("mem:").await.unwrap();
        let text = "version = 1\n[pipeline.copy]\nconnector = { stdin = {} }\n\
                    router = { topic = \"b\" }\n";
        let document = Document::read(text, &|_: &str| None).unwrap();
        let work = Work {
            name: "copy".to_owned(),
            document: Arc::new(document),
            stores: Arc::new(Stores::beside(store.clone())),
            ends_when_idle: None,
            told: Told::default(),
        };
        let told = work.told.clone();
        let topic: TopicName = "b".parse().unwrap();
        let port = TopicsPort::new(store.clone(), topic, Some(TopicOptions::default()));
        let pipeline = Pipeline::from_connector("copy".parse().unwrap(), Panics, port)
            .with_dead_letters(store, "dead".parse().unwrap());
        let running = work.begin(Ok(pipeline)).unwrap();
        running.ended().await;
        let state = told.state.lock().clone();
        assert!(state.failure().is_some(), "{state:?}");
    }
}
