//! Archives: zip, and whole payloads in gzip or zstd.

use std::io::{Cursor, Read};

use bytes::Bytes;
use efflux_storage::particle::ContentEncoding;
use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;
use zip::ZipArchive;

use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::quantity::ByteSize;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::transform::Transform;
use crate::transform::limits::{
    ENTRIES_DEFAULT_MAX, UNPACKED_BYTES_ALWAYS, UNPACKED_BYTES_DEFAULT_MAX,
    UNPACKED_RATIO_DEFAULT_MAX,
};
use crate::transform::part::part;

/// The property of what was unpacked that has its name in the archive.
pub const ENTRY: &str = "efflux.entry";

/// Which entries of an archive become messages, and what an archive may be.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct UnzipSettings {
    /// The entries to take, as a pattern of their whole names: `*.csv` for those at the top,
    /// `**/*.csv` for those in folders too. Without it all are taken.
    #[serde(rename = "match")]
    pub pattern: Option<String>,
    /// Entries that an archive may have, those that are not taken included.
    #[cfg_attr(feature = "file", schemars(range(min = 1)))]
    pub entries_max: usize,
    /// Bytes that an archive may become, all taken entries together.
    pub bytes_max: ByteSize,
    /// How many times its packed size an entry may become, once it is larger than 1 MiB.
    pub ratio_max: u64,
}

impl Default for UnzipSettings {
    fn default() -> Self {
        Self {
            pattern: None,
            entries_max: ENTRIES_DEFAULT_MAX,
            bytes_max: ByteSize(UNPACKED_BYTES_DEFAULT_MAX as u64),
            ratio_max: UNPACKED_RATIO_DEFAULT_MAX,
        }
    }
}

/// Unpacks an archive; its first bytes tell which kind it is.
///
/// Of a zip, each file that matches becomes a message, in the archive's order, with its name in the
/// property `efflux.entry`. What is packed with gzip or zstd becomes one message.
///
/// An archive is refused as a whole when it has a name that leads out of a folder (`../`, an absolute
/// one, a backslash), a name twice, a symbolic link, an encrypted entry, entries that overlap, or
/// more than the settings allow.
#[derive(Clone, Debug)]
pub struct Unzip {
    settings: UnzipSettings,
    pattern: Option<GlobMatcher>,
}

impl UnzipSettings {
    /// All that is wrong.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let of_pattern = self
            .pattern
            .as_deref()
            .and_then(|pattern| glob(pattern).err());
        let of_pattern = of_pattern.map(|error| SettingFault::from(error).within("match"));
        let mut faults: Vec<_> = of_pattern.into_iter().collect();
        let what = "an archive of 0 entries: at least 1 is needed";
        let has_some = self.entries_max > 0;
        faults.extend(SettingFault::unless(has_some, "entries_max", what));
        let what = "contents of 0 bytes: at least 1 is needed";
        let has_some = self.bytes_max.0 > 0;
        faults.extend(SettingFault::unless(has_some, "bytes_max", what));
        faults
    }
}

/// A pattern of names in an archive.
fn glob(pattern: &str) -> Result<GlobMatcher, StageError> {
    let glob = GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build();
    let matcher = glob.map(|glob| glob.compile_matcher());
    matcher.map_err(|error| StageError::fatal(format!("{pattern:?} is no pattern: {error}")))
}

impl Unzip {
    /// A step with these settings.
    ///
    /// # Errors
    /// `Fatal` when the pattern is none.
    pub fn new(settings: UnzipSettings) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        let pattern = settings.pattern.as_deref().map(glob).transpose()?;
        Ok(Self { settings, pattern })
    }

    fn bytes_left(&self, out: &Emit<'_>, unpacked: usize) -> usize {
        let left = self.settings.bytes_max.bytes().saturating_sub(unpacked);
        left.min(out.bytes_left())
    }

    /// How many bytes something of this packed size may become.
    fn ratio_bound(&self, packed: u64) -> u64 {
        packed
            .saturating_mul(self.settings.ratio_max)
            .max(UNPACKED_BYTES_ALWAYS)
    }

    fn whole(
        &self,
        encoding: ContentEncoding,
        input: &Parcel,
        content: &Bytes,
        out: &mut Emit<'_>,
    ) -> Result<(), StageError> {
        let by_ratio =
            usize::try_from(self.ratio_bound(content.len() as u64)).unwrap_or(usize::MAX);
        let unpacked = encoding
            .decode(content, self.bytes_left(out, 0).min(by_ratio))
            .map_err(StageError::rejected)?;
        let message = input.message.clone().without_content_encoding();
        out.push(message.without_content_type().with_payload(unpacked))
    }

    fn entries(
        &self,
        input: &Parcel,
        content: &Bytes,
        out: &mut Emit<'_>,
    ) -> Result<(), StageError> {
        let mut archive = ZipArchive::new(Cursor::new(content.as_ref())).map_err(malformed)?;
        if archive.len() > self.settings.entries_max {
            return Err(StageError::rejected(format!(
                "the archive has {} entries, more than {}",
                archive.len(),
                self.settings.entries_max
            )));
        }
        if archive.has_duplicate_names() {
            return Err(StageError::rejected("the archive has a name twice"));
        }
        if archive.has_overlapping_entries().map_err(malformed)? {
            return Err(StageError::rejected("the archive has entries that overlap"));
        }
        let taken = self.taken(&mut archive)?;
        let mut unpacked = 0_usize;
        for (place, name) in taken {
            let bytes = self.entry(&mut archive, place, &name, self.bytes_left(out, unpacked))?;
            unpacked = unpacked.saturating_add(bytes.len());
            let message = match media_type(&name) {
                Some(media_type) => part(&input.message, bytes, media_type),
                None => input
                    .message
                    .clone()
                    .without_content_encoding()
                    .without_content_type()
                    .with_payload(bytes),
            };
            out.push(message.with_property(ENTRY, name))?;
        }
        Ok(())
    }

    /// The entries to take, after all have been looked at.
    fn taken(
        &self,
        archive: &mut ZipArchive<Cursor<&[u8]>>,
    ) -> Result<Vec<(usize, String)>, StageError> {
        let mut taken = Vec::new();
        for place in 0..archive.len() {
            let entry = archive.by_index_raw(place).map_err(malformed)?;
            let name = entry.name().map_err(malformed)?.into_owned();
            let refuse = |what: &str| {
                Err(StageError::rejected(format!(
                    "the archive's entry {name:?} {what}"
                )))
            };
            if !is_safe(&name) {
                return refuse("has a name that leads out of a folder");
            }
            if entry.is_symlink() {
                return refuse("is a symbolic link");
            }
            if entry.encrypted() {
                return refuse("is encrypted");
            }
            let matches = self
                .pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(&name));
            if entry.is_file() && matches {
                taken.push((place, name));
            }
        }
        Ok(taken)
    }

    fn entry(
        &self,
        archive: &mut ZipArchive<Cursor<&[u8]>>,
        place: usize,
        name: &str,
        bytes_left: usize,
    ) -> Result<Vec<u8>, StageError> {
        let entry = archive.by_index(place).map_err(malformed)?;
        let by_ratio = self.ratio_bound(entry.compressed_size());
        let bound = by_ratio.min(bytes_left as u64);
        let mut bytes = Vec::new();
        // What the archive says of sizes is not believed.
        entry
            .take(bound.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| {
                StageError::rejected(format!("the archive's entry {name:?}: {error}"))
            })?;
        if bytes.len() as u64 <= bound {
            return Ok(bytes);
        }
        let what = if bound == by_ratio {
            format!(
                "becomes more than {} times its packed size",
                self.settings.ratio_max
            )
        } else {
            format!("becomes more than the {bound} bytes that are left")
        };
        Err(StageError::rejected(format!(
            "the archive's entry {name:?} {what}"
        )))
    }
}

impl Transform for Unzip {
    fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let content = input.content()?;
        match content.as_ref() {
            [b'P', b'K', ..] => self.entries(&input, &content, out),
            [0x1F, 0x8B, ..] => self.whole(ContentEncoding::Gzip, &input, &content, out),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => {
                self.whole(ContentEncoding::Zstd, &input, &content, out)
            }
            _ => Err(StageError::rejected(
                "the payload is no archive: neither zip nor gzip nor zstd",
            )),
        }
    }
}

/// Whether a name stays within its folder, on every system.
fn is_safe(name: &str) -> bool {
    let is_drive = name.as_bytes().get(1) == Some(&b':');
    !name.is_empty()
        && !name.starts_with('/')
        && !is_drive
        && !name.contains(['\\', '\0'])
        && !name.chars().any(char::is_control)
        && name
            .split('/')
            .all(|folder| folder != ".." && folder != ".")
}

fn media_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "csv" => Some("text/csv"),
        "json" => Some("application/json"),
        "xml" => Some("application/xml"),
        "html" | "htm" => Some("text/html"),
        "txt" => Some("text/plain"),
        _ => None,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands in place of the error"
)]
fn malformed(error: zip::result::ZipError) -> StageError {
    StageError::rejected(format!("the archive cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
