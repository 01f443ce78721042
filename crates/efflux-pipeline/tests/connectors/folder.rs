//! A folder with files, and what a connector makes of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use efflux_pipeline::particle::Message;
use efflux_pipeline::{
    Connector, FilesConnector, FilesSettings, Intake, IntakeMax, Period, StageError,
};
use tempfile::TempDir;

pub const MAX: IntakeMax = IntakeMax {
    messages: 500,
    bytes: 4 << 20,
};

/// A folder with files.
pub struct Folder {
    kept: TempDir,
    pub settings: FilesSettings,
}

impl Folder {
    /// An empty folder, looked through every 5 s and without notifications, so that time is all that
    /// makes files rest.
    pub fn new() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let mut settings = FilesSettings::new(kept.path());
        settings.watch = false;
        settings.rescan = Period(Duration::from_secs(5));
        Self { kept, settings }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.kept.path().join(name)
    }

    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn connector(&self) -> FilesConnector {
        FilesConnector::new(self.settings.clone()).unwrap()
    }

    /// The names in one of its folders, without those that begin with a dot.
    pub fn names(&self, folder: &str) -> Vec<String> {
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
pub async fn poll(connector: &impl Connector) -> Option<Intake> {
    let polled = tokio::time::timeout(Duration::from_secs(60), connector.poll(MAX)).await;
    polled.ok()?.unwrap()
}

/// The error of the next poll.
pub async fn refusal(connector: &impl Connector) -> StageError {
    connector.poll(MAX).await.unwrap_err()
}

pub fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.payload()).into_owned()
}

pub fn texts(intake: &Intake) -> Vec<String> {
    intake.parcels.iter().map(|it| text(&it.message)).collect()
}

/// The payloads of all that comes, each intake acknowledged; ends when nothing comes for a minute.
pub async fn take_all(connector: &impl Connector) -> Vec<String> {
    let mut taken = Vec::new();
    while let Some(intake) = poll(connector).await {
        taken.extend(texts(&intake));
        connector.ack(intake.receipt).await.unwrap();
    }
    taken
}
