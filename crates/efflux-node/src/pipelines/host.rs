//! The pipelines of a program, each in a task of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use efflux_flow::pipeline::declared::{Document, Stores};
use efflux_flow::pipeline::file::{Fault, Surroundings};
use efflux_flow::storage::Store;
use parking_lot::Mutex;
use thiserror::Error;

use super::running::{Running, Told, Work};
use super::standing::{Standing, State};

/// Pipelines of one program at most: 1024. Each has a task and messages in memory.
const PIPELINES_MAX: usize = 1024;

/// The pipelines of a program, by their names. They run in tasks of a tokio runtime.
#[derive(Debug)]
pub struct Pipelines {
    stores: Arc<Stores>,
    entries: Mutex<BTreeMap<String, Entry>>,
    ends_when_idle: Mutex<Option<Duration>>,
}

/// Why a pipeline cannot be started or stopped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HostError {
    /// There is none of this name.
    #[error("there is no pipeline {0}")]
    NotFound(String),
}

#[derive(Debug)]
struct Entry {
    file: String,
    document: Arc<Document>,
    told: Told,
    running: Option<Running>,
}

impl Pipelines {
    /// None yet; those that come run beside this store.
    #[must_use]
    pub fn beside(store: Store) -> Self {
        Self {
            stores: Arc::new(Stores::beside(store)),
            entries: Mutex::default(),
            ends_when_idle: Mutex::default(),
        }
    }

    /// Lets pipelines that are started from now on end when nothing came for this long.
    pub fn set_ends_when_idle(&self, idle: Option<Duration>) {
        *self.ends_when_idle.lock() = idle;
    }

    /// Takes the pipelines of a file's text in. They do not run yet; those of the same file that are
    /// there already stay as they are.
    ///
    /// # Errors
    /// All faults of the text, and each name that another file has. Nothing was taken in then.
    pub fn load(
        &self,
        file: &str,
        text: &str,
        around: &dyn Surroundings,
    ) -> Result<Vec<String>, Vec<Fault>> {
        self.take(file, Document::read(text, around)?)
    }

    /// Takes the pipelines of a document in, as [`load`](Self::load) does.
    pub(super) fn take(&self, file: &str, document: Document) -> Result<Vec<String>, Vec<Fault>> {
        let document = Arc::new(document);
        let faults = self.faults(file, &document);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut entries = self.entries.lock();
        let names: Vec<String> = document.names().map(ToOwned::to_owned).collect();
        for name in &names {
            entries.entry(name.clone()).or_insert_with(|| Entry {
                file: file.to_owned(),
                document: Arc::clone(&document),
                told: Told::default(),
                running: None,
            });
        }
        Ok(names)
    }

    /// What keeps the pipelines of a document from being taken in beside those that are there.
    pub(super) fn faults(&self, file: &str, document: &Document) -> Vec<Fault> {
        let entries = self.entries.lock();
        let text = document.text();
        let taken = document
            .names()
            .filter_map(|name| Some((name, entries.get(name)?)))
            .filter(|(_, entry)| entry.file != file)
            .map(|(name, entry)| {
                let what = format!("pipeline {name} is declared in {} already", entry.file);
                Fault::at(text, place_of(text, name), what)
            });
        let mut faults: Vec<Fault> = taken.collect();
        let others = entries
            .keys()
            .filter(|name| document.settings(name).is_none());
        if others.count() + document.names().count() > PIPELINES_MAX {
            let what = format!("there are more than {PIPELINES_MAX} pipelines");
            faults.push(Fault::at(text, 0, what));
        }
        faults
    }

    /// Starts a pipeline; one that runs is left alone. Its counters begin anew.
    ///
    /// A pipeline that cannot be put together or cannot go on is told as failed by
    /// [`list`](Self::list). One that only lacks a store or topic which may come back is put together
    /// again, with waits from 1 s to 1 minute.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn start(&self, name: &str) -> Result<(), HostError> {
        let work = {
            let entries = self.entries.lock();
            let entry = entries.get(name).ok_or_else(|| not_found(name))?;
            if *entry.told.state.lock() == State::Running {
                return Ok(());
            }
            Work {
                name: name.to_owned(),
                document: Arc::clone(&entry.document),
                stores: Arc::clone(&self.stores),
                ends_when_idle: *self.ends_when_idle.lock(),
                told: Told::default(),
            }
        };
        let opened = work.open().await.ok_or_else(|| not_found(name))?;
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(name).ok_or_else(|| not_found(name))?;
        // Another call may have started it meanwhile, or put another pipeline in its place.
        let is_other = !Arc::ptr_eq(&entry.document, &work.document);
        if is_other || *entry.told.state.lock() == State::Running {
            return Ok(());
        }
        entry.told = work.told.clone();
        entry.running = work.begin(opened);
        Ok(())
    }

    /// Stops a pipeline, and returns when what is under way is delivered or given back.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn stop(&self, name: &str) -> Result<(), HostError> {
        let running = {
            let mut entries = self.entries.lock();
            let entry = entries.get_mut(name).ok_or_else(|| not_found(name))?;
            entry.running.take()
        };
        if let Some(running) = running {
            running.ask_to_stop();
            running.ended().await;
        }
        Ok(())
    }

    /// Stops all pipelines, at the same time.
    pub async fn stop_all(&self) {
        let running: Vec<Running> = {
            let mut entries = self.entries.lock();
            let all = entries.values_mut();
            all.filter_map(|entry| entry.running.take()).collect()
        };
        running.iter().for_each(Running::ask_to_stop);
        for running in running {
            running.ended().await;
        }
    }

    /// Stops a pipeline and forgets it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove(&self, name: &str) -> Result<(), HostError> {
        self.stop(name).await?;
        self.entries.lock().remove(name);
        Ok(())
    }

    /// How all pipelines stand, in ascending order of their names.
    #[must_use]
    pub fn list(&self) -> Vec<Standing> {
        let entries = self.entries.lock();
        let shown = entries.iter().map(|(name, entry)| Standing {
            name: name.clone(),
            file: entry.file.clone(),
            state: entry.told.state.lock().clone(),
            counts: entry.told.counters.lock().counts(),
        });
        shown.collect()
    }

    /// How one stands; none when there is none of this name.
    #[must_use]
    pub fn standing(&self, name: &str) -> Option<Standing> {
        self.list().into_iter().find(|it| it.name == name)
    }

    /// The document that declares a pipeline, with the name of its file.
    pub(super) fn declared(&self, name: &str) -> Option<(String, Arc<Document>)> {
        let entries = self.entries.lock();
        let entry = entries.get(name)?;
        Some((entry.file.clone(), Arc::clone(&entry.document)))
    }
}

fn not_found(name: &str) -> HostError {
    HostError::NotFound(name.to_owned())
}

/// The byte where a pipeline is declared, as far as its header tells.
fn place_of(text: &str, name: &str) -> usize {
    text.find(&format!("[pipeline.{name}]")).unwrap_or(0)
}

/// How long a test waits for a pipeline at most.
#[cfg(test)]
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Server, ServerOptions};
    use efflux_flow::particle::Message;
    use efflux_flow::storage::TopicOptions;

    const COPY: &str = "version = 1\n[pipeline.copy]\nconnector = { topic = { name = \"a\" } }\n\
                        router = { topic = \"b\" }\n";

    fn none(_: &str) -> Option<String> {
        None
    }

    async fn hosted(text: &str) -> (Store, Pipelines) {
        let store = Store::open("mem:").await.unwrap();
        let pipelines = Pipelines::beside(store.clone());
        pipelines.load("a.toml", text, &none).unwrap();
        (store, pipelines)
    }

    #[tokio::test]
    async fn a_pipeline_is_started_stopped_and_started_again() {
        let (store, pipelines) = hosted(COPY).await;
        let topic = |name: &str| {
            let (store, name) = (store.clone(), name.parse().unwrap());
            async move {
                let made = store.topic_or_create(&name, TopicOptions::default()).await;
                made.unwrap()
            }
        };
        let (source, target) = (topic("a").await, topic("b").await);
        for round in 1..=2_u64 {
            pipelines.start("copy").await.unwrap();
            pipelines.start("copy").await.unwrap();
            source.append(Message::new("x")).await.unwrap();
            let before = efflux_flow::particle::Sequence::new(round - 1);
            let came = tokio::time::timeout(PATIENCE, target.wait_past(before)).await;
            came.unwrap().unwrap();
            pipelines.stop("copy").await.unwrap();
            let standing = pipelines.standing("copy").unwrap();
            assert_eq!(standing.state, State::Stopped);
            assert_eq!(standing.counts.delivered, 1);
        }
        assert_eq!(target.head().sequence.get(), 2);
    }

    #[tokio::test]
    async fn a_file_of_many_pipelines_is_loaded_again() {
        let many: String = (0..600)
            .map(|number| {
                format!(
                    "[pipeline.p{number}]\nconnector = {{ topic = {{ name = \"a\" }} }}\n\
                     router = {{ topic = \"b\" }}\n"
                )
            })
            .collect();
        let text = format!("version = 1\n{many}");
        let (_store, pipelines) = hosted(&text).await;
        assert_eq!(pipelines.load("a.toml", &text, &none).unwrap().len(), 600);
        let other = text.replace("pipeline.p", "pipeline.q");
        let faults = pipelines.load("b.toml", &other, &none).unwrap_err();
        assert!(faults[0].what.contains("more than 1024"), "{faults:?}");
    }

    #[tokio::test]
    async fn a_pipeline_that_cannot_be_put_together_is_told_as_failed() {
        let text = COPY.replace(
            "name = \"a\"",
            "name = \"a\", store = \"file:/dev/null/store\"",
        );
        let (_store, pipelines) = hosted(&text).await;
        pipelines.start("copy").await.unwrap();
        let standing = pipelines.standing("copy").unwrap();
        assert!(standing.state.failure().is_some(), "{standing:?}");
    }

    #[tokio::test]
    async fn a_pipeline_whose_store_is_away_begins_when_it_is_there() {
        let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = place.local_addr().unwrap().to_string();
        drop(place);
        let source = format!("name = \"a\", store = \"http://{address}\"");
        let (here, pipelines) = hosted(&COPY.replace("name = \"a\"", &source)).await;
        pipelines.start("copy").await.unwrap();
        let standing = pipelines.standing("copy").unwrap();
        assert!(standing.state.failure().is_some(), "{standing:?}");

        let there = Store::open("mem:").await.unwrap();
        let name = "a".parse().unwrap();
        let made = there.create_topic(&name, TopicOptions::default()).await;
        made.unwrap().append(Message::new("x")).await.unwrap();
        let server = Server::bind(there, &address, ServerOptions::default()).await;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(server.unwrap().run(async { drop(stopped.await) }));
        let name = "b".parse().unwrap();
        let made = here.topic_or_create(&name, TopicOptions::default()).await;
        let copy = made.unwrap();
        let before = efflux_flow::particle::Sequence::new(0);
        let came = tokio::time::timeout(PATIENCE, copy.wait_past(before)).await;
        came.unwrap().unwrap();
        assert_eq!(pipelines.standing("copy").unwrap().state, State::Running);
        pipelines.stop_all().await;
        drop(stop);
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_name_that_another_file_has_is_refused_with_its_place() {
        let (_store, pipelines) = hosted(COPY).await;
        let faults = pipelines.load("b.toml", COPY, &none).unwrap_err();
        assert!(
            faults[0]
                .to_string()
                .starts_with("line 2, column 1: pipeline copy")
        );
        let missing = pipelines.start("none").await.unwrap_err();
        assert_eq!(missing, HostError::NotFound("none".to_owned()));
    }
}
