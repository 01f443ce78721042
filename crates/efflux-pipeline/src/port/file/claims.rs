//! Which files belong to other pipelines.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::place::OWN;
use super::record::Record;
use crate::stage_error::StageError;

/// The files that other pipelines append to, as their records say at this moment.
///
/// A file belongs to the pipeline in whose record it is: that one cuts it to the length that it knows.
/// The record may lie in any folder on the way to the file, for folders of pipelines may lie within
/// each other. Each folder is looked through once.
#[derive(Debug)]
pub(super) struct Others<'a> {
    /// As it is, without links.
    folder: &'a Path,
    /// The record of the pipeline that asks.
    own: &'a Path,
    records: BTreeMap<PathBuf, Vec<(PathBuf, Record)>>,
}

impl<'a> Others<'a> {
    pub(super) const fn new(folder: &'a Path, own: &'a Path) -> Self {
        Self {
            folder,
            own,
            records: BTreeMap::new(),
        }
    }

    /// Says that no other pipeline appends to a file.
    ///
    /// # Errors
    /// `Rejected` when one does.
    pub(super) fn leave(&mut self, name: &str) -> Result<(), StageError> {
        let path = self.folder.join(name);
        for folder in path.ancestors().skip(1) {
            let records = match self.records.entry(folder.to_owned()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    let found = records_in(folder, self.own);
                    // What lies above the folder may not be for this process to see.
                    let is_above = self.folder != folder && self.folder.starts_with(folder);
                    let found = match found {
                        Err(_) if is_above => Vec::new(),
                        found => found.map_err(|error| {
                            let folder = folder.display();
                            StageError::unavailable(format!("{folder}: {error}"))
                        })?,
                    };
                    unknown.insert(found)
                }
            };
            let from_there = path.strip_prefix(folder).ok().and_then(Path::to_str);
            let Some(from_there) = from_there else {
                continue;
            };
            let owner = records
                .iter()
                .find(|(_, record)| record.files.contains_key(from_there));
            if let Some((record_path, _)) = owner {
                return Err(StageError::rejected(format!(
                    "{} belongs to another pipeline, whose record is {}: two cannot append to one \
                     file. Give this pipeline another path; if the other one is gone, remove its \
                     record",
                    path.display(),
                    record_path.display()
                )));
            }
        }
        Ok(())
    }
}

/// The records that lie in a folder, but for one's own.
fn records_in(folder: &Path, own: &Path) -> io::Result<Vec<(PathBuf, Record)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut records = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let path = folder.join(name.as_ref());
        if !name.starts_with(OWN) || !name.ends_with(".json") || path == own {
            continue;
        }
        // What is no record is none of a port to files.
        match Record::load(&path) {
            Ok(record) => records.push((path, record)),
            Err(error) if error.kind() == ErrorKind::InvalidData => (),
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}
