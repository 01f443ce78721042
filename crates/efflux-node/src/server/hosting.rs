//! The pipelines that a node runs: those of a folder.

use crate::pipelines::{Folder, Pipelines, Reloaded};

/// Looks a variable of the environment up.
pub type Variables = fn(&str) -> Option<String>;

/// The pipelines that a node runs, and the folder that declares them.
#[derive(Debug)]
pub(crate) struct Hosting {
    pipelines: Pipelines,
    folder: Folder,
    variables: Variables,
    /// One reading of the folder after the other.
    loading: tokio::sync::Mutex<()>,
}

impl Hosting {
    pub(crate) fn new(pipelines: Pipelines, folder: Folder, variables: Variables) -> Self {
        Self {
            pipelines,
            folder,
            variables,
            loading: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) const fn pipelines(&self) -> &Pipelines {
        &self.pipelines
    }

    /// Reads the folder, and lets run what it declares. What is wrong is logged as well.
    pub(crate) async fn load(&self) -> std::io::Result<Reloaded> {
        let _one = self.loading.lock().await;
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
