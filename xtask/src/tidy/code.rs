//! Rules about Rust code.

use super::Fault;
use super::tree::{SourceFile, Tree};

/// The two names that the one file that may name fjall can have.
const FJALL_FILES: &[&str] = &[
    "crates/efflux-storage/src/table.rs",
    "crates/efflux-storage/src/table/fjall.rs",
];

/// Every Rust file says first what it holds.
pub(super) fn starts_with_a_doc_comment(file: &SourceFile) -> Vec<Fault> {
    if !file.is_rust() || file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![Fault::new(
        &file.path,
        1,
        "begin the file with `//!` and what it holds",
    )]
}

/// A test runs always and says in its body what it expects.
pub(super) fn no_ignored_tests(file: &SourceFile) -> Vec<Fault> {
    let ignored = matches_of(
        file,
        &["#[ignore"],
        "no ignored tests: mend it or remove it",
    );
    let panics = words(file, "should_panic").map(|offset| {
        fault(
            file,
            offset,
            "no should_panic: return an error and compare it",
        )
    });
    ignored.into_iter().chain(panics).collect()
}

/// A lint is switched off where it is expected, with a reason.
pub(super) fn no_bare_allow(file: &SourceFile) -> Vec<Fault> {
    matches_of(
        file,
        &["#[allow(", "#![allow("],
        "write #[expect(lint, reason = \"…\")]",
    )
}

/// Time is passed in; a test that sleeps is slow, or fails on a slow machine, or both.
pub(super) fn no_sleep_in_tests(file: &SourceFile) -> Vec<Fault> {
    let tests_begin = if file.is_test() {
        Some(0)
    } else {
        inline_tests(&file.code)
    };
    let Some(tests_begin) = tests_begin else {
        return Vec::new();
    };
    words(file, "sleep")
        .filter(|&offset| offset >= tests_begin && calls_or_imports_sleep(&file.code, offset))
        .map(|offset| fault(file, offset, "no sleep in tests: wait for an event"))
        .collect()
}

/// Where the module of tests at the foot of a file begins; `mod tests;` has a file of its own.
fn inline_tests(code: &str) -> Option<usize> {
    let mut places = code.match_indices("#[cfg(test)]");
    places.find_map(|(offset, attribute)| {
        let after = code.get(offset + attribute.len()..)?;
        let module = after.trim_start().strip_prefix("mod ")?;
        let end = module.find(['{', ';'])?;
        module.get(end..)?.starts_with('{').then_some(offset)
    })
}

/// `sleep(` as a free function, or `thread::sleep` and `time::sleep` however they are used;
/// a method of that name is somebody's clock.
fn calls_or_imports_sleep(code: &str, offset: usize) -> bool {
    let (before, after) = code.split_at_checked(offset).unwrap_or((code, ""));
    let before = before.trim_end();
    let is_called = after
        .strip_prefix("sleep")
        .is_some_and(|after| after.starts_with('('));
    let is_own = before.ends_with('.') || before.ends_with("fn");
    before.ends_with("thread::") || before.ends_with("time::") || is_called && !is_own
}

/// The store beneath the index can be swapped, because one file knows it.
pub(super) fn fjall_in_one_file(tree: &Tree) -> Vec<Fault> {
    let uses: Vec<_> = tree
        .files
        .iter()
        .filter(|file| !is_bench(&file.path))
        .filter_map(|file| Some((file, names_fjall(file)?)))
        .collect();
    let allowed = uses
        .iter()
        .map(|(file, _)| file.path.as_str())
        .find(|path| FJALL_FILES.contains(path))
        .unwrap_or("crates/efflux-storage/src/table.rs");
    uses.iter()
        .filter(|(file, _)| file.path != allowed)
        .map(|(file, offset)| fault(file, *offset, &format!("only {allowed} may name fjall")))
        .collect()
}

/// Where the file first uses the crate fjall; a module of that name, reached through its parent,
/// is not the crate.
fn names_fjall(file: &SourceFile) -> Option<usize> {
    words(file, "fjall").find(|&offset| {
        let (before, after) = file.code.split_at_checked(offset).unwrap_or_default();
        let is_path = after
            .strip_prefix("fjall")
            .is_some_and(|after| after.starts_with("::"));
        let is_root = before
            .strip_suffix("::")
            .is_none_or(|parent| !ends_in_a_word(parent));
        is_root && (is_path || before.trim_end().ends_with("use"))
    })
}

fn is_bench(path: &str) -> bool {
    path.split('/')
        .any(|name| matches!(name, "bench" | "efflux-bench"))
}

fn matches_of(file: &SourceFile, patterns: &[&str], message: &str) -> Vec<Fault> {
    let offsets = patterns
        .iter()
        .flat_map(|pattern| file.code.match_indices(pattern));
    offsets
        .map(|(offset, _)| fault(file, offset, message))
        .collect()
}

/// The offsets at which `word` stands alone in the code.
fn words<'a>(file: &'a SourceFile, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    file.code
        .match_indices(word)
        .map(|(offset, _)| offset)
        .filter(move |&offset| {
            let (before, rest) = file.code.split_at_checked(offset).unwrap_or_default();
            let after = rest.strip_prefix(word).unwrap_or_default();
            !ends_in_a_word(before) && !after.starts_with(is_word)
        })
}

fn ends_in_a_word(text: &str) -> bool {
    text.ends_with(is_word)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn fault(file: &SourceFile, offset: usize, message: &str) -> Fault {
    Fault::new(&file.path, file.line_at(offset), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::check;

    #[test]
    fn rust_files_begin_with_a_doc_comment() {
        let rule = starts_with_a_doc_comment;
        check(rule, "a.rs", "//! What it holds.\n", &[]);
        check(rule, "a.rs", "use std::fmt;\n", &[1]);
        check(rule, "a.rs", "", &[1]);
        check(rule, "a.md", "# Title\n", &[]);
    }

    #[test]
    fn ignored_and_panicking_tests_are_found() {
        check(
            no_ignored_tests,
            "a.rs",
            "#[test]\n#[ignore]\nfn a() {}",
            &[2],
        );
        check(no_ignored_tests, "a.rs", "#[ignore = \"slow\"]", &[1]);
        check(
            no_ignored_tests,
            "a.rs",
            "\n#[should_panic(expected = \"x\")]",
            &[2],
        );
        check(
            no_ignored_tests,
            "a.rs",
            "// #[ignore] in words, \nlet a = \"should_panic\";",
            &[],
        );
    }

    #[test]
    fn bare_allows_are_found() {
        check(
            no_bare_allow,
            "a.rs",
            "#![allow(dead_code)]\n#[allow(unused)]",
            &[2, 1],
        );
        check(
            no_bare_allow,
            "a.rs",
            "#[expect(unused, reason = \"shown\")] // #[allow(x)]",
            &[],
        );
    }

    #[test]
    fn sleeps_are_found_in_tests_only() {
        let sleep = "fn a() { std::thread::sleep(D); }\n";
        check(no_sleep_in_tests, "crates/a/src/b.rs", sleep, &[]);
        check(no_sleep_in_tests, "crates/a/src/b/tests.rs", sleep, &[1]);
        check(
            no_sleep_in_tests,
            "tests/it/main.rs",
            "use tokio::time::sleep;\nsleep(D)",
            &[1, 2],
        );
        let both = format!("{sleep}#[cfg(test)]\nmod tests {{\n{sleep}}}");
        check(no_sleep_in_tests, "crates/a/src/b.rs", &both, &[4]);
        let declared = format!("#[cfg(test)]\nmod tests;\n{sleep}");
        check(no_sleep_in_tests, "crates/a/src/b.rs", &declared, &[]);
        check(
            no_sleep_in_tests,
            "tests/it/main.rs",
            "clock.sleep(D); fn sleep() {} asleep()",
            &[],
        );
    }

    #[test]
    fn fjall_is_named_in_one_file() {
        let check = |files: &[(&str, &str)], expect: &[&str]| {
            let faults = fjall_in_one_file(&Tree::of(files));
            let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
            assert_eq!(paths, expect, "{files:?}");
        };
        let table = ("crates/efflux-storage/src/table.rs", "use fjall::Database;");
        let part = (
            "crates/efflux-storage/src/table/fjall.rs",
            "use ::fjall::Database;",
        );
        check(
            &[
                table,
                ("crates/efflux-bench/src/main.rs", "use fjall::Database;"),
            ],
            &[],
        );
        check(&[table, part], &[part.0]);
        check(
            &[
                (
                    "crates/efflux-storage/src/table.rs",
                    "mod fjall; use self::fjall::A;",
                ),
                part,
            ],
            &[],
        );
        let other = "crates/efflux-node/src/host.rs";
        check(&[(other, "let a = fjall::Config::new();")], &[other]);
        check(&[(other, "use fjall as store;")], &[other]);
        check(
            &[(other, "//! Not fjall::this.\nlet folder = \"fjall\";")],
            &[],
        );
    }
}
