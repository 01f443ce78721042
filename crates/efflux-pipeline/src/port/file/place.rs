//! Where a message's file lies, which is always beneath the folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::fault::fault;
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

/// Where a path lies beneath the folder: no link stands on the way, which could lead out of it, and
/// what is there is a file.
///
/// # Errors
/// `Rejected` when it is none.
pub(super) fn beneath(folder: &Path, path: &str) -> Result<PathBuf, StageError> {
    let mut place = folder.to_owned();
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        place.push(name);
        let is_last = names.peek().is_none();
        let found = match fs::symlink_metadata(&place) {
            Ok(found) => found.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(folder.join(path)),
            Err(error) => return Err(fault(&place, &error)),
        };
        let told = match is_last {
            _ if found.is_symlink() => "is a symbolic link, which is not followed",
            true if !found.is_file() => "is there, and is no file",
            false if !found.is_dir() => "is there, and is no folder",
            _ => continue,
        };
        let place = place.display();
        return Err(StageError::rejected(format!("{place} {told}")));
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_folders_and_pipes_are_no_place_for_a_message() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("all"), "a").unwrap();
        let kept = tempfile::tempdir().unwrap();
        let folder = kept.path();
        fs::create_dir(folder.join("sub")).unwrap();
        fs::write(folder.join("file"), "a").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.join("way")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("all"), folder.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.join("sub/hanging")).unwrap();
        for path in [
            "way/all",
            "way/other",
            "link",
            "sub/hanging",
            "sub",
            "file/a",
        ] {
            let error = beneath(folder, path).unwrap_err();
            assert_eq!(error.kind(), "rejected", "{path}");
        }
        for path in ["file", "other", "sub/other", "more/other"] {
            assert_eq!(beneath(folder, path).unwrap(), folder.join(path));
        }
    }

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
