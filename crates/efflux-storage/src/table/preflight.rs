//! Looks at a database's files before its library does.
//!
//! The library checks the blocks it reads and its journal, but neither the list of its tables nor
//! the directory at the end of each file before it makes room for as many entries as they say: one
//! flipped bit there ends the process or changes what is seen. Both carry checksums, which are held
//! against the bytes here.
//!
//! ```text
//! keyspaces/N/current     u64 number of the list   u128 checksum of that file   u8 0
//! keyspaces/N/vNUMBER     the list of tables, an archive
//! keyspaces/N/tables/M    a table, an archive
//! archive                 …  directory  "SFA!"  u8 1  u8 0  u128 checksum of the directory
//!                         u64 offset of the directory  u64 its length
//! ```
//!
//! All numbers are little-endian, all checksums XXH3. What is not understood is passed over, and
//! what is wrong is only ever a reason to build the index anew.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

/// Bytes at the end of an archive, which say where its directory is.
const TRAILER_BYTES: u64 = 38;

/// Longest directory of an archive that is looked at: the library writes a dozen short names.
const DIRECTORY_BYTES_MAX: u64 = 64 * 1024;

/// Longest list of tables, for a million of them.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Whether the files of the database in `folder` can be given to the library. A folder without a
/// database can.
pub(super) fn is_sound(folder: &Path) -> bool {
    let Ok(keyspaces) = fs::read_dir(folder.join("keyspaces")) else {
        return true;
    };
    keyspaces
        .flatten()
        .all(|keyspace| keyspace_is_sound(&keyspace.path()).unwrap_or(false))
}

fn keyspace_is_sound(folder: &Path) -> io::Result<bool> {
    let current = match fs::read(folder.join("current")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        read => read?,
    };
    let (Some(number), Some(checksum)) = (number(&current, 0), checksum(&current, 8)) else {
        return Ok(false);
    };
    let list = folder.join(format!("v{number}"));
    if fs::metadata(&list)?.len() > LIST_BYTES_MAX || xxh3_128(&fs::read(&list)?) != checksum {
        return Ok(false);
    }
    for table in fs::read_dir(folder.join("tables"))?.flatten() {
        // A crash leaves tables that were not finished and are in no list. The library fails well
        // where one is in its list and not there.
        if !archive_is_sound(&table.path())? {
            fs::remove_file(table.path())?;
        }
    }
    Ok(true)
}

fn archive_is_sound(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let Some(trailer_at) = length.checked_sub(TRAILER_BYTES) else {
        return Ok(false);
    };
    let trailer = read_at(&mut file, trailer_at, TRAILER_BYTES)?;
    let (Some(expected), Some(directory_at)) = (checksum(&trailer, 6), number(&trailer, 22)) else {
        return Ok(false);
    };
    match trailer_at.checked_sub(directory_at) {
        Some(bytes) if bytes <= DIRECTORY_BYTES_MAX => {
            Ok(xxh3_128(&read_at(&mut file, directory_at, bytes)?) == expected)
        }
        _ => Ok(false),
    }
}

fn read_at(file: &mut File, offset: u64, count: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn checksum(bytes: &[u8], at: usize) -> Option<u128> {
    Some(u128::from_le_bytes(
        bytes.get(at..at + 16)?.try_into().ok()?,
    ))
}
