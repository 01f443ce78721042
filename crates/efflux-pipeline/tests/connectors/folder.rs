//! A folder with files, and what a connector makes of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use efflux_pipeline::particle::Message;
use efflux_pipeline::{
    Connector, FilesConnector, FilesSettings, Intake, IntakeMax, Period, StageError,
};
use tempfile::TempDir;

pub(crate) const MAX: IntakeMax = IntakeMax {
    messages: 500,
    bytes: 4 << 20,
};

/// What the second of two connectors is told.
pub(crate) const LOCKED: &str = "another pipeline takes the same files";

/// A folder with files.
pub(crate) struct Folder {
    kept: TempDir,
    pub(crate) settings: FilesSettings,
}

impl Folder {
    /// An empty folder, looked through every 5 s and without notifications, so that time is all that
    /// makes files rest.
    pub(crate) fn new() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let mut settings = FilesSettings::new(kept.path());
        settings.watch = false;
        settings.rescan = Period(Duration::from_secs(5));
        Self { kept, settings }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.kept.path().join(name)
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn connector(&self) -> FilesConnector {
        FilesConnector::new(self.settings.clone()).unwrap()
    }

    /// The names in one of its folders, without those that begin with a dot.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else {
            return Vec::new();
        };
        let names = entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }
}

/// The next intake; none when none comes within a minute.
pub(crate) async fn poll(connector: &impl Connector) -> Option<Intake> {
    loop {
        let polled = tokio::time::timeout(Duration::from_secs(60), connector.poll(MAX)).await;
        match polled.ok()? {
            // A process that another test begins holds all locks for a moment.
            Err(error) if error.to_string().contains(LOCKED) => tokio::task::yield_now().await,
            polled => return polled.unwrap(),
        }
    }
}

/// The error of the next poll.
pub(crate) async fn refusal(connector: &impl Connector) -> StageError {
    connector.poll(MAX).await.unwrap_err()
}

pub(crate) fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.payload()).into_owned()
}

pub(crate) fn texts(intake: &Intake) -> Vec<String> {
    intake.parcels.iter().map(|it| text(&it.message)).collect()
}

/// The payloads of all that comes, each intake acknowledged; ends when nothing comes for a minute.
pub(crate) async fn take_all(connector: &impl Connector) -> Vec<String> {
    let mut taken = Vec::new();
    while let Some(intake) = poll(connector).await {
        taken.extend(texts(&intake));
        connector.ack(intake.receipt).await.unwrap();
    }
    taken
}
