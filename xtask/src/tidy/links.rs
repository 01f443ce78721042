//! The rule that links in Markdown lead somewhere.

use std::collections::BTreeMap;

use super::Fault;
use super::tree::{SourceFile, Tree};

/// Relative links name a file or folder of the repository, and an anchor that the page has.
pub(super) fn alive(tree: &Tree) -> Vec<Fault> {
    let pages = tree.files.iter().filter(|file| file.path.ends_with(".md"));
    pages.flat_map(|page| dead_links(page, tree)).collect()
}

fn dead_links(page: &SourceFile, tree: &Tree) -> Vec<Fault> {
    let links = prose(&page.text).flat_map(|(line, text)| {
        targets(&text)
            .into_iter()
            .map(move |target| (line, target))
            .collect::<Vec<_>>()
    });
    links
        .filter(|(_, target)| is_relative(target))
        .filter_map(|(line, target)| {
            let message = why_dead(page, &target, tree)?;
            Some(Fault::new(
                &page.path,
                line,
                format!("the link to {target} is dead: {message}"),
            ))
        })
        .collect()
}

fn why_dead(page: &SourceFile, target: &str, tree: &Tree) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match path {
        "" => page.path.clone(),
        path => match resolve(&page.path, &path.replace("%20", " ")) {
            Some(path) => path,
            None => return Some("it leads out of the repository".to_owned()),
        },
    };
    if !path.is_empty() && !tree.paths.contains(&path) {
        return Some(format!("there is no {path}"));
    }
    let is_page = !anchor.is_empty() && path.ends_with(".md");
    let named = tree
        .files
        .iter()
        .find(|file| is_page && file.path == path)?;
    (!anchors(&named.text).contains(&anchor.to_owned()))
        .then(|| format!("{path} has no heading for #{anchor}"))
}

/// The path that `link` on the page `from` names; `None` when it leaves the repository.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn is_relative(target: &str) -> bool {
    !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
}

/// The lines outside fenced code, numbered from 1, with code in the line blanked.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let start = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(_)) => fence = mark,
            (Some(open), Some(close)) if open == close => fence = None,
            (None, None) => return Some((index + 1, without_code(line))),
            _ => {}
        }
        None
    })
}

fn without_code(line: &str) -> String {
    // Between backticks lies code; an odd one out is a plain character.
    let parts: Vec<&str> = line.split('`').collect();
    let last = parts.len() - 1;
    let is_prose = |index: usize| index.is_multiple_of(2) || index == last;
    let parts = parts
        .iter()
        .enumerate()
        .map(|(i, part)| if is_prose(i) { part } else { "" });
    parts.collect::<Vec<_>>().join("`")
}

/// What `[text](target)`, `![text](target "title")` and `[name]: target` name.
fn targets(line: &str) -> Vec<String> {
    let inline = line
        .split("](")
        .skip(1)
        .filter_map(|after| after.split_once(')'));
    let definition = line
        .trim_start()
        .strip_prefix('[')
        .and_then(|after| after.split_once("]:"))
        .filter(|(name, _)| !name.starts_with('^') && !name.contains(']'));
    inline
        .map(|(target, _)| target)
        .chain(definition.map(|(_, target)| target))
        .filter_map(|target| target.split_whitespace().next())
        .map(|target| target.trim_matches(['<', '>']).to_owned())
        .collect()
}

/// The anchors of a page: those of its headings, as GitHub makes them, and explicit ones.
fn anchors(text: &str) -> Vec<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let mut anchors = Vec::new();
    for (number, line) in prose(text) {
        let whole = text.lines().nth(number - 1).unwrap_or_default();
        if let Some(heading) = heading(whole) {
            let slug = slug(heading);
            let count = seen.entry(slug.clone()).or_default();
            anchors.push(if *count == 0 {
                slug
            } else {
                format!("{slug}-{count}")
            });
            *count += 1;
        }
        for mark in ["id=\"", "name=\""] {
            let ids = line
                .split(mark)
                .skip(1)
                .filter_map(|after| after.split_once('"'));
            anchors.extend(ids.map(|(id, _)| id.to_owned()));
        }
    }
    anchors
}

fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    let depth = line.len() - title.len();
    ((1..=6).contains(&depth) && title.starts_with(' ')).then(|| title.trim())
}

fn slug(heading: &str) -> String {
    let text = link_texts(heading).to_lowercase();
    let kept = text
        .chars()
        .filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// `[text](target)` counts with its text alone.
fn link_texts(heading: &str) -> String {
    let mut parts = heading.split("](");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once(')').map_or(part, |(_, after)| after));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, expect: &[&str]) {
        let tree = Tree::of(&[
            ("docs/page.md", page),
            (
                "docs/format.md",
                "# Format\n\n## The `head` record, drawn\n\n## Why?\n\n## Why?\n",
            ),
            ("README.md", "# Efflux\n"),
            ("docs/a b.md", ""),
        ]);
        let faults = alive(&tree);
        assert_eq!(faults.len(), expect.len(), "{page}: {faults:?}");
        for (fault, part) in faults.iter().zip(expect) {
            assert!(
                fault.to_string().contains(part),
                "{fault} does not say {part}"
            );
        }
    }

    #[test]
    fn links_to_files_folders_and_headings_are_alive() {
        check(
            "[a](format.md) [b](../README.md#efflux) [c](../docs) ![d](./format.md \"t\")",
            &[],
        );
        check(
            "[a](format.md#the-head-record-drawn) [b](format.md#why-1) [c](a%20b.md)",
            &[],
        );
        check(
            "# Here it is\n[a](#here-it-is)\n\n[b]: format.md\n[c]: <../README.md>",
            &[],
        );
        check("<a id=\"spot\"></a> [a](#spot) [up](..)", &[]);
    }

    #[test]
    fn dead_links_are_named() {
        check(
            "x\n[a](gone.md)",
            &["docs/page.md:2: the link to gone.md is dead"],
        );
        check("[a](format.md#none)", &["has no heading for #none"]);
        check("[a](../../up.md)", &["leads out of the repository"]);
        check("[a]: gone.md", &["there is no docs/gone.md"]);
        check("[a](format.md) [b](gone.md)", &["gone.md"]);
    }

    #[test]
    fn code_and_other_hosts_are_passed_over() {
        check("`[a](gone.md)` and `b[0](c)`", &[]);
        check("```text\n[a](gone.md)\n```\n[b](format.md)", &[]);
        check("[a](https://example.com/x) [b](mailto:a@example.com)", &[]);
        check("[^1]: a footnote", &[]);
    }
}
