//! Where a message's file lies, which is always beneath the folder.

use std::path::{Component, Path};

use crate::limits::PATH_BYTES_MAX;
use crate::stage_error::StageError;

/// How names begin that the port keeps for itself.
pub(super) const OWN: &str = ".efflux";

const NAME_BYTES_MAX: usize = 255;

/// A path as a message fills it in, if it lies beneath the folder.
///
/// # Errors
/// `Rejected` when it would lead elsewhere, or can be no path.
pub(super) fn checked(path: String) -> Result<String, StageError> {
    let fault = |why: &str| {
        let shown: String = path.chars().take(80).collect();
        StageError::rejected(format!("the path {shown:?} {why}"))
    };
    if path.is_empty() || path.len() > PATH_BYTES_MAX {
        return Err(fault("is empty or too long"));
    }
    if path.contains(|letter: char| letter.is_control() || letter == '\\') {
        return Err(fault("holds a letter that no name may have"));
    }
    for part in path.split('/') {
        if part.is_empty() || part == "." || part == ".." {
            return Err(fault("does not lie beneath the folder"));
        }
        if part.len() > NAME_BYTES_MAX {
            return Err(fault("holds a name that is too long"));
        }
        if part.starts_with(OWN) {
            return Err(fault("holds a name that the port keeps for itself"));
        }
    }
    let is_name = |part: Component<'_>| matches!(part, Component::Normal(_));
    match Path::new(&path).components().all(is_name) {
        true => Ok(path),
        false => Err(fault("does not lie beneath the folder")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_beneath_the_folder() {
        for path in ["a", "a/b.json", "..a", "a..b/c", "é"] {
            assert!(checked(path.to_owned()).is_ok(), "{path:?}");
        }
        let long = "x".repeat(256);
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../a",
            "a/../../b",
            "a/..",
            "./a",
            "a//b",
            "a/",
            "a\0b",
            "a\nb",
            "a\\..\\b",
            ".efflux-x.json",
            "a/.efflux",
            &long,
        ] {
            let error = checked(path.to_owned()).unwrap_err();
            assert_eq!(error.kind(), "rejected", "{path:?}");
        }
    }
}
