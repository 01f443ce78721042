//! What a store needs of a file system: the seam at which tests put a disk that fails.

mod real;
#[cfg(feature = "conformance")]
pub(crate) mod sim;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use real::RealDisk;

/// A file system.
///
/// 1. What was written to a file is durable when [`DiskFile::sync`] has returned without an error.
/// 2. That a name stands in a folder is durable when [`Disk::sync_folder`] has returned without one.
/// 3. After an error of a write or sync, nothing is known about the bytes written since the last
///    successful sync of that file, whatever a read of them says.
/// 4. [`Disk::rename`] replaces its target at once or not at all.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when it is not there, and other errors of the file system.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading and writing; makes it, empty, when it is not there.
    ///
    /// # Errors
    /// Those of the file system.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file or folder another name.
    ///
    /// # Errors
    /// Those of the file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when it is not there, and other errors of the file system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder and all in it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when it is not there, and other errors of the file system.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// Those of the file system.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, in no order.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when it is not there, and other errors of the file system.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Whether a file or folder of this name is there.
    fn exists(&self, path: &Path) -> bool;

    /// Takes the lock that this file stands for, until the guard is dropped; none when another
    /// holder has it. `note` is left in the file for whoever finds it taken.
    ///
    /// # Errors
    /// Those of the file system.
    fn lock(&self, path: &Path, note: &str) -> io::Result<Option<Box<dyn LockGuard>>>;

    /// Bytes that may still be written in this folder, as far as that is known.
    ///
    /// # Errors
    /// Those of the file system.
    fn room(&self, folder: &Path) -> io::Result<u64>;

    /// What is the same for as long as the machine runs, and another after it starts anew; none
    /// when that is not known.
    fn boot(&self) -> Option<[u8; 16]>;

    /// The folder on the real file system that stands for `path`, for a library that opens its own
    /// files; none when there is none.
    fn real_path(&self, path: &Path) -> Option<PathBuf>;
}

/// An open file.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads into `buffer` from `offset` on; fewer bytes than asked for are possible, none mean the
    /// file's end.
    ///
    /// # Errors
    /// Those of the file system.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// Those of the file system; some of the bytes may then be written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes what was written durable, and the file's length.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync(&self) -> io::Result<()>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// Those of the file system.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// Those of the file system.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file, or lengthens it with zeros.
    ///
    /// # Errors
    /// Those of the file system.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
}

/// Holds a lock; dropping it lets go.
pub trait LockGuard: Send + Sync + fmt::Debug {}

/// Fills `buffer` from `offset` on; how much of it there was before the file's end.
pub(crate) fn read_up_to(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Reads exactly `count` bytes at `offset`.
pub(crate) fn read_exact_at(file: &dyn DiskFile, offset: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; count];
    match read_up_to(file, &mut buffer, offset)? {
        read if read == count => Ok(buffer),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Reads a whole small file of at most `bytes_max` bytes.
pub(crate) fn read_file(disk: &dyn Disk, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let bytes = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if bytes > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    read_exact_at(&*file, 0, bytes)
}

/// Puts a whole small file in place of what is there, durably: written beside, synced, renamed.
pub(crate) fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let file = disk.create(&beside)?;
    file.set_len(0)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    disk.rename(&beside, path)?;
    disk.sync_folder(path.parent().unwrap_or(path))
}
