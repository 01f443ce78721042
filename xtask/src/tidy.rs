//! `cargo xtask tidy`: house rules that neither rustfmt nor clippy knows.
//!
//! Each rule is a small function from one file, or from the whole tree, to its faults.

mod blank;
mod code;
mod layout;
mod lib_file;
mod links;
mod text;
mod tree;

use std::fmt;

use crate::project::Project;
use crate::{Result, no_arguments};
use tree::{SourceFile, Tree};

pub(crate) const HELP: &str = "check the house rules that no other tool knows";

/// Rules that look at one file.
const FILE_RULES: &[fn(&SourceFile) -> Vec<Fault>] = &[
    code::starts_with_a_doc_comment,
    code::no_ignored_tests,
    code::no_bare_allow,
    code::no_sleep_in_tests,
    layout::short_files,
    layout::no_banned_names,
    lib_file::only_a_table_of_contents,
    text::no_trailing_whitespace,
    text::no_marks_for_later,
    text::no_registry_hosts,
];

/// Rules that compare files with each other.
const TREE_RULES: &[fn(&Tree) -> Vec<Fault>] = &[
    code::fjall_in_one_file,
    layout::crates_have_readmes,
    links::alive,
];

/// Where a rule is broken, and how.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    path: String,
    /// Counted from 1; 0 when the whole file is meant.
    line: usize,
    message: String,
}

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    no_arguments(arguments)?;
    let tree = Tree::read(&project.root)?;
    let faults = faults(&tree);
    if faults.is_empty() {
        println!("tidy: {} files, no fault", tree.files.len());
        return Ok(());
    }
    let lines: Vec<_> = faults.iter().map(|fault| format!("  {fault}")).collect();
    Err(format!("{} faults:\n{}", lines.len(), lines.join("\n")))
}

fn faults(tree: &Tree) -> Vec<Fault> {
    let of_files = tree
        .files
        .iter()
        .flat_map(|file| FILE_RULES.iter().flat_map(|rule| rule(file)));
    let of_tree = TREE_RULES.iter().flat_map(|rule| rule(tree));
    let mut faults: Vec<_> = of_files.chain(of_tree).collect();
    faults.sort();
    faults
}

impl Fault {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Holds the lines in which a rule finds faults in a text against those that are expected.
#[cfg(test)]
fn check(rule: fn(&SourceFile) -> Vec<Fault>, path: &str, text: &str, expect: &[usize]) {
    let lines: Vec<_> = rule(&SourceFile::new(path, text))
        .iter()
        .map(|fault| fault.line)
        .collect();
    assert_eq!(lines, expect, "{path}: {text}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let faults = faults(&Tree::read(root).unwrap());
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }

    #[test]
    fn a_fault_names_file_and_line() {
        assert_eq!(Fault::new("a.rs", 3, "no").to_string(), "a.rs:3: no");
        assert_eq!(Fault::new("a.rs", 0, "no").to_string(), "a.rs: no");
    }
}
