//! Walks through a folder, a part at a time.

use std::fs::{DirEntry, ReadDir, read_dir};
use std::io;
use std::path::{Path, PathBuf};

use super::identity::Identity;
use super::limits::FOLDER_DEPTH_MAX;
use super::pattern::Patterns;
use super::place::Place;
use super::settings::FilesSettings;

/// Walks through a folder, a part at a time. It holds no more than the open folders it is in.
#[derive(Debug)]
pub(super) struct Scan {
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    entries: ReadDir,
    relative: PathBuf,
}

/// What a scan came by.
#[derive(Debug)]
pub(super) enum Seen {
    File(PathBuf, Identity),
    Nothing,
}

impl Scan {
    pub(super) fn begin(folder: &Path) -> io::Result<Self> {
        let level = Level {
            entries: read_dir(folder)?,
            relative: PathBuf::new(),
        };
        Ok(Self {
            levels: vec![level],
        })
    }

    /// Looks at the next entry; none when all were looked at.
    pub(super) fn next(
        &mut self,
        place: &Place,
        settings: &FilesSettings,
        patterns: &Patterns,
    ) -> Option<Seen> {
        let folder = place.root.path();
        let level = self.levels.last_mut()?;
        let entry = match level.entries.next() {
            Some(Ok(entry)) => entry,
            Some(Err(error)) => {
                tracing::warn!(folder = %folder.join(&level.relative).display(), %error, "a folder cannot be read");
                self.levels.pop();
                return Some(Seen::Nothing);
            }
            None => {
                self.levels.pop();
                return Some(Seen::Nothing);
            }
        };
        let relative = level.relative.join(entry.file_name());
        let Ok(kind) = entry.file_type() else {
            return Some(Seen::Nothing);
        };
        if !place.may_take(settings, &relative) {
            return Some(Seen::Nothing);
        }
        if kind.is_dir() {
            self.enter(&entry, relative);
        } else if kind.is_file()
            && patterns.take(&relative)
            && let Ok(metadata) = entry.metadata()
        {
            return Some(Seen::File(relative, Identity::of(&metadata)));
        }
        Some(Seen::Nothing)
    }

    fn enter(&mut self, entry: &DirEntry, relative: PathBuf) {
        let path = entry.path();
        if self.levels.len() >= FOLDER_DEPTH_MAX {
            tracing::warn!(folder = %path.display(), "a folder lies too deep: its files are not taken");
            return;
        }
        match read_dir(&path) {
            Ok(entries) => self.levels.push(Level { entries, relative }),
            Err(error) => {
                tracing::warn!(folder = %path.display(), %error, "a folder cannot be read");
            }
        }
    }
}
