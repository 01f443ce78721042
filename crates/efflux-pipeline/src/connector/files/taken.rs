//! A file that is under way.

use std::path::{MAIN_SEPARATOR, PathBuf};

use efflux_storage::particle::limits::PROPERTY_VALUE_BYTES_MAX;
use efflux_storage::particle::{Fingerprint, Message};

use super::identity::Identity;
use super::records::Record;
use super::settings::{FilesForm, FilesSettings};
use crate::derived_id::derived_id;

/// Names a file that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TakenId(pub(super) u64);

/// A file that is under way: taken, and not all of it answered.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    /// How many intakes with parts of it are not answered.
    pub(super) outstanding: usize,
    /// How its reading ended; none while it is read.
    pub(super) ending: Option<Ending>,
    /// Whether a part of it was refused.
    pub(super) is_refused: bool,
}

/// How the reading of a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All of it was read.
    Whole,
    /// It changed while it was read: it is seen anew.
    Changed,
    /// A part of it was not delivered: it is read once more.
    GivenBack,
    /// It could not be read, for the how manieth time: it is read again after a while.
    Failed(u32),
}

impl Taken {
    pub(super) const fn new(path: PathBuf, identity: Identity) -> Self {
        Self {
            path,
            identity,
            outstanding: 0,
            ending: None,
            is_refused: false,
        }
    }

    /// The message that a record becomes, and why it is refused, if it is.
    pub(super) fn message(
        &self,
        settings: &FilesSettings,
        record: Record,
    ) -> (Message, Option<String>) {
        let Record {
            number,
            payload,
            refused,
        } = record;
        // The record itself is in its id: another one in its place is another message, even where a
        // file system does not tell the two versions of the file apart.
        let id = derived_id(&[
            b"files",
            settings.folder.as_os_str().as_encoded_bytes(),
            self.path.as_os_str().as_encoded_bytes(),
            &self.identity.bytes.to_le_bytes(),
            &self.identity.modified.nanos().to_le_bytes(),
            &number.to_le_bytes(),
            Fingerprint::of(&payload).as_bytes(),
        ]);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let path = self.path.to_string_lossy();
        let mut message = Message::new(payload)
            .with_id(id)
            .with_timestamp(self.identity.modified)
            .with_property("file.name", fitting(&name))
            .with_property("file.path", fitting(&path))
            .with_property("file.modified", self.identity.modified.to_string());
        if number > 0 {
            message = message.with_property("file.record", number.to_string());
        }
        if let Some(content_type) = self.content_type(&settings.form) {
            message = message.with_content_type(content_type);
        }
        (message, refused)
    }

    fn content_type(&self, form: &FilesForm) -> Option<&'static str> {
        match form {
            FilesForm::Whole => {
                let extension = self.path.extension()?.to_str()?.to_ascii_lowercase();
                let known = CONTENT_TYPES.iter().find(|(known, _)| *known == extension);
                known.map(|(_, content_type)| *content_type)
            }
            FilesForm::Lines => None,
            FilesForm::Json | FilesForm::Csv { .. } => Some("application/json"),
        }
    }
}

const CONTENT_TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("jsonl", "application/jsonl"),
    ("log", "text/plain"),
    ("md", "text/markdown"),
    ("ndjson", "application/x-ndjson"),
    ("parquet", "application/vnd.apache.parquet"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("tar", "application/x-tar"),
    ("tsv", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

/// As much of a text as a property holds.
fn fitting(text: &str) -> &str {
    debug_assert_eq!(MAIN_SEPARATOR, '/', "paths are told as they are");
    text.get(..text.floor_char_boundary(PROPERTY_VALUE_BYTES_MAX))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(path: &str, bytes: u64, modified: i64, number: u64, payload: &str) -> Message {
        let taken = Taken::new(path.into(), Identity::new(bytes, modified, 0));
        let record = Record {
            number,
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            refused: None,
        };
        taken.message(&FilesSettings::new("in"), record).0
    }

    #[test]
    fn the_id_follows_from_the_path_the_version_the_record_and_its_place() {
        let first = message("a.json", 1, 1, 1, "{}");
        assert_eq!(first.id(), message("a.json", 1, 1, 1, "{}").id());
        for other in [
            message("b.json", 1, 1, 1, "{}"),
            message("a.json", 2, 1, 1, "{}"),
            message("a.json", 1, 2, 1, "{}"),
            message("a.json", 1, 1, 2, "{}"),
            message("a.json", 1, 1, 1, "[]"),
        ] {
            assert_ne!(first.id(), other.id());
        }
    }

    #[test]
    fn a_message_tells_its_file() {
        let found = message("sub/a.JSON", 1, 1, 0, "{}");
        assert_eq!(found.property("file.name"), Some("a.JSON"));
        assert_eq!(found.property("file.path"), Some("sub/a.JSON"));
        assert_eq!(
            found.property("file.modified"),
            Some("1970-01-01T00:00:01Z")
        );
        assert_eq!(found.property("file.record"), None);
        assert_eq!(found.content_type(), Some("application/json"));
    }
}
