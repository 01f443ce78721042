//! Any text is a file of pipelines, or has faults each of which has a place inside the text.

use crate::edits::edit;
use crate::pipeline::declared::Document;
use crate::pipeline::file::Surroundings;

/// Files that are right, to begin with.
const RIGHT: [&str; 4] = [
    include_str!("../../examples/pipelines/zipped-csvs.toml"),
    include_str!("../../examples/pipelines/by-type.toml"),
    include_str!("../../examples/pipelines/notify.toml"),
    include_str!("../../examples/pipelines/read-model.toml"),
];

/// Surroundings with a few variables, and no file.
struct Variables;

impl Surroundings for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        (!name.starts_with("NO")).then(|| format!("https://{}.example/", name.len()))
    }

    fn file(&self, path: &str) -> Result<String, String> {
        Err(format!("there is no file {path}"))
    }
}

/// Runs the target on one input, whose first byte says with which file it begins.
pub fn run(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let right = RIGHT.get(usize::from(*first)).copied();
    let text = match right {
        Some(right) => {
            let mut files = [Some(right.as_bytes().to_vec())];
            edit(rest, &mut files);
            let [file] = files;
            file.unwrap_or_default()
        }
        None => rest.to_vec(),
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    // Devices that are read without end, or wait for somebody.
    if text.contains("/dev") || text.contains("/proc") {
        return;
    }
    check(&text);
}

fn check(text: &str) {
    match Document::read(text, &Variables) {
        Ok(document) => {
            for name in document.names() {
                assert!(document.settings(name).is_some());
                assert!(!document.differs(&document, name), "{name}");
            }
        }
        Err(faults) => {
            assert!(!faults.is_empty() && faults.len() <= 100);
            let lines: Vec<&str> = text.split('\n').collect();
            for fault in &faults {
                assert!(!fault.what.is_empty());
                let line = fault.line.checked_sub(1).and_then(|line| lines.get(line));
                let letters = line.expect("a line of the text").chars().count();
                assert!((1..=letters + 1).contains(&fault.column), "{fault}");
            }
            let places = faults.iter().map(|fault| (fault.line, fault.column));
            assert!(places.is_sorted(), "{faults:?}");
        }
    }
}
