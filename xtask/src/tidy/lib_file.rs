//! The rule that a `lib.rs` is a table of contents and holds no logic.

use super::Fault;
use super::tree::SourceFile;

/// A `lib.rs` has docs, attributes, `mod` and `pub use`, and at most an item for doc tests.
pub(super) fn only_a_table_of_contents(file: &SourceFile) -> Vec<Fault> {
    if file.name() != "lib.rs" {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let mut offset = 0;
    for item in file.code.split_inclusive(';') {
        let (attributes, declaration) = split_attributes(item);
        if !may_stand(attributes, declaration) {
            let start = offset + item.len() - declaration.len();
            let what = declaration.lines().next().unwrap_or_default();
            let message = format!("lib.rs holds no logic, only `mod` and `pub use`: `{what}`");
            faults.push(Fault::new(&file.path, file.line_at(start), message));
            // What follows may be the inside of this item.
            break;
        }
        offset += item.len();
    }
    faults
}

fn may_stand(attributes: &str, declaration: &str) -> bool {
    let Some(declaration) = declaration.trim_end().strip_suffix(';') else {
        return declaration.trim().is_empty();
    };
    let public = declaration.strip_prefix("pub").map(without_scope);
    let item = public.unwrap_or(declaration).trim_start();
    match item.split_once(char::is_whitespace) {
        Some(("mod", name)) => !name.contains('{'),
        Some(("use", _)) => public.is_some(),
        Some(("struct", _)) => attributes.contains("cfg(doctest)"),
        _ => false,
    }
}

/// What follows `pub` without the `(crate)` there may be.
fn without_scope(after: &str) -> &str {
    match after
        .strip_prefix('(')
        .and_then(|scope| scope.split_once(')'))
    {
        Some((_, item)) => item,
        None => after,
    }
}

/// Splits `#[a] #![b] item` before the item.
fn split_attributes(item: &str) -> (&str, &str) {
    let mut rest = item.trim_start();
    while rest.starts_with("#[") || rest.starts_with("#![") {
        let mut depth = 0_usize;
        let end = rest.char_indices().find(|&(_, character)| {
            match character {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => return false,
            }
            character == ']' && depth == 0
        });
        let after = end
            .and_then(|(offset, _)| rest.get(offset + 1..))
            .unwrap_or_default();
        rest = after.trim_start();
    }
    let attributes = item.len() - rest.len();
    item.split_at_checked(attributes).unwrap_or(("", item))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[usize]) {
        let faults = only_a_table_of_contents(&SourceFile::new("crates/a/src/lib.rs", text));
        let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, expect, "{text}: {faults:?}");
    }

    #[test]
    fn a_table_of_contents_is_fine() {
        check("//! Doc; with semicolons.\n", &[]);
        check(
            "//! Doc.\n#![cfg_attr(docsrs, feature(doc_cfg))]\n\nmod a;\npub(crate) mod b;\n\
             #[cfg(feature = \"x\")]\npub mod c;\n\npub use a::{A, B};\n\
             pub use b::{self as d, e};\n\n\
             #[doc = include_str!(\"../README.md\")]\n#[cfg(doctest)]\nstruct Readme;\n",
            &[],
        );
    }

    #[test]
    fn logic_is_found() {
        check(
            "//! Doc.\nmod a;\n\n/// Says.\npub fn say() { a(); b() }\n",
            &[5],
        );
        check("mod a { fn b() {} }\n", &[1]);
        check("mod a;\nuse std::fmt;\n", &[2]);
        check("mod a;\n\n#[derive(Debug)]\npub struct B;\n", &[4]);
        check("mod a;\nimpl A {}\n", &[2]);
    }

    #[test]
    fn other_files_may_hold_logic() {
        let file = SourceFile::new("crates/a/src/main.rs", "fn main() {}");
        assert!(only_a_table_of_contents(&file).is_empty());
    }
}
