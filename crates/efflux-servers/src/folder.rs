//! A server's temporary folder, and the user whose it is.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Result;

/// PostgreSQL and RabbitMQ refuse to run as root; then all servers run as nobody.
const NOBODY: u32 = 65534;

/// A folder that goes when this is dropped.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn make(server: &str) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("efflux-{server}-"))
            .tempdir()?;
        give_away(folder.path())?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file that the server may read and write.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.file(name);
        fs::write(&path, text)?;
        give_away(&path)?;
        Ok(path)
    }

    /// Makes a folder that the server may fill.
    pub(crate) fn make_folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.file(name);
        fs::create_dir_all(&path)?;
        give_away(&path)?;
        Ok(path)
    }

    /// A command that runs in this folder as the user whose it is, with nothing of the test's
    /// environment but the search path.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.path());
        command.env("HOME", self.path()).env("LC_ALL", "C.UTF-8");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

fn give_away(path: &Path) -> Result {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
