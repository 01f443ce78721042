//! An open folder, and the files beneath it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::identity::Identity;
use super::limits::{NAME_BYTES_MAX, NAME_NUMBERS_MAX};
use crate::derived_id::derived_id;

/// An open folder. What lies beneath it is reached step by step from it, and no symbolic link is
/// followed on the way: a path cannot lead out of it.
///
/// What is renamed, written or removed is not synced: a power cut that takes it back has files read
/// again whose messages are there already.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    folder: File,
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let folder = File::open(&path)?;
        if !folder.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { path, folder })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still names this folder.
    pub(super) fn is_there(&self) -> bool {
        let names = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let found = std::fs::symlink_metadata(&self.path).map(names);
        matches!((found, self.folder.metadata().map(names)), (Ok(a), Ok(b)) if a == b)
    }

    /// Whether files can be renamed from here to there.
    pub(super) fn is_beside(&self, other: &Self) -> io::Result<bool> {
        Ok(self.folder.metadata()?.dev() == other.folder.metadata()?.dev())
    }

    /// Opens a file for reading; none when there is none, or it is no regular file.
    pub(super) fn file(&self, relative: &Path) -> io::Result<Option<(File, Identity)>> {
        let Some((folder, name)) = found(self.parent(relative))? else {
            return Ok(None);
        };
        // Without waiting: a pipe would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = fs::openat(&folder, name, flags, Mode::empty());
        let Some(file) = found(opened.map_err(io::Error::from))? else {
            return Ok(None);
        };
        let file = File::from(file);
        let metadata = file.metadata()?;
        Ok(metadata.is_file().then(|| (file, Identity::of(&metadata))))
    }

    /// The identity of a regular file; none when there is none.
    pub(super) fn identity(&self, relative: &Path) -> io::Result<Option<Identity>> {
        let Some((folder, name)) = found(self.parent(relative))? else {
            return Ok(None);
        };
        identity_of(&folder, name)
    }

    /// Removes a file of this version; returns what is there in its place, which stays.
    pub(super) fn remove(
        &self,
        relative: &Path,
        version: Identity,
    ) -> io::Result<Option<Identity>> {
        let Some((folder, name)) = found(self.parent(relative))? else {
            return Ok(None);
        };
        // Under a name of its own, nobody puts another version in its place before it is removed.
        let hidden = derived_id(&[name.as_encoded_bytes()]);
        let hidden = relative.with_file_name(format!(".efflux-{hidden}.gone"));
        let (hidden, other) = self.rename(relative, self, &hidden, version)?;
        if other.is_none() {
            found(fs::unlinkat(&folder, hidden, AtFlags::empty()).map_err(Into::into))?;
        }
        Ok(other)
    }

    /// Renames a file of this version to a path beneath another folder, with a number in its name if
    /// that is taken. Returns the name, and what was there in the file's place: another version, which
    /// somebody put there in the last moment, goes back to where it was.
    pub(super) fn rename(
        &self,
        relative: &Path,
        to: &Self,
        wanted: &Path,
        version: Identity,
    ) -> io::Result<(OsString, Option<Identity>)> {
        let (from, name) = self.parent(relative)?;
        let (into, wanted) = to.parent(wanted)?;
        let name_there = rename_free(&from, name, &into, wanted)?;
        // Who takes it away from there at once knows that it is done.
        let other = identity_of(&into, &name_there)?.filter(|found| *found != version);
        if other.is_some() {
            rename_free(&into, &name_there, &from, name)?;
        }
        Ok((name_there, other))
    }

    /// Writes a small file in one step.
    pub(super) fn write(&self, relative: &Path, text: &str) -> io::Result<()> {
        let (folder, name) = self.parent(relative)?;
        let mut draft = OsString::from(".efflux-");
        draft.push(name);
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&folder, &draft, flags, Mode::from_raw_mode(0o644))?;
        let mut file = File::from(file);
        io::Write::write_all(&mut file, text.as_bytes())?;
        fs::renameat(&folder, &draft, &folder, name)?;
        Ok(())
    }

    /// Makes the folders in which this path lies.
    pub(super) fn make_folders(&self, relative: &Path) -> io::Result<()> {
        let mut at: OwnedFd = self.folder.try_clone()?.into();
        for part in relative.parent().into_iter().flat_map(Path::components) {
            let name = normal(part)?;
            match fs::mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            at = fs::openat(&at, name, FOLDER, Mode::empty())?;
        }
        Ok(())
    }

    /// The folder in which a path lies, and its name there.
    fn parent<'a>(&self, relative: &'a Path) -> io::Result<(OwnedFd, &'a OsStr)> {
        let mut at: OwnedFd = self.folder.try_clone()?.into();
        for part in relative.parent().into_iter().flat_map(Path::components) {
            at = fs::openat(&at, normal(part)?, FOLDER, Mode::empty())?;
        }
        let name = relative.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((at, name))
    }
}

/// The identity of a regular file; none when there is none.
fn identity_of(folder: &OwnedFd, name: &OsStr) -> io::Result<Option<Identity>> {
    let found = found(fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(Into::into))?;
    let is_file = |stat: &fs::Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    Ok(found.filter(is_file).map(|stat| {
        let bytes = u64::try_from(stat.st_size).unwrap_or_default();
        let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or_default();
        Identity::new(bytes, stat.st_mtime, nanos)
    }))
}

/// Renames a file to the wanted name, or one with a number, and never over another one; returns the
/// name.
fn rename_free(
    from: &OwnedFd,
    name: &OsStr,
    into: &OwnedFd,
    wanted: &OsStr,
) -> io::Result<OsString> {
    loop {
        let free = free_name(into, wanted)?;
        match rename_to_nothing(from, name, into, &free) {
            // Somebody was quicker.
            Err(Errno::EXIST) => {}
            renamed => return Ok(renamed.map(|()| free)?),
        }
    }
}

/// Renames to a name that nothing has.
fn rename_to_nothing(
    from: &OwnedFd,
    name: &OsStr,
    into: &OwnedFd,
    free: &OsStr,
) -> rustix::io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        let renamed = fs::renameat_with(from, name, into, free, fs::RenameFlags::NOREPLACE);
        // Not every file system can; there the name was free a moment ago.
        if !matches!(renamed, Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)) {
            return renamed;
        }
    }
    fs::renameat(from, name, into, free)
}

/// This name, or one with a number that nothing has: `a.csv`, `a.2.csv`, `a.3.csv`. It is looked for by
/// doubling and halving, so that a name that comes a million times stays quick; where numbers in
/// between are free, it may be one behind them.
fn free_name(folder: &OwnedFd, wanted: &OsStr) -> io::Result<OsString> {
    let is_free = |number: u32| {
        let name = numbered(Path::new(wanted), number);
        match fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(false),
            Err(Errno::NOENT) => Ok(true),
            Err(error) => Err(io::Error::from(error)),
        }
    };
    let (mut taken, mut free) = (0, 1);
    while !is_free(free)? {
        if free >= NAME_NUMBERS_MAX {
            return Err(io::Error::other(format!(
                "there are {NAME_NUMBERS_MAX} files of the name {}",
                wanted.display()
            )));
        }
        (taken, free) = (free, free * 2);
    }
    while free - taken > 1 {
        let middle = taken.midpoint(free);
        match is_free(middle)? {
            true => free = middle,
            false => taken = middle,
        }
    }
    Ok(numbered(Path::new(wanted), free))
}

/// A name with a number before its extension, from 2 on. Where that is too long, a hash stands in
/// place of the name.
fn numbered(wanted: &Path, number: u32) -> OsString {
    if number < 2 {
        return wanted.as_os_str().to_os_string();
    }
    let extension = wanted.extension();
    let with = |stem: &OsStr| {
        let mut name = stem.to_os_string();
        name.push(format!(".{number}"));
        if let Some(extension) = extension {
            name.push(".");
            name.push(extension);
        }
        name
    };
    let name = with(wanted.file_stem().unwrap_or_default());
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let hash = derived_id(&[wanted.as_os_str().as_encoded_bytes()]).to_string();
    let name = with(OsStr::new(&hash));
    match name.len() <= NAME_BYTES_MAX {
        true => name,
        false => format!("{hash}.{number}").into(),
    }
}

fn normal(part: Component<'_>) -> io::Result<&OsStr> {
    match part {
        Component::Normal(name) => Ok(name),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// None where nothing is there, or a symbolic link is where a file or folder was.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => Ok(None),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_through_a_symbolic_link_leads_nowhere() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "a").unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("way")).unwrap();
        let secret = outside.path().join("secret");
        std::os::unix::fs::symlink(secret, inside.path().join("link")).unwrap();
        let root = Root::open(inside.path()).unwrap();
        for path in ["way/secret", "link", "missing", "../secret"] {
            let opened = root.file(Path::new(path));
            assert!(!matches!(opened, Ok(Some(_))), "{path}");
        }
    }

    fn version(root: &Root, name: &str) -> Identity {
        root.identity(Path::new(name)).unwrap().unwrap()
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let long = "x".repeat(NAME_BYTES_MAX);
        let long_extension = format!("a.{}", "x".repeat(NAME_BYTES_MAX - 2));
        for wanted in ["a.csv", &long, &long_extension] {
            for _ in 0..3 {
                std::fs::write(folder.path().join("new"), "a").unwrap();
                let version = version(&root, "new");
                let (name, other) = root
                    .rename(Path::new("new"), &root, Path::new(wanted), version)
                    .unwrap();
                assert_eq!(other, None);
                assert!(folder.path().join(name).exists());
            }
        }
        for name in ["a.csv", "a.2.csv", "a.3.csv", &long, &long_extension] {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 9);
    }

    #[test]
    fn a_version_that_came_in_the_last_moment_goes_back_to_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        std::fs::write(folder.path().join("a"), "old").unwrap();
        let old = version(&root, "a");
        std::fs::write(folder.path().join("a"), "newer").unwrap();
        let newer = version(&root, "a");
        let path = Path::new("a");
        let (_, other) = root.rename(path, &root, Path::new("b"), old).unwrap();
        assert_eq!(other, Some(newer));
        assert_eq!(root.remove(path, old).unwrap(), Some(newer));
        assert_eq!(version(&root, "a"), newer);
        assert_eq!(root.remove(path, newer).unwrap(), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
