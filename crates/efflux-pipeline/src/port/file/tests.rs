//! Tests of the port to files, each in a folder of its own.

use super::*;
use std::fs;
use std::process::Command;

use efflux_storage::ManualClock;
use efflux_storage::particle::Message;
use tempfile::TempDir;

struct Folder {
    folder: TempDir,
    clock: Arc<ManualClock>,
}

impl Folder {
    fn new() -> Self {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::at(now)),
        }
    }

    fn settings(&self, path: &str) -> FilePortSettings {
        FilePortSettings {
            folder: self.folder.path().to_owned(),
            path: path.parse().unwrap(),
            layout: FileLayout::Append,
            separator: FileSeparator::Lines,
            rotate_bytes: None,
            rotate_after: None,
        }
    }

    fn each(&self, path: &str) -> FilePortSettings {
        FilePortSettings {
            layout: FileLayout::Each,
            ..self.settings(path)
        }
    }

    async fn opened(&self, settings: FilePortSettings) -> FilePort {
        self.opened_for("archive", settings).await.unwrap()
    }

    async fn opened_for(
        &self,
        pipeline: &str,
        settings: FilePortSettings,
    ) -> Result<FilePort, StageError> {
        let port = FilePort::new(settings, Arc::clone(&self.clock) as Arc<dyn Clock>)?;
        let reader = Reader {
            pipeline: pipeline.parse().unwrap(),
            ..reader()
        };
        port.open(&reader).await.map(|_| port)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn add(&self, name: &str, text: &str) {
        let before = fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        fs::write(self.folder.path().join(name), before + text).unwrap();
    }

    /// The names in the folder that are not the port's own.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names
            .filter(|name| !name.ends_with(".json") && !name.ends_with(".lock"))
            .collect();
        names.sort();
        names
    }
}

fn reader() -> Reader {
    Reader {
        pipeline: "archive".parse().unwrap(),
        source: "root".to_owned(),
    }
}

fn message(payload: &str, region: &str) -> Message {
    Message::new(payload.to_owned())
        .with_id(payload.trim().parse().unwrap())
        .with_property("region", region)
}

async fn deliver(
    port: &FilePort,
    messages: Vec<Message>,
    position: Option<(Option<u64>, u64)>,
) -> Result<(), Failed> {
    let parcels: Vec<_> = messages.into_iter().map(Parcel::of_message).collect();
    port.deliver(Batch {
        parcels: &parcels,
        position: position.map(|(from, to)| Advance { from, to }),
    })
    .await
}

fn kind(failed: &Failed) -> (&'static str, Vec<usize>) {
    match failed {
        Failed::Whole(error) => (error.kind(), Vec::new()),
        Failed::Parts(parts) | Failed::Refused(parts) => {
            let kind = parts[0].1.kind();
            (kind, parts.iter().map(|(at, _)| *at).collect())
        }
    }
}

#[tokio::test]
async fn messages_are_added_to_the_files_that_they_name() {
    let folder = Folder::new();
    let port = folder
        .opened(folder.settings("{properties.region}/all.log"))
        .await;
    let messages = vec![message("a", "eu"), message("b", "us"), message("c\n", "eu")];
    deliver(&port, messages, Some((None, 2))).await.unwrap();
    deliver(&port, vec![message("d", "us")], Some((Some(2), 3)))
        .await
        .unwrap();
    assert_eq!(folder.text("eu/all.log"), "a\nc\n");
    assert_eq!(folder.text("us/all.log"), "b\nd\n");
    drop(port);
    let port = folder.opened(folder.settings("x")).await;
    assert_eq!(port.open(&reader()).await.unwrap(), Kept::Position(Some(3)));
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_when_the_folder_is_opened() {
    let folder = Folder::new();
    let port = folder.opened(folder.settings("all.log")).await;
    deliver(&port, vec![message("a", "")], Some((None, 0)))
        .await
        .unwrap();
    drop(port);
    folder.add("all.log", "b\ntor");
    let port = folder.opened(folder.settings("all.log")).await;
    assert_eq!(folder.text("all.log"), "a\n");
    deliver(&port, vec![message("b", "")], Some((Some(0), 1)))
        .await
        .unwrap();
    assert_eq!(folder.text("all.log"), "a\nb\n");
}

#[tokio::test]
async fn what_stood_in_a_file_before_stays_there() {
    let folder = Folder::new();
    folder.add("all.log", "old\n");
    let port = folder.opened(folder.settings("all.log")).await;
    deliver(&port, vec![message("a", "")], Some((None, 0)))
        .await
        .unwrap();
    drop(port);
    let port = folder.opened(folder.settings("all.log")).await;
    deliver(&port, vec![message("b", "")], Some((Some(0), 1)))
        .await
        .unwrap();
    assert_eq!(folder.text("all.log"), "old\na\nb\n");
}

#[tokio::test]
async fn a_file_that_somebody_shortened_is_not_written_to() {
    let folder = Folder::new();
    let port = folder.opened(folder.settings("all.log")).await;
    deliver(&port, vec![message("abc", "")], Some((None, 0)))
        .await
        .unwrap();
    drop(port);
    fs::write(folder.folder.path().join("all.log"), "a").unwrap();
    let settings = folder.settings("all.log");
    let port = FilePort::new(settings, Arc::clone(&folder.clock) as Arc<dyn Clock>).unwrap();
    let error = port.open(&reader()).await.unwrap_err();
    assert_eq!(error.kind(), "fatal");
    assert!(error.reason().contains("somebody changed it"), "{error}");
}

#[tokio::test]
async fn each_topic_that_is_read_has_its_own_position_beside_the_files() {
    let folder = Folder::new();
    let letters = Reader {
        source: "letters".to_owned(),
        ..reader()
    };
    let port = FilePort::new(folder.settings("orders"), folder.clock.clone()).unwrap();
    for (reader, before, after) in [
        (reader(), None, 7),
        (letters.clone(), None, 2),
        (reader(), Some(7), 9),
        (letters, Some(2), 3),
    ] {
        let kept = port.open(&reader).await.unwrap();
        assert_eq!(kept, Kept::Position(before), "{reader:?}");
        let message = message(&format!("{after}\n"), "eu");
        let position = Some((before, after));
        deliver(&port, vec![message], position).await.unwrap();
        port.close().await.unwrap();
    }
    assert_eq!(folder.text("orders"), "7\n2\n9\n3\n");
}

#[tokio::test]
async fn two_kills_while_a_file_is_set_aside_do_not_keep_the_port_from_opening() {
    let folder = Folder::new();
    let port = folder.opened(folder.settings("orders")).await;
    let message = message("a\n", "eu");
    deliver(&port, vec![message], Some((None, 1)))
        .await
        .unwrap();
    port.close().await.unwrap();
    let path = |name: &str| folder.folder.path().join(name);
    // The first kill: behind the new name, before the record.
    fs::rename(path("orders"), path("orders.1")).unwrap();
    let port = folder.opened(folder.settings("orders")).await;
    port.close().await.unwrap();
    // The second: behind the next file's beginning, before the record.
    fs::write(path("orders"), "").unwrap();
    folder.opened(folder.settings("orders")).await;
    assert_eq!(folder.text("orders.1"), "a\n");
}

#[tokio::test]
async fn a_delivery_that_was_given_up_after_it_was_done_is_not_done_twice() {
    let folder = Folder::new();
    let port = folder.opened(folder.settings("all.log")).await;
    for _ in 0..2 {
        deliver(&port, vec![message("a", "")], Some((None, 0)))
            .await
            .unwrap();
    }
    assert_eq!(folder.text("all.log"), "a\n");
    let failed = deliver(&port, vec![message("b", "")], Some((Some(7), 8))).await;
    assert_eq!(kind(&failed.unwrap_err()).0, "fatal");
}

#[tokio::test]
async fn two_processes_do_not_write_for_one_pipeline() {
    let folder = Folder::new();
    let one = folder.opened(folder.settings("all.log")).await;
    let clock = Arc::clone(&folder.clock) as Arc<dyn Clock>;
    let two = FilePort::new(folder.settings("all.log"), clock).unwrap();
    let error = two.open(&reader()).await.unwrap_err();
    assert_eq!(error.kind(), "unavailable");
    assert!(error.reason().contains("another process"), "{error}");
    one.close().await.unwrap();
    two.open(&reader()).await.unwrap();
}

#[tokio::test]
async fn paths_that_lead_elsewhere_are_refused_and_nothing_is_written() {
    for layout in [FileLayout::Append, FileLayout::Each] {
        let folder = Folder::new();
        let mut settings = folder.settings("{properties.region}/{id}");
        settings.layout = layout;
        let port = folder.opened(settings).await;
        let hostile = [
            "..",
            "../..",
            "/etc",
            ".efflux-archive.json",
            "a\u{0}b",
            "a//b",
        ];
        for region in hostile {
            let failed = deliver(&port, vec![message("x", region)], None)
                .await
                .unwrap_err();
            assert_eq!(kind(&failed), ("rejected", vec![0]), "{region:?}");
        }
        assert!(folder.names().is_empty());
    }
}

#[tokio::test]
async fn messages_that_would_break_their_line_are_refused_unless_lengths_part_them() {
    let folder = Folder::new();
    let mut settings = folder.settings("all.log");
    let port = folder.opened(settings.clone()).await;
    let bad = Message::new("a\nb");
    let failed = deliver(&port, vec![message("x", ""), bad.clone()], None).await;
    assert_eq!(kind(&failed.unwrap_err()), ("rejected", vec![1]));
    port.close().await.unwrap();
    settings.separator = FileSeparator::Length;
    let port = folder.opened(settings).await;
    deliver(&port, vec![bad], None).await.unwrap();
    assert_eq!(folder.text("all.log"), "\u{3}\0\0\0a\nb");
}

#[tokio::test]
async fn files_are_set_aside_when_they_are_large_or_old() {
    let folder = Folder::new();
    let mut settings = folder.settings("all.log");
    settings.rotate_bytes = Some(ByteSize(4));
    settings.rotate_after = Some(Period(std::time::Duration::from_secs(60)));
    let port = folder.opened(settings.clone()).await;
    deliver(&port, vec![message("abc", "")], Some((None, 0)))
        .await
        .unwrap();
    deliver(&port, vec![message("d", "")], Some((Some(0), 1)))
        .await
        .unwrap();
    folder.clock.advance(std::time::Duration::from_secs(61));
    deliver(&port, vec![message("e", "")], Some((Some(1), 2)))
        .await
        .unwrap();
    assert_eq!(folder.names(), ["all.log", "all.log.1", "all.log.2"]);
    assert_eq!(folder.text("all.log.1"), "abc\n");
    assert_eq!(folder.text("all.log.2"), "d\n");
    // A crash after the file was set aside and before that was recorded.
    drop(port);
    let path = folder.folder.path().join("all.log");
    fs::rename(&path, folder.folder.path().join("all.log.3")).unwrap();
    let port = folder.opened(settings).await;
    deliver(&port, vec![message("f", "")], Some((Some(2), 3)))
        .await
        .unwrap();
    assert_eq!(folder.text("all.log"), "f\n");
}

#[tokio::test]
async fn more_files_than_are_remembered_are_written_all_the_same() {
    let folder = Folder::new();
    let port = folder.opened(folder.settings("{id}.log")).await;
    let messages = |from: usize| (from..from + 150).map(|id| message(&format!("m{id}"), ""));
    deliver(&port, messages(0).collect(), Some((None, 0)))
        .await
        .unwrap();
    deliver(&port, messages(100).collect(), Some((Some(0), 1)))
        .await
        .unwrap();
    assert_eq!(folder.names().len(), 250);
    assert_eq!(folder.text("m120.log"), "m120\nm120\n");
}

#[tokio::test]
async fn a_file_of_its_own_is_there_once_however_often_its_message_comes() {
    let folder = Folder::new();
    let port = folder
        .opened(folder.each("{properties.region}/{id}.txt"))
        .await;
    for _ in 0..2 {
        let messages = vec![message("a", "eu"), message("b", "us")];
        deliver(&port, messages, None).await.unwrap();
    }
    assert_eq!(folder.text("eu/a.txt"), "a");
    let other = Message::new("other").with_id("a".parse().unwrap());
    let messages = vec![other.with_property("region", "eu"), message("c", "eu")];
    let failed = deliver(&port, messages, None).await.unwrap_err();
    assert_eq!(kind(&failed), ("rejected", vec![0]));
    assert_eq!(folder.text("eu/a.txt"), "a");
    assert_eq!(folder.text("eu/c.txt"), "c");
    let failed = deliver(&port, vec![message("x", "eu/a.txt")], None)
        .await
        .unwrap_err();
    assert_eq!(kind(&failed), ("rejected", vec![0]), "a file is no folder");
}

/// Says to the test, run again under a bound of what a file may hold, where to write.
const BOUND: &str = "EFFLUX_TEST_FULL_FOLDER";

#[tokio::test]
async fn a_disk_that_is_full_is_unavailable_and_nothing_torn_is_left() {
    let large = || message(&"x".repeat(200), "").with_payload("x".repeat(100_000));
    if let Ok(path) = std::env::var(BOUND) {
        let mut folder = Folder::new();
        folder.folder = TempDir::new_in(path).unwrap();
        let port = folder.opened(folder.settings("all.log")).await;
        deliver(&port, vec![message("a", "")], Some((None, 0)))
            .await
            .unwrap();
        let failed = deliver(&port, vec![large()], Some((Some(0), 1)))
            .await
            .unwrap_err();
        assert_eq!(kind(&failed).0, "unavailable", "{failed:?}");
        assert_eq!(folder.text("all.log"), "a\n");
        deliver(&port, vec![message("b", "")], Some((Some(0), 1)))
            .await
            .unwrap();
        assert_eq!(folder.text("all.log"), "a\nb\n");
        port.close().await.unwrap();

        let port = folder.opened(folder.each("{id}")).await;
        let failed = deliver(&port, vec![large()], None).await.unwrap_err();
        assert_eq!(kind(&failed).0, "unavailable", "{failed:?}");
        assert_eq!(folder.names(), ["all.log"]);
        println!("the bound was met");
        return;
    }
    let folder = Folder::new();
    // The limit is of 512 bytes or of 1,024 each; the signal that tells of it would end the process.
    let run = "trap '' XFSZ; ulimit -f 40; exec \"$0\" --exact --nocapture \
               port::file::tests::a_disk_that_is_full_is_unavailable_and_nothing_torn_is_left";
    let output = Command::new("sh")
        .args(["-c", run])
        .arg(std::env::current_exe().unwrap())
        .env(BOUND, folder.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("the bound was met"),
        "{told}{error}"
    );
}

#[test]
fn settings_that_contradict_each_other_are_told() {
    let folder = Folder::new();
    let clock = || Arc::clone(&folder.clock) as Arc<dyn Clock>;
    let fixed = FilePort::new(folder.each("same"), clock()).unwrap_err();
    assert!(fixed.reason().contains("{id}"), "{fixed}");
    let mut rotated = folder.each("{id}");
    rotated.rotate_bytes = Some(ByteSize(1));
    assert_eq!(FilePort::new(rotated, clock()).unwrap_err().kind(), "fatal");
}

#[tokio::test]
async fn a_file_belongs_to_one_pipeline_and_another_one_is_told_before_anything_changes() {
    let folder = Folder::new();
    let port = folder.opened(folder.settings("all.log")).await;
    deliver(&port, vec![message("a", "")], Some((None, 0)))
        .await
        .unwrap();
    port.close().await.unwrap();
    fs::create_dir(folder.folder.path().join("sub")).unwrap();
    let inner = |path: &str| FilePortSettings {
        folder: folder.folder.path().join("sub/../sub"),
        ..folder.settings(path)
    };
    let port = folder.opened_for("inner", inner("b.log")).await.unwrap();
    deliver(&port, vec![message("a", "")], Some((None, 0)))
        .await
        .unwrap();
    for settings in [folder.settings("all.log"), folder.settings("sub/b.log")] {
        let error = folder.opened_for("second", settings).await.unwrap_err();
        assert_eq!(error.kind(), "fatal");
        assert!(error.reason().contains("another pipeline"), "{error}");
    }
    let error = folder.opened_for("outer", inner("../all.log")).await;
    assert_eq!(error.unwrap_err().kind(), "fatal");
    // Where messages name the files, it is they that are refused; the others go on.
    let port = folder
        .opened_for("second", folder.settings("{properties.region}.log"))
        .await
        .unwrap();
    let messages = vec![
        message("b", "all"),
        message("c", "sub/b"),
        message("d", "eu"),
    ];
    let failed = deliver(&port, messages, Some((None, 0))).await.unwrap_err();
    assert_eq!(kind(&failed), ("rejected", vec![0, 1]));
    deliver(&port, vec![message("d", "eu")], Some((None, 0)))
        .await
        .unwrap();
    port.close().await.unwrap();
    // The one that was first finds its file as it was.
    let port = folder.opened(folder.settings("all.log")).await;
    deliver(&port, vec![message("e", "")], Some((Some(0), 1)))
        .await
        .unwrap();
    assert_eq!(folder.text("all.log"), "a\ne\n");
    assert_eq!(folder.text("eu.log"), "d\n");
}

#[tokio::test]
async fn a_file_that_two_pipelines_recorded_is_not_cut_by_either() {
    let folder = Folder::new();
    let port = folder.opened(folder.settings("all.log")).await;
    deliver(&port, vec![message("a", "")], Some((None, 0)))
        .await
        .unwrap();
    port.close().await.unwrap();
    let own = |pipeline: &str| {
        let name = format!(".efflux-{pipeline}.json");
        folder.folder.path().join(name)
    };
    fs::copy(own("archive"), own("second")).unwrap();
    folder.add("all.log", "b\n");
    for pipeline in ["archive", "second"] {
        let opened = folder.opened_for(pipeline, folder.settings("{id}")).await;
        assert_eq!(opened.unwrap_err().kind(), "fatal");
    }
    assert_eq!(folder.text("all.log"), "a\nb\n");
    fs::remove_file(own("archive")).unwrap();
    folder
        .opened_for("second", folder.settings("{id}"))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_somebody_else_writes_meanwhile_costs_no_message_of_this_port() {
    let folder = Folder::new();
    let port = folder.opened(folder.settings("all.log")).await;
    deliver(&port, vec![message("a", "")], Some((None, 0)))
        .await
        .unwrap();
    folder.add("all.log", "by hand\n");
    deliver(&port, vec![message("b", "")], Some((Some(0), 1)))
        .await
        .unwrap();
    drop(port);
    let port = folder.opened(folder.settings("all.log")).await;
    assert_eq!(folder.text("all.log"), "a\nby hand\nb\n");
    fs::write(folder.folder.path().join("all.log"), "short").unwrap();
    let failed = deliver(&port, vec![message("c", "")], Some((Some(1), 2))).await;
    assert_eq!(kind(&failed.unwrap_err()).0, "fatal");
}

#[tokio::test]
async fn links_beneath_the_folder_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    let folder = Folder::new();
    std::os::unix::fs::symlink(outside.path(), folder.folder.path().join("way")).unwrap();
    let template = "{properties.region}/{id}";
    for settings in [folder.settings(template), folder.each(template)] {
        let port = folder.opened(settings).await;
        let messages = vec![message("a", "way"), message("b", "eu")];
        let failed = deliver(&port, messages, None).await.unwrap_err();
        assert_eq!(kind(&failed), ("rejected", vec![0]));
        port.close().await.unwrap();
    }
    let fixed = folder.opened_for("archive", folder.settings("way/a")).await;
    assert_eq!(fixed.unwrap_err().kind(), "fatal");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_another_delivery_writes_is_waited_for() {
    let folder = Folder::new();
    let port = folder.opened(folder.each("{id}.txt")).await;
    let before = format!(".efflux-{}.tmp", crate::derived_id::derived_id(&[b"a.txt"]));
    let before = fs::File::create(folder.folder.path().join(before)).unwrap();
    before.lock().unwrap();
    let failed = deliver(&port, vec![message("a", "")], None)
        .await
        .unwrap_err();
    assert_eq!(kind(&failed).0, "unavailable", "{failed:?}");
    // A crash takes the lock away and leaves the half of it.
    drop(before);
    deliver(&port, vec![message("a", "")], None).await.unwrap();
    assert_eq!(folder.text("a.txt"), "a");
    assert_eq!(folder.names(), ["a.txt"]);
}
