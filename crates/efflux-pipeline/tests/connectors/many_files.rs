//! A folder with very many small files.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use efflux_pipeline::{Connector, FilesDone, IntakeMax, Period};

use super::folder::{Folder, poll};

/// How many files there are, in place of some thousands.
const FILES: &str = "EFFLUX_MANY_FILES";
/// Memory that this process may have: 64 MB, of which the connector has a part for each file that
/// waits.
const MEMORY_MB_MAX: u64 = 64;

/// The largest memory that this process had, in MB; none where the platform does not tell.
fn memory_peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024)
}

/// Takes as many files, of which a part comes while others are taken, and puts them away.
async fn take(files: usize, watch: bool, done: FilesDone) -> Duration {
    let mut folder = Folder::new();
    folder.settings.settle = Period(Duration::ZERO);
    // Each scan reads all marks.
    let scans = if matches!(done, FilesDone::Mark) {
        30_000
    } else {
        500
    };
    folder.settings.rescan = Period(Duration::from_millis(scans));
    folder.settings.watch = watch;
    folder.settings.done = done;
    std::fs::create_dir_all(folder.path(".")).unwrap();
    let write = |number: usize| {
        let name = folder.path(format!("{number}.json"));
        std::fs::write(name, format!("{{\"number\":{number}}}")).unwrap();
    };
    let early = files * 9 / 10;
    (0..early).for_each(write);
    let connector = folder.connector();
    let begun = Instant::now();
    let (mut payloads, mut ids) = (HashSet::new(), HashSet::new());
    let mut late = early..files;
    while payloads.len() < files {
        let intake = poll(&connector).await.unwrap();
        for parcel in &intake.parcels {
            let message = &parcel.message;
            assert!(payloads.insert(message.payload().clone()), "it comes twice");
            assert!(ids.insert(message.id().cloned().unwrap()));
        }
        late.by_ref().take(200).for_each(write);
        connector.ack(intake.receipt).await.unwrap();
    }
    let took = begun.elapsed();
    let more = connector.poll(IntakeMax {
        messages: 1,
        bytes: 1,
    });
    let more = tokio::time::timeout(Duration::from_secs(2), more).await;
    assert!(more.is_err(), "there is no more: {more:?}");
    took
}

/// Takes so many files, unless the environment says how many.
async fn check(files: usize, watch: bool, done: FilesDone) {
    let told = std::env::var(FILES).ok();
    let files = told.map_or(files, |text| text.parse().unwrap());
    let how = format!("{done:?}");
    let took = take(files, watch, done).await;
    let each = took / u32::try_from(files).unwrap();
    let peak = memory_peak_mb();
    println!("{files} files, {how}: {took:?}, {each:?} a file, {peak:?} MB at most");
    assert!(peak.is_none_or(|peak| peak <= MEMORY_MB_MAX), "{peak:?} MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_files_are_taken_once_each_and_moved() {
    check(5000, true, FilesDone::Move(".done".into())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_files_are_taken_once_each_and_deleted() {
    check(2000, false, FilesDone::Delete).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_files_are_taken_once_each_and_marked() {
    check(1000, true, FilesDone::Mark).await;
}
