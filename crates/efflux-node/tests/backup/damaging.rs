//! Backups that were altered: what is wrong is named, and no store is touched.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use efflux_node::storage::conformance::SimDisk;
use efflux_node::storage::{Disk, Error, ErrorKind};

use crate::place::{FOLDER, checked, files, fill, half_done, memory, restore_into, take, topic};

async fn backed_up() -> SimDisk {
    let (store, disk) = (memory().await, SimDisk::new(1));
    for name in ["bills", "orders"] {
        let topic = topic(&store, name).await;
        fill(&topic, 6).await;
        half_done(&topic, "billing").await;
    }
    take(&disk, &store).await;
    disk
}

/// The error of a restoration, after which the store has nothing.
async fn refused(disk: &SimDisk, what: &str) -> Error {
    let store = memory().await;
    let error = restore_into(disk, &store).await;
    assert!(error.is_err(), "{what}");
    let error = error.unwrap_err();
    assert_eq!(store.topics().await.unwrap(), [], "{what}");
    error
}

/// A file of orders from the middle of the topic.
fn file(disk: &SimDisk) -> PathBuf {
    files(disk, "orders")[1].0.clone()
}

fn is_named(error: &Error, path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    error.kind() == ErrorKind::Corrupt
        && error
            .damage()
            .is_some_and(|damage| damage.topic.as_str() == "orders" && damage.file == name)
}

#[tokio::test]
async fn every_altered_byte_is_named() {
    let whole = backed_up().await;
    let (path, bytes) = files(&whole, "orders")[1].clone();
    for at in 0..bytes {
        let disk = whole.fork();
        disk.flip(&path, at, 5).unwrap();
        let error = checked(&disk).await.unwrap_err();
        assert!(is_named(&error, &path), "byte {at}: {error}");
        let damage = error.damage().unwrap();
        assert!(
            damage.offset <= at as u64 && damage.sequence.is_some(),
            "byte {at}: {error}"
        );
    }
    whole.flip(&path, 17, 0).unwrap();
    refused(&whole, "altered").await;
}

#[tokio::test]
async fn missing_cut_and_lengthened_files_are_named() {
    let whole = backed_up().await;
    let path = file(&whole);
    let length = files(&whole, "orders")[1].1 as u64;
    let disk = whole.fork();
    disk.remove(&path).unwrap();
    let error = refused(&disk, "missing").await;
    assert!(is_named(&error, &path), "{error}");
    assert!(error.to_string().contains("the file is missing"), "{error}");
    for bytes in [0, 1, length - 1, length + 1] {
        let disk = whole.fork();
        disk.create(&path).unwrap().set_len(bytes).unwrap();
        let error = refused(&disk, "cut").await;
        assert!(is_named(&error, &path), "{error}");
        assert!(
            error.to_string().contains(&format!("found {bytes}")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn files_of_another_topic_and_in_another_place_are_refused() {
    let whole = backed_up().await;
    let [first, second] = [0, 1].map(|at| files(&whole, "orders")[at].0.clone());
    let other = files(&whole, "bills")[0].0.clone();
    for (from, to) in [(&first, &second), (&other, &first)] {
        let disk = whole.fork();
        let file = disk.open(from).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
        let file = disk.create(to).unwrap();
        file.set_len(0).unwrap();
        file.write_at(&bytes, 0).unwrap();
        refused(&disk, "in another place").await;
    }
}

#[tokio::test]
async fn an_altered_manifest_is_refused_and_no_run_goes_on_with_it() {
    let whole = backed_up().await;
    let path = Path::new(FOLDER).join("MANIFEST.json");
    let bytes = whole.open(&path).unwrap().len().unwrap();
    for at in (0..usize::try_from(bytes).unwrap()).step_by(7) {
        let disk = whole.fork();
        disk.flip(&path, at, 0).unwrap();
        let error = refused(&disk, "manifest").await;
        assert!(
            error.to_string().contains("MANIFEST.json"),
            "byte {at}: {error}"
        );
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let store = memory().await;
        assert!(crate::place::try_take(&disk, &store).await.is_err());
    }
}
