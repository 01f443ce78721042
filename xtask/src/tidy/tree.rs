//! The files that tidy looks at.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::blank::blank;
use crate::Result;

/// Folders at the root of the repository that hold what programs wrote.
const DERIVED: &[&str] = &[
    "target",
    "efflux-data",
    "fuzz/target",
    "fuzz/corpus",
    "fuzz/artifacts",
];

/// Hidden folders that hold what people wrote.
const HIDDEN: &[&str] = &[".cargo", ".ci", ".config", ".github"];

/// A text file of the repository.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Relative to the root, with `/` between folders.
    pub(super) path: String,
    pub(super) text: String,
    /// For Rust: the text with comments and literals blanked, byte for byte as long as the text.
    pub(super) code: String,
}

/// All text files of the repository, and the paths of everything in it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<SourceFile>,
    /// Files and folders, binary ones too.
    pub(super) paths: BTreeSet<String>,
}

impl SourceFile {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") {
            blank(text)
        } else {
            String::new()
        };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
        }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The file's name without folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether the whole file is test code.
    pub(super) fn is_test(&self) -> bool {
        self.name() == "tests.rs"
            || self
                .path
                .split('/')
                .rev()
                .skip(1)
                .any(|name| name == "tests")
    }

    /// The line that a byte of the text, or of the code, lies on, counted from 1.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        self.text
            .bytes()
            .take(offset)
            .filter(|&byte| byte == b'\n')
            .count()
            + 1
    }
}

impl Tree {
    /// Reads the tree below `root`, without what programs wrote there.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    fn read_folder(&mut self, root: &Path, folder: &str) -> Result {
        let absolute = root.join(folder);
        let failed = |error: std::io::Error| format!("reading {}: {error}", absolute.display());
        for entry in fs::read_dir(&absolute).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            let is_folder = entry.file_type().map_err(failed)?.is_dir();
            if is_folder && !is_derived(&path, &entry.path()) {
                self.read_folder(root, &path)?;
                self.paths.insert(path);
            } else if !is_folder {
                if let Ok(text) = fs::read_to_string(entry.path()) {
                    self.files.push(SourceFile::new(&path, &text));
                }
                self.paths.insert(path);
            }
        }
        Ok(())
    }
}

fn is_derived(path: &str, absolute: &Path) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    DERIVED.contains(&path)
        || name.starts_with('.') && !HIDDEN.contains(&name)
        || absolute.join("CACHEDIR.TAG").exists()
}

#[cfg(test)]
impl Tree {
    /// A tree in memory; folders come from the files' paths.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.files.push(SourceFile::new(path, text));
            let ends = path
                .match_indices('/')
                .map(|(at, _)| at)
                .chain([path.len()]);
            tree.paths
                .extend(ends.filter_map(|end| path.get(..end).map(str::to_owned)));
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_files_are_known_by_name_and_folder() {
        let is_test = |path| SourceFile::new(path, "").is_test();
        assert!(is_test("tests/src/lib.rs"));
        assert!(is_test("crates/efflux-node/tests/it.rs"));
        assert!(is_test("crates/efflux-node/src/segment/tests.rs"));
        assert!(!is_test("crates/efflux-node/src/tests_of.rs"));
    }

    #[test]
    fn derived_folders_are_passed_over() {
        let nowhere = Path::new("/nowhere");
        assert!(is_derived("target", nowhere));
        assert!(is_derived(".git", nowhere));
        assert!(is_derived("fuzz/corpus", nowhere));
        assert!(!is_derived(".ci", nowhere));
        assert!(!is_derived("crates/efflux-storage/src/target", nowhere));
    }
}
