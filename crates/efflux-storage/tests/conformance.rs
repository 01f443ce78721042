//! Every backend runs every check of the conformance suite.
#![cfg(feature = "conformance")]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;

use efflux_storage::RealDisk;
use efflux_storage::conformance::{FileFixture, MemoryFixture, SimDisk};

/// A store on the real file system, in a folder that lives as long as the test.
fn on_disk() -> (FileFixture, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("a/store").display());
    (FileFixture::new(url, Arc::new(RealDisk)), folder)
}

/// A store on a simulated disk, whose reads may be short.
fn on_simulated_disk() -> (FileFixture, ()) {
    let disk = SimDisk::new(7);
    disk.set_short_reads(true);
    (FileFixture::new("file:/a/store", Arc::new(disk)), ())
}

efflux_storage::conformance_suite!(memory, (MemoryFixture, ()));
efflux_storage::conformance_suite!(file, on_disk());
efflux_storage::conformance_suite!(file_on_simulated_disk, on_simulated_disk());
