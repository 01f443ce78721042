//! The files of a folder.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use efflux_pipeline::{
    Connector, FilesConnector, FilesDone, FilesForm, FilesSettings, IntakeMax, Period, StageError,
};

use super::folder::{Folder, poll, refusal, take_all, text, texts};

fn gone() -> StageError {
    StageError::unavailable("the port is away")
}

#[tokio::test(start_paused = true)]
async fn whole_files_come_in_the_order_of_their_modification_and_are_moved() {
    let folder = Folder::new();
    folder.write("b.txt", "first");
    let older = fs::metadata(folder.path("b.txt"))
        .unwrap()
        .modified()
        .unwrap();
    folder.write("a.txt", "second");
    let file = OpenOptions::new()
        .write(true)
        .open(folder.path("a.txt"))
        .unwrap();
    file.set_modified(older + Duration::from_secs(1)).unwrap();
    let connector = folder.connector();
    let intake = poll(&connector).await.unwrap();
    assert_eq!(texts(&intake), ["first", "second"]);
    let message = &intake.parcels[0].message;
    assert_eq!(message.content_type(), Some("text/plain"));
    assert_eq!(message.property("file.path"), Some("b.txt"));
    let told = message.timestamp().unwrap().to_string();
    assert_eq!(message.property("file.modified"), Some(told.as_str()));
    assert_eq!(folder.names("."), ["a.txt", "b.txt"]);
    connector.ack(intake.receipt).await.unwrap();
    assert!(folder.names(".").is_empty());
    assert_eq!(folder.names(".done"), ["a.txt", "b.txt"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_grows_slowly_is_taken_when_it_rests() {
    let folder = Folder::new();
    let connector = folder.connector();
    folder.write("slow.txt", "");
    let mut file = OpenOptions::new()
        .append(true)
        .open(folder.path("slow.txt"))
        .unwrap();
    for _ in 0..20 {
        file.write_all(b"x").unwrap();
        let polled = connector.poll(super::folder::MAX);
        let polled = tokio::time::timeout(Duration::from_millis(1500), polled).await;
        assert!(polled.is_err(), "it is being written");
    }
    assert_eq!(take_all(&connector).await, ["x".repeat(20)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_comes_again_with_the_same_ids() {
    for form in [FilesForm::Whole, FilesForm::Lines] {
        let mut folder = Folder::new();
        folder.settings.form = form;
        folder.write("a.txt", "one\ntwo\n");
        let mut ids = Vec::new();
        for _ in 0..3 {
            let connector = folder.connector();
            let intake = poll(&connector).await.unwrap();
            let of_it = intake.parcels.iter().map(|it| it.message.id().cloned());
            ids.push(of_it.collect::<Vec<_>>());
        }
        assert_eq!(ids[0], ids[1]);
        assert_eq!(ids[0], ids[2]);
        assert!(ids[0].iter().all(Option::is_some));
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_written_anew_is_another_version_even_with_the_same_content() {
    let folder = Folder::new();
    let connector = folder.connector();
    let mut ids = Vec::new();
    for seconds in [0, 10] {
        folder.write("a.txt", "the same");
        let file = OpenOptions::new()
            .write(true)
            .open(folder.path("a.txt"))
            .unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified + Duration::from_secs(seconds))
            .unwrap();
        let intake = poll(&connector).await.unwrap();
        ids.push(intake.parcels[0].message.id().cloned());
        connector.ack(intake.receipt).await.unwrap();
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(folder.names(".done"), ["a.2.txt", "a.txt"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_came_very_often_gets_the_number_behind_all_others() {
    let mut folder = Folder::new();
    folder.settings.settle = Period(Duration::ZERO);
    folder.write(".done/a.txt", "1");
    for number in 2..=1000 {
        folder.write(format!(".done/a.{number}.txt"), "old");
    }
    let connector = folder.connector();
    for number in 1001..1005 {
        folder.write("a.txt", number.to_string());
        let intake = poll(&connector).await.unwrap();
        connector.ack(intake.receipt).await.unwrap();
        let kept = fs::read_to_string(folder.path(format!(".done/a.{number}.txt")));
        assert_eq!(kept.unwrap(), number.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_before_it_is_put_away_comes_again() {
    let folder = Folder::new();
    let connector = folder.connector();
    folder.write("a.txt", "early");
    let intake = poll(&connector).await.unwrap();
    folder.write("a.txt", "early and late");
    connector.ack(intake.receipt).await.unwrap();
    assert_eq!(folder.names("."), ["a.txt"]);
    assert_eq!(take_all(&connector).await, ["early and late"]);
    assert!(folder.names(".").is_empty());
}

#[tokio::test(start_paused = true)]
async fn large_files_come_in_pieces_and_are_put_away_with_the_last() {
    let mut folder = Folder::new();
    folder.settings.form = FilesForm::Lines;
    let lines: Vec<_> = (0..2500).map(|number| format!("line {number}")).collect();
    folder.write("a.txt", lines.join("\n"));
    let connector = folder.connector();
    let mut intakes = Vec::new();
    while let Some(intake) = poll(&connector).await {
        intakes.push(intake);
    }
    assert_eq!(intakes.len(), 5);
    assert_eq!(intakes.iter().flat_map(texts).collect::<Vec<_>>(), lines);
    let record = intakes[4].parcels[499].message.property("file.record");
    assert_eq!(record, Some("2500"));
    // The last answer is what counts, whichever it is.
    for intake in intakes.iter().rev() {
        assert_eq!(folder.names("."), ["a.txt"]);
        connector.ack(intake.receipt).await.unwrap();
    }
    assert!(folder.names(".").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_intake_holds_no_more_bytes_than_were_asked_for() {
    let mut folder = Folder::new();
    folder.settings.form = FilesForm::Lines;
    folder.write("a.txt", format!("{}\nb\nc\nd\n", "a".repeat(100)));
    let connector = folder.connector();
    let max = IntakeMax {
        messages: 10,
        bytes: 2,
    };
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let intake = connector.poll(max).await.unwrap().unwrap();
        sizes.push(texts(&intake).concat().len());
    }
    assert_eq!(sizes, [100, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_file_of_which_a_part_was_not_delivered_comes_again_as_a_whole() {
    let mut folder = Folder::new();
    folder.settings.form = FilesForm::Lines;
    let lines: Vec<_> = (0..1200).map(|number| number.to_string()).collect();
    folder.write("a.txt", lines.join("\n"));
    let connector = folder.connector();
    let first = poll(&connector).await.unwrap();
    let second = poll(&connector).await.unwrap();
    connector.nack(second.receipt, &gone()).await.unwrap();
    connector.ack(first.receipt).await.unwrap();
    assert_eq!(folder.names("."), ["a.txt"]);
    assert_eq!(take_all(&connector).await, lines);
    assert!(folder.names(".").is_empty());
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_files_are_taken_once_each() {
    let folder = Folder::new();
    for number in 0..10_000 {
        folder.write(number.to_string(), number.to_string());
    }
    let connector = folder.connector();
    let mut taken = take_all(&connector).await;
    taken.sort_by_key(|text| text.parse::<u32>().unwrap());
    let expected: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
    assert_eq!(taken, expected);
    assert!(folder.names(".").is_empty());
    assert_eq!(folder.names(".done").len(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn only_what_matches_is_taken_and_folders_within_only_when_asked() {
    let mut folder = Folder::new();
    folder.settings.patterns = vec!["*.csv".to_owned(), "in/*.json".to_owned()];
    for name in [
        "a.csv",
        "a.txt",
        "in/b.json",
        "in/c.csv",
        "out/d.json",
        ".h.csv",
        ".h/e.csv",
    ] {
        folder.write(name, name);
    }
    assert_eq!(take_all(&folder.connector()).await, ["a.csv"]);
    folder.settings.recursive = true;
    let mut taken = take_all(&folder.connector()).await;
    taken.sort();
    assert_eq!(taken, ["in/b.json", "in/c.csv"]);
    assert_eq!(folder.names(".done/in"), ["b.json", "c.csv"]);
}

#[tokio::test(start_paused = true)]
async fn links_pipes_and_names_that_are_no_text_do_no_harm() {
    let outside = Folder::new();
    outside.write("secret", "secret");
    let mut folder = Folder::new();
    folder.settings.recursive = true;
    symlink(outside.path("secret"), folder.path("link")).unwrap();
    symlink(outside.path("."), folder.path("way")).unwrap();
    symlink(folder.path("."), folder.path("round")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path("pipe"),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe.txt");
    folder.write(name, "odd name");
    let connector = folder.connector();
    let intake = poll(&connector).await.unwrap();
    assert_eq!(texts(&intake), ["odd name"]);
    let told = intake.parcels[0].message.property("file.name");
    assert_eq!(told, Some("\u{fffd}\u{fffd}.txt"));
    connector.ack(intake.receipt).await.unwrap();
    assert!(folder.path(".done").join(name).exists());
    assert_eq!(folder.names("."), ["link", "pipe", "round", "way"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_or_cannot_be_read_is_told_and_the_others_go_on() {
    let folder = Folder::new();
    folder.write("small", "small");
    folder.write("large", vec![b'x'; (16 << 20) + 1]);
    folder.write("shut", "shut");
    let shut = fs::Permissions::from_mode(0o000);
    fs::set_permissions(folder.path("shut"), shut).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let connector = folder.connector();
    let intake = poll(&connector).await.unwrap();
    let mut refused: Vec<_> = intake
        .refused
        .iter()
        .map(|(message, why)| (message.property("file.name").unwrap(), why.to_string()))
        .collect();
    refused.sort();
    let (name, why) = &refused[0];
    assert_eq!(
        (*name, why.contains("at most 16777216")),
        ("large", true),
        "{why}"
    );
    if !is_root {
        let (name, why) = &refused[1];
        assert_eq!(
            (*name, why.contains("cannot be read")),
            ("shut", true),
            "{why}"
        );
    }
    assert!(texts(&intake).contains(&"small".to_owned()));
    connector.ack(intake.receipt).await.unwrap();
    assert!(folder.names(".").is_empty());
}

#[tokio::test(start_paused = true)]
async fn deleting_keeps_what_was_refused() {
    let mut folder = Folder::new();
    folder.settings.done = FilesDone::Delete;
    folder.settings.form = FilesForm::Json;
    folder.write("good", "1\n2\n");
    folder.write("bad", "1\nno\n");
    let connector = folder.connector();
    assert_eq!(take_all(&connector).await.len(), 3);
    assert_eq!(folder.names("."), ["bad.refused"]);
}

#[tokio::test(start_paused = true)]
async fn marked_files_stay_and_are_not_taken_again_until_they_change() {
    let keep = tempfile::tempdir().unwrap();
    for done in [FilesDone::Mark, FilesDone::Keep(keep.path().to_path_buf())] {
        let mut folder = Folder::new();
        folder.settings.done = done;
        folder.settings.recursive = true;
        let long = "n".repeat(250);
        folder.write("sub/a", "one");
        folder.write(&long, "two");
        assert_eq!(take_all(&folder.connector()).await.len(), 2);
        assert!(take_all(&folder.connector()).await.is_empty());
        folder.write("sub/a", "another");
        assert_eq!(take_all(&folder.connector()).await, ["another"]);
        assert!(folder.path("sub/a").exists());
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_connector_waits_until_the_first_is_gone() {
    let folder = Folder::new();
    folder.write("a", "a");
    let first = folder.connector();
    let intake = poll(&first).await.unwrap();
    let second = folder.connector();
    let told = refusal(&second).await;
    assert!(told.is_retryable());
    assert!(
        told.to_string()
            .contains("another pipeline takes the same files"),
        "{told}"
    );
    first.ack(intake.receipt).await.unwrap();
    first.close().await.unwrap();
    folder.write("b", "b");
    assert_eq!(take_all(&second).await, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_missing_is_fatal_and_one_that_vanishes_is_waited_for() {
    let mut folder = Folder::new();
    let inbox = folder.path("inbox");
    folder.settings.folder = inbox.clone();
    let told = refusal(&folder.connector()).await;
    assert!(matches!(told, StageError::Fatal(_)), "{told}");

    fs::create_dir(&inbox).unwrap();
    let connector = folder.connector();
    assert!(poll(&connector).await.is_none());
    fs::remove_dir_all(&inbox).unwrap();
    for _ in 0..3 {
        let told = refusal(&connector).await;
        assert!(told.is_retryable(), "{told}");
    }
    folder.write("inbox/a", "back");
    assert_eq!(take_all(&connector).await, ["back"]);
}

#[tokio::test(start_paused = true)]
async fn files_that_are_taken_away_meanwhile_are_left_out() {
    let folder = Folder::new();
    folder.write("a", "a");
    folder.write("b", "b");
    let connector = folder.connector();
    let waits = connector.poll(super::folder::MAX);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), waits)
            .await
            .is_err()
    );
    fs::remove_file(folder.path("a")).unwrap();
    let intake = poll(&connector).await.unwrap();
    assert_eq!(texts(&intake), ["b"]);
    fs::remove_file(folder.path("b")).unwrap();
    connector.ack(intake.receipt).await.unwrap();
    assert!(poll(&connector).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_put_away_is_told_until_it_can_and_not_delivered_twice() {
    let folder = Folder::new();
    folder.write("a", "a");
    let connector = folder.connector();
    let intake = poll(&connector).await.unwrap();
    fs::remove_dir(folder.path(".done")).unwrap();
    folder.write(".done", "in the way");
    assert!(connector.ack(intake.receipt).await.is_err());
    let told = refusal(&connector).await;
    assert!(
        told.is_retryable() && told.to_string().contains("cannot be put away"),
        "{told}"
    );
    fs::remove_file(folder.path(".done")).unwrap();
    // The folder that is open is gone: the next begins with a new one.
    connector.close().await.unwrap();
    assert!(poll(&connector).await.is_none());
    assert_eq!(folder.names(".done"), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_put_away_holds_up_no_other_and_is_not_delivered_twice() {
    let mut folder = Folder::new();
    folder.settings.done = FilesDone::Mark;
    folder.write("a", "a");
    folder.write("a.taken/x", "in the way of the mark");
    let connector = folder.connector();
    let intake = poll(&connector).await.unwrap();
    let told = connector.ack(intake.receipt).await.unwrap_err();
    assert!(told.to_string().contains("cannot be put away"), "{told}");
    folder.write("b", "b");
    let intake = poll(&connector).await.unwrap();
    assert_eq!(texts(&intake), ["b"]);
    connector.ack(intake.receipt).await.unwrap();
    fs::remove_dir_all(folder.path("a.taken")).unwrap();
    assert!(poll(&connector).await.is_none());
    assert_eq!(folder.names(""), ["a", "a.taken", "b", "b.taken"]);
}

#[tokio::test(start_paused = true)]
async fn names_that_are_in_each_others_way_where_files_are_moved_hold_up_nobody() {
    let mut folder = Folder::new();
    folder.settings.recursive = true;
    let long = "x".repeat(255);
    folder.write(".done/sub", "a file");
    folder.write(format!(".done/{long}"), "old");
    folder.write("sub/a", "1");
    folder.write(&long, "2");
    let connector = folder.connector();
    let mut came = Vec::new();
    while let Some(intake) = poll(&connector).await {
        came.extend(texts(&intake));
        connector.ack(intake.receipt).await.unwrap();
    }
    came.sort();
    assert_eq!(came, ["1", "2"]);
    assert_eq!(folder.names(".done").len(), 4);
    assert_eq!(fs::read_to_string(folder.path(".done/a")).unwrap(), "1");
}

#[tokio::test(start_paused = true)]
async fn what_was_put_away_within_the_folder_is_not_taken_however_the_folder_is_named() {
    for done in [FilesDone::Keep, FilesDone::Move] {
        let mut folder = Folder::new();
        folder.settings.recursive = true;
        folder.settings.done = done(folder.path("put/away"));
        folder.settings.folder = folder.path("put/..");
        folder.write("put/a", "a");
        let connector = folder.connector();
        let intake = poll(&connector).await.unwrap();
        assert_eq!(texts(&intake), ["a"]);
        connector.ack(intake.receipt).await.unwrap();
        assert!(poll(&connector).await.is_none());
    }
}

#[tokio::test]
async fn a_file_that_is_renamed_into_the_folder_is_taken_at_once() {
    let mut folder = Folder::new();
    folder.settings.watch = true;
    folder.settings.settle = Period(Duration::from_secs(3600));
    folder.settings.rescan = Period(Duration::from_secs(3600));
    let connector = folder.connector();
    folder.write(".draft", "complete");
    // It is renamed when the first scan is over and the connector waits.
    let polled = connector.poll(super::folder::MAX);
    tokio::pin!(polled);
    let pause = tokio::time::timeout(Duration::from_secs(1), &mut polled).await;
    assert!(pause.is_err());
    fs::rename(folder.path(".draft"), folder.path("a.txt")).unwrap();
    let polled = tokio::time::timeout(Duration::from_secs(30), polled).await;
    let intake = polled.expect("the platform tells of it").unwrap().unwrap();
    assert_eq!(texts(&intake), ["complete"]);
}

#[tokio::test]
async fn a_file_that_is_written_is_taken_when_it_rests_without_a_scan() {
    let mut folder = Folder::new();
    folder.settings.watch = true;
    folder.settings.settle = Period(Duration::from_millis(200));
    folder.settings.rescan = Period(Duration::from_secs(3600));
    let connector = folder.connector();
    let polled = connector.poll(super::folder::MAX);
    tokio::pin!(polled);
    let pause = tokio::time::timeout(Duration::from_secs(1), &mut polled).await;
    assert!(pause.is_err());
    folder.write("a.txt", "written");
    let polled = tokio::time::timeout(Duration::from_secs(30), polled).await;
    let intake = polled.expect("the platform tells of it").unwrap().unwrap();
    assert_eq!(texts(&intake), ["written"]);
    assert_eq!(text(&intake.parcels[0].message), "written");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_is_written_with_a_pause_is_taken_when_it_is_closed() {
    let mut folder = Folder::new();
    folder.settings.watch = true;
    folder.settings.settle = Period(Duration::from_millis(200));
    folder.settings.rescan = Period(Duration::from_secs(3600));
    let connector = folder.connector();
    let polled = connector.poll(super::folder::MAX);
    tokio::pin!(polled);
    let pause = tokio::time::timeout(Duration::from_secs(1), &mut polled).await;
    assert!(pause.is_err());
    let mut file = fs::File::create(folder.path("a.txt")).unwrap();
    file.write_all(b"first, ").unwrap();
    let pause = tokio::time::timeout(Duration::from_secs(1), &mut polled).await;
    assert!(pause.is_err(), "it was taken while it was being written");
    file.write_all(b"second").unwrap();
    drop(file);
    let polled = tokio::time::timeout(Duration::from_secs(30), polled).await;
    let intake = polled.expect("the platform tells of it").unwrap().unwrap();
    assert_eq!(texts(&intake), ["first, second"]);
}

#[test]
fn settings_that_cannot_work_are_told() {
    type Break<'a> = &'a dyn Fn(&mut FilesSettings);
    let wrong: &[(Break<'_>, &str)] = &[
        (&|it| it.folder = "".into(), "no folder is named"),
        (&|it| it.patterns = vec!["[".into()], "is no pattern"),
        (
            &|it| it.done = FilesDone::Move("../x".into()),
            "names no folder",
        ),
        (
            &|it| it.rescan = Period(Duration::ZERO),
            "a rescan every 0ms",
        ),
        (
            &|it| it.form = FilesForm::Csv { separator: '"' },
            "cannot separate",
        ),
    ];
    for (break_it, expect) in wrong {
        let mut settings = FilesSettings::new("in");
        break_it(&mut settings);
        let told = FilesConnector::new(settings).unwrap_err().to_string();
        assert!(told.contains(expect), "{told}");
    }
}
