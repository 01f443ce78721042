//! The pipelines that a node runs: those of a folder.

use std::io;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::pipelines::{Folder, Pipelines, Reloaded};

/// Looks a variable of the environment up.
pub type Variables = fn(&str) -> Option<String>;

/// The pipelines that a node runs, and the folder that declares them.
#[derive(Debug)]
pub(crate) struct Hosting {
    pipelines: Pipelines,
    folder: Folder,
    variables: Variables,
    /// One reading of the folder after the other; whether no more is wanted.
    loading: Mutex<bool>,
}

impl Hosting {
    pub(crate) fn new(pipelines: Pipelines, folder: Folder, variables: Variables) -> Self {
        Self {
            pipelines,
            folder,
            variables,
            loading: Mutex::new(false),
        }
    }

    pub(crate) const fn pipelines(&self) -> &Pipelines {
        &self.pipelines
    }

    /// Reads the folder, and lets run what it declares. What is wrong is logged as well.
    /// Who asked may stop waiting: what was begun is done to the end, so that no pipeline stays stopped
    /// that was to be started anew.
    pub(crate) async fn load(self: &Arc<Self>) -> io::Result<Reloaded> {
        let hosting = Arc::clone(self);
        let loading = tokio::spawn(async move { hosting.loaded().await });
        loading
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Stops all pipelines, and lets none begin any more.
    pub(crate) async fn close(&self) {
        *self.loading.lock().await = true;
        self.pipelines.stop_all().await;
    }

    async fn loaded(&self) -> io::Result<Reloaded> {
        let is_closed = self.loading.lock().await;
        if *is_closed {
            return Ok(Reloaded::default());
        }
        let loaded = self.folder.load(&self.pipelines, &self.variables).await;
        let path = self.folder.path().display();
        match &loaded {
            Ok(reloaded) => {
                for fault in &reloaded.faults {
                    tracing::error!(folder = %path, "{fault}");
                }
            }
            Err(error) => tracing::error!(folder = %path, %error, "the folder cannot be read"),
        }
        loaded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipelines::State;
    use efflux_flow::storage::Store;

    fn copy(to: &str) -> String {
        format!(
            "version = 1\n[pipeline.copy]\nconnector = {{ topic = {{ name = \"a\" }} }}\n\
             router = {{ topic = \"{to}\" }}\n"
        )
    }

    async fn hosting(place: &std::path::Path) -> Arc<Hosting> {
        let pipelines = Pipelines::beside(Store::open("mem:").await.unwrap());
        let hosting = Hosting::new(pipelines, Folder::new(place), |_| None);
        Arc::new(hosting)
    }

    #[tokio::test]
    async fn a_reload_nobody_waits_for_any_more_is_done_to_its_end() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("copy.toml");
        std::fs::write(&file, copy("b")).unwrap();
        let hosting = hosting(place.path()).await;
        hosting.load().await.unwrap();
        std::fs::write(&file, copy("c")).unwrap();
        let mut reload = Box::pin(hosting.load());
        // Whoever asked goes away as soon as it is begun.
        assert!(futures_util::poll!(&mut reload).is_pending());
        drop(reload);
        tokio::task::yield_now().await;
        drop(hosting.loading.lock().await);
        let standing = hosting.pipelines().standing("copy").unwrap();
        assert_eq!(standing.state, State::Running);
        hosting.close().await;
    }

    #[tokio::test]
    async fn nothing_begins_any_more_when_the_node_closes() {
        let place = tempfile::tempdir().unwrap();
        let hosting = hosting(place.path()).await;
        hosting.close().await;
        std::fs::write(place.path().join("copy.toml"), copy("b")).unwrap();
        assert_eq!(hosting.load().await.unwrap(), Reloaded::default());
        assert!(hosting.pipelines().list().is_empty());
    }
}
