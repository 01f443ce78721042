//! The machine that measures, and what this process takes of it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;

use crate::Result;

/// What the system counts the size of a file on disk in.
const BLOCK_BYTES: u64 = 512;

/// What figures are to be read with.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    /// How many programs wanted to run in the minute before, where the system tells.
    pub(crate) load: Option<f64>,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let load = fs::read_to_string("/proc/loadavg").ok();
        Self {
            cores: thread::available_parallelism().map_or(1, Into::into),
            load: load.and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }

    /// A line above the table.
    pub(crate) fn line(&self) -> String {
        let load = match self.load {
            Some(load) => format!("load average {load} before the run"),
            None => "load average unknown".to_owned(),
        };
        let cores = self.cores;
        format!("{cores} cores, {load}: what else runs moves the rates, less so the ratios")
    }
}

/// The most memory that this process ever had in RAM, in bytes.
pub(crate) fn memory_peak_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|peak| peak.trim().strip_suffix("kB"));
    let kibibytes = kibibytes.ok_or("the system does not tell the peak of memory")?;
    Ok(kibibytes.trim().parse::<u64>()? * 1024)
}

/// The bytes on disk of the files in a folder and the folders in it, whose path `counts`.
pub(crate) fn folder_bytes(folder: &Path, counts: &dyn Fn(&Path) -> bool) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            bytes += folder_bytes(&path, counts)?;
        } else if counts(&path) {
            bytes += fs::metadata(&path)?.blocks() * BLOCK_BYTES;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn bytes_of_a_folder_are_those_of_the_files_that_count() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        for (name, bytes) in [
            ("a.seg", 100_000),
            ("inner/b.seg", 50_000),
            ("inner/c.off", 9000),
        ] {
            let mut file = fs::File::create(folder.path().join(name)).unwrap();
            file.write_all(&vec![1; bytes]).unwrap();
            file.sync_all().unwrap();
        }
        let is_segment = |path: &Path| path.extension().is_some_and(|it| it == "seg");
        let segments = folder_bytes(folder.path(), &is_segment).unwrap();
        let all = folder_bytes(folder.path(), &|_| true).unwrap();
        assert!((150_000..250_000).contains(&segments), "{segments}");
        assert!(all >= segments + 9000, "{all}");
    }

    #[test]
    fn this_process_has_some_memory() {
        assert!(memory_peak_bytes().unwrap() > 100_000);
    }
}
