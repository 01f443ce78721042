//! What a user says about a folder of files.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::limits::RESCAN_MIN;
use super::pattern::Patterns;
use crate::quantity::Period;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;

/// What a user says about a folder of files.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct FilesSettings {
    /// The folder. It must be there when the pipeline begins.
    pub folder: PathBuf,
    /// Patterns of the files to take, such as `*.csv`: one without a slash is held against the file's
    /// name, one with a slash against its path in the folder. Without any, all files are taken. Names
    /// that begin with a dot never are.
    #[serde(default, rename = "match")]
    pub patterns: Vec<String>,
    /// Whether files in folders within the folder are taken too. Symbolic links are never followed.
    #[serde(default)]
    pub recursive: bool,
    /// What becomes one message: the whole file, or each of its lines or records.
    #[serde(default)]
    pub form: FilesForm,
    /// How long a file must rest, its size and time of modification unchanged, before it is taken. One
    /// that is renamed into the folder is taken at once where the platform tells of it.
    #[serde(default = "settle_default")]
    pub settle: Period,
    /// How often the folder is looked through, for files that the platform did not tell of: network
    /// file systems tell of none.
    #[serde(default = "rescan_default")]
    pub rescan: Period,
    /// Whether the platform's notifications are used besides.
    #[serde(default = "watch_default")]
    pub watch: bool,
    /// What is done with a file when all of it is delivered.
    #[serde(default)]
    pub done: FilesDone,
}

/// What becomes one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum FilesForm {
    /// The whole file, of at most 16 MiB.
    #[default]
    Whole,
    /// Each line, without its end. Empty lines are left out.
    Lines,
    /// Each line, which is JSON. Empty lines are left out.
    Json,
    /// Each row of a CSV file, as a JSON object whose names are in the first row.
    Csv {
        /// What stands between two fields: one ASCII character, a comma by default.
        #[serde(default = "separator_default")]
        separator: char,
    },
}

/// What is done with a file when all of it is delivered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum FilesDone {
    /// It is moved to this folder, which may be named relative to the watched one and is made when it
    /// is not there. It must be in the same file system. A file whose name is taken gets a number.
    Move(PathBuf),
    /// It is deleted. One of which a part was refused is kept instead, its name ends with `.refused`.
    Delete,
    /// It stays, and a file beside it whose name ends with `.taken` says so.
    Mark,
    /// It stays, and a file in this folder says so; nothing is written into the watched folder. Like
    /// any path, it is relative to where the program runs.
    Keep(PathBuf),
}

impl Default for FilesDone {
    fn default() -> Self {
        Self::Move(PathBuf::from(".done"))
    }
}

const fn settle_default() -> Period {
    Period(Duration::from_secs(2))
}

const fn rescan_default() -> Period {
    Period(Duration::from_secs(30))
}

const fn watch_default() -> bool {
    true
}

const fn separator_default() -> char {
    ','
}

impl FilesSettings {
    /// Whole files of this folder, moved to `.done` within it.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            patterns: Vec::new(),
            recursive: false,
            form: FilesForm::default(),
            settle: settle_default(),
            rescan: rescan_default(),
            watch: watch_default(),
            done: FilesDone::default(),
        }
    }

    /// All that is wrong, without looking at the folder.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let has_folder = !self.folder.as_os_str().is_empty();
        faults.extend(SettingFault::unless(
            has_folder,
            "folder",
            "no folder is named",
        ));
        let rescan = format!(
            "a rescan every {}: at least {RESCAN_MIN:?} is needed",
            self.rescan
        );
        let is_slow = self.rescan.0 >= RESCAN_MIN;
        faults.extend(SettingFault::unless(is_slow, "rescan", &rescan));
        if let FilesForm::Csv { separator } = &self.form
            && (!separator.is_ascii() || ['"', '\n', '\r'].contains(separator))
        {
            let what = format!(
                "{separator:?} cannot separate fields: one ASCII character is needed, other than a \
                 quotation mark or an end of line"
            );
            let fault = SettingFault::of("separator", what);
            faults.push(fault.within("csv").within("form"));
        }
        let done = match &self.done {
            FilesDone::Move(folder) => Some(("move", folder)),
            FilesDone::Keep(folder) => Some(("keep", folder)),
            FilesDone::Delete | FilesDone::Mark => None,
        };
        if let Some((name, folder)) = done {
            let is_name = |part| matches!(part, Component::Normal(_));
            let names_one = folder.components().any(is_name);
            if !names_one || folder.components().any(|it| it == Component::ParentDir) {
                let folder = folder.display();
                let what = format!("{folder} names no folder for files that are done");
                faults.push(SettingFault::of(name, what).within("done"));
            }
        }
        let of_patterns = Patterns::faults(&self.patterns).into_iter();
        faults.extend(of_patterns.map(|fault| fault.within("match")));
        faults
    }

    /// Tells what is wrong, and compiles the patterns.
    pub(super) fn check(&self) -> Result<Patterns, StageError> {
        SettingFault::none_of(self.faults())?;
        Patterns::new(&self.patterns)
    }

    /// The folder that files are moved to, or where marks are kept.
    pub(super) fn done_folder(&self) -> Option<PathBuf> {
        match &self.done {
            FilesDone::Move(folder) => Some(self.folder.join(folder)),
            FilesDone::Keep(folder) => Some(folder.clone()),
            FilesDone::Delete | FilesDone::Mark => None,
        }
    }

    /// The ending of names that are never taken.
    pub(super) const fn suffix(&self) -> Option<&'static str> {
        match self.done {
            FilesDone::Mark => Some(".taken"),
            FilesDone::Delete => Some(".refused"),
            FilesDone::Move(_) | FilesDone::Keep(_) => None,
        }
    }

    /// Whether a path in the folder may be taken, as far as its names tell.
    pub(super) fn may_take(&self, relative: &Path) -> bool {
        let depth = relative.components().count();
        let is_plain = |part: Component<'_>| match part {
            Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
            _ => false,
        };
        let is_own = self.suffix().is_some_and(|suffix| {
            let path = relative.as_os_str().as_encoded_bytes();
            path.ends_with(suffix.as_bytes())
        });
        depth > 0
            && (self.recursive || depth == 1)
            && relative.components().all(is_plain)
            && !is_own
    }
}
