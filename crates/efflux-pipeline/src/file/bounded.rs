//! Files that a file of settings names, read as far as they may go.

use std::fs::File;
use std::io::Read;

/// The bytes of a file, which may be a device without an end.
///
/// # Errors
/// Why it cannot be read, or that it is too large; it names the file.
pub(crate) fn read_bounded(path: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let file = File::open(path);
    let read = file.and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes));
    read.map_err(|error| format!("the file {path} cannot be read: {error}"))?;
    match bytes.len() > bytes_max {
        true => Err(format!("the file {path} has more than {bytes_max} bytes")),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"12345").unwrap();
        let path = file.path().display().to_string();
        assert_eq!(read_bounded(&path, 5).as_deref(), Ok(&b"12345"[..]));
        assert!(
            read_bounded(&path, 4)
                .unwrap_err()
                .contains("more than 4 bytes")
        );
        assert!(
            read_bounded("/none/of/these", 4)
                .unwrap_err()
                .contains("cannot be read")
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_device_without_an_end_is_refused() {
        assert!(
            read_bounded("/dev/zero", 1000)
                .unwrap_err()
                .contains("more than")
        );
    }
}
