//! Rules about any text.

use super::Fault;
use super::tree::SourceFile;

/// Endings of the files that people write; everything else may have been generated.
const WRITTEN: &[&str] = &[
    "rs", "toml", "md", "sh", "yml", "yaml", "html", "css", "js", "sql", "efflux",
];

/// Marks that promise to come back, in halves so that this file does not hold them.
const MARKS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Hosts of package registries, in halves for the same reason. Which one is used is a matter of
/// the machine that builds, so the repository names none.
const REGISTRIES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("yarnpkg", ".com"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("proxy.golang", ".org"),
    concat!("deb.debian", ".org"),
    concat!("docker", ".io"),
    concat!("ghcr", ".io"),
    concat!("quay", ".io"),
];

/// No line ends in a space or a tab.
pub(super) fn no_trailing_whitespace(file: &SourceFile) -> Vec<Fault> {
    lines_that(
        file,
        |line| line.ends_with([' ', '\t', '\r']),
        "white space at the line's end",
    )
}

/// What is to be done later stands in an issue.
pub(super) fn no_marks_for_later(file: &SourceFile) -> Vec<Fault> {
    let is_mark = |word: &str| MARKS.contains(&word);
    let has_mark = |line: &str| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(is_mark)
    };
    lines_that(file, has_mark, "do it now or open an issue")
}

/// No registry's host name, in any file but the lock files that Cargo writes.
pub(super) fn no_registry_hosts(file: &SourceFile) -> Vec<Fault> {
    if file.name() == "Cargo.lock" {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            let host = REGISTRIES.iter().find(|host| line.contains(**host))?;
            let message = format!("names the registry {host}: leave it to the machine's settings");
            Some(Fault::new(&file.path, index + 1, message))
        })
        .collect()
}

fn lines_that(file: &SourceFile, is_wrong: impl Fn(&str) -> bool, message: &str) -> Vec<Fault> {
    if !is_written(file) {
        return Vec::new();
    }
    let lines = file
        .text
        .split('\n')
        .enumerate()
        .filter(|(_, line)| is_wrong(line));
    lines
        .map(|(index, _)| Fault::new(&file.path, index + 1, message))
        .collect()
}

fn is_written(file: &SourceFile) -> bool {
    match file.name().rsplit_once('.') {
        Some((_, ending)) => WRITTEN.contains(&ending),
        None => file.text.starts_with("#!"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::check;

    #[test]
    fn trailing_whitespace_is_found() {
        check(no_trailing_whitespace, "a.md", "a \nb\n\tc\t\n\n", &[1, 3]);
        check(no_trailing_whitespace, "a.rs", "a\r\nb", &[1]);
        check(no_trailing_whitespace, ".ci/run", "#!/bin/sh\na ", &[2]);
        check(no_trailing_whitespace, "a.json", "{ \n}", &[]);
        check(no_trailing_whitespace, "LICENSE", "a \n", &[]);
    }

    #[test]
    fn marks_for_later_are_found_as_words() {
        let text = format!(
            "// {}: a\n// {}(me) b\nlet {}S = 1;",
            MARKS[0], MARKS[1], MARKS[2]
        );
        check(no_marks_for_later, "a.rs", &text, &[1, 2]);
        check(
            no_marks_for_later,
            "a.sh",
            &format!("mktemp {}{}", MARKS[2], MARKS[2]),
            &[],
        );
    }

    #[test]
    fn registry_hosts_are_found_in_every_file_but_locks() {
        let text = format!("see\nhttps://{}/x", REGISTRIES[0]);
        check(no_registry_hosts, "a.md", &text, &[2]);
        check(no_registry_hosts, "notes", &text, &[2]);
        check(no_registry_hosts, "fuzz/Cargo.lock", &text, &[]);
        check(no_registry_hosts, "a.rs", "let io = crates.iter();", &[]);
    }
}
