//! Rules about files and folders.

use super::Fault;
use super::tree::{SourceFile, Tree};

/// A longer file has more than one subject.
const LINES_MAX: usize = 600;

/// Names that say nothing of what is inside, so that everything falls in.
const BANNED: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "misc", "types", "prelude",
];

/// Files other than tests have at most [`LINES_MAX`] lines.
pub(super) fn short_files(file: &SourceFile) -> Vec<Fault> {
    let lines = file.text.lines().count();
    if !file.is_rust() || file.is_test() || lines <= LINES_MAX {
        return Vec::new();
    }
    let message = format!("{lines} lines, at most {LINES_MAX}: give its parts files of their own");
    vec![Fault::new(&file.path, 0, message)]
}

/// Rust files, their folders and their inline modules are named for the noun they define.
pub(super) fn no_banned_names(file: &SourceFile) -> Vec<Fault> {
    if !file.is_rust() {
        return Vec::new();
    }
    let of_path = file
        .path
        .split('/')
        .map(|name| name.strip_suffix(".rs").unwrap_or(name))
        .filter(|name| is_banned(name))
        .map(|name| {
            Fault::new(
                &file.path,
                0,
                format!("`{name}` says nothing: name its noun"),
            )
        });
    let of_modules = file.code.lines().enumerate().filter_map(|(index, line)| {
        let name = inline_module(line).filter(|name| is_banned(name))?;
        let message = format!("a module `{name}` says nothing: name its noun");
        Some(Fault::new(&file.path, index + 1, message))
    });
    of_path.chain(of_modules).collect()
}

/// Each crate can be read alone.
pub(super) fn crates_have_readmes(tree: &Tree) -> Vec<Fault> {
    let folders = tree
        .paths
        .iter()
        .filter_map(|path| path.strip_suffix("/Cargo.toml"));
    folders
        .filter(|folder| folder.starts_with("crates/"))
        .filter(|folder| !tree.paths.contains(&format!("{folder}/README.md")))
        .map(|folder| Fault::new(folder, 0, "the crate has no README.md"))
        .collect()
}

fn is_banned(name: &str) -> bool {
    let is_version = |end: &str| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
    BANNED.contains(&name)
        || name
            .rsplit_once("_v")
            .is_some_and(|(_, end)| is_version(end))
}

/// The name in `mod name {`; `mod name;` is found by its file.
fn inline_module(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("mod ")?;
    let is_item = before.is_empty() || before.ends_with([' ', ';', '}']);
    let (name, _) = after.split_once('{')?;
    is_item.then_some(name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_found_unless_they_are_tests() {
        let long = "//! x\n".repeat(LINES_MAX + 1);
        let faults = |path, text: &str| short_files(&SourceFile::new(path, text)).len();
        assert_eq!(faults("crates/a/src/b.rs", &long), 1);
        assert_eq!(faults("crates/a/src/b/tests.rs", &long), 0);
        assert_eq!(faults("tests/crash/main.rs", &long), 0);
        assert_eq!(faults("docs/a.md", &long), 0);
        assert_eq!(faults("crates/a/src/b.rs", &"//! x\n".repeat(LINES_MAX)), 0);
    }

    #[test]
    fn banned_names_are_found_in_paths_and_modules() {
        let check = |path: &str, text: &str, expect: usize| {
            let faults = no_banned_names(&SourceFile::new(path, text));
            assert_eq!(faults.len(), expect, "{path}: {faults:?}");
        };
        check("crates/a/src/utils.rs", "", 1);
        check("tests/common/mod.rs", "", 1);
        check("crates/a/src/reader_v2.rs", "", 1);
        check("crates/a/src/uuid_v.rs", "", 0);
        check("crates/a/src/commonplace.rs", "", 0);
        check("crates/a/src/b.rs", "pub(crate) mod helpers {\n}", 1);
        check("crates/a/src/b.rs", "// mod helpers {\nmod reader {}", 0);
        check("docs/types.md", "", 0);
    }

    #[test]
    fn a_crate_without_a_readme_is_found() {
        let tree = Tree::of(&[
            ("crates/a/Cargo.toml", ""),
            ("crates/b/Cargo.toml", ""),
            ("crates/b/README.md", ""),
            ("xtask/Cargo.toml", ""),
        ]);
        let faults = crates_have_readmes(&tree);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].path, "crates/a");
    }
}
