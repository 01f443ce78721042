//! Stores: which one is used, who may open it, and what is refused.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::program::{Lines, Place};

#[test]
fn the_store_is_named_by_flag_variable_or_default() {
    let place = Place::new();
    let path = place.path("by-flag");
    let path = path.to_str().unwrap();
    place.run(&["--store", path, "topic", "create", "t"]).ok();
    place
        .run(&["append", "t", "x", "--store", &format!("file:{path}")])
        .ok();
    assert!(place.path("by-flag/STORE").exists() && !place.path("store").exists());
    let mut command = place.command(&["topic", "create", "t"]);
    assert!(
        command
            .env_remove("EFFLUX_STORE")
            .status()
            .unwrap()
            .success()
    );
    assert!(place.path("efflux-data/STORE").exists());
    place
        .run(&["--store", "mem:", "append", "t", "x", "--create"])
        .ok();
    place
        .run(&["--store", "ftp://host", "topic", "list"])
        .fails(2, &["ftp"]);
    place.run(&["--store", "", "topic", "list"]).fails(2, &[]);
}

#[test]
fn a_missing_store_is_not_made_by_reading() {
    let place = Place::new();
    for command in [
        &["read", "t"][..],
        &["get", "t", "1"],
        &["get", "t", "--id", "x"],
        &["find", "t", "type = a"],
        &["head", "t"],
        &["verify"],
        &["export", "t"],
        &["consume", "t", "--consumer", "c"],
        &["consumer", "list", "t"],
        &["topic", "list"],
        &["topic", "show", "t"],
        &["topic", "delete", "t", "-y"],
    ] {
        place
            .run(command)
            .fails(3, &["no store", "try:", "EFFLUX_STORE"]);
        assert!(!place.path("store").exists(), "{command:?}");
    }
}

#[test]
fn a_folder_with_other_files_is_no_store() {
    let place = Place::new();
    fs::create_dir(place.path("store")).unwrap();
    fs::write(place.path("store/notes.txt"), "mine").unwrap();
    for command in [
        &["topic", "create", "t"][..],
        &["topic", "list"],
        &["import", "t", "-"],
    ] {
        place.run(command).fails(2, &["no Efflux store", "try:"]);
    }
    assert_eq!(
        fs::read_dir(place.path("store")).unwrap().count(),
        1,
        "nothing was added"
    );
    let file = place.file("plain", "x");
    place
        .run(&["--store", &file, "topic", "list"])
        .fails(3, &["plain"]);
}

#[test]
fn a_store_of_a_newer_format_is_refused() {
    let place = Place::with_topic("t");
    let path = place.path("store/STORE");
    let text = fs::read_to_string(&path).unwrap();
    let newer = text.replacen('1', "999", 1);
    assert_ne!(newer, text, "the file names its version: {text}");
    fs::write(&path, newer).unwrap();
    for command in [&["topic", "list"][..], &["append", "t", "x"], &["verify"]] {
        let ran = place.run(command);
        assert!(
            ran.code == 2 || ran.code == 5,
            "{}: {}",
            ran.code,
            ran.stderr
        );
        assert!(
            ran.stderr.contains("STORE") || ran.stderr.contains("newer"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_second_writer_is_told_who_holds_the_store() {
    let place = Place::with_topic("t");
    let mut writer = place.start(&["append", "t", "--stdin"]);
    let mut acknowledged = Lines::of(&mut writer);
    let mut stdin = writer.stdin.take().unwrap();
    writeln!(stdin, "first").unwrap();
    acknowledged.next();
    let holder = writer.id().to_string();
    for command in [
        &["append", "t", "x"][..],
        &["import", "t", "-", "--format", "lines"],
        &["topic", "create", "u"],
        &["consume", "t", "--consumer", "c"],
    ] {
        place
            .run(command)
            .fails(4, &[&holder, "reading works meanwhile"]);
    }
    // Reading goes on beside the writer, and sees what was acknowledged.
    assert_eq!(place.run(&["read", "t", "-o", "raw"]).ok(), "first\n");
    assert!(place.run(&["head", "t"]).ok().starts_with("1:"));
    assert!(
        place
            .run(&["topic", "show", "t"])
            .ok()
            .contains("messages       1")
    );
    assert_eq!(
        place.run(&["find", "t", "sequence > 0", "--count"]).ok(),
        "1\n"
    );
    writeln!(stdin, "second").unwrap();
    acknowledged.next();
    assert_eq!(
        place.run(&["read", "t", "-o", "raw"]).ok(),
        "first\nsecond\n"
    );
    drop(stdin);
    assert!(writer.wait().unwrap().success());
    place.run(&["append", "t", "third"]).ok();
}

/// A file system of a few megabytes that is unmounted in the end.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    /// Mounts it; none where this user may not.
    fn mount(folder: &'a Path, megabytes: usize) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder)
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then_some(Self(folder))
    }

    fn grow(&self, megabytes: usize) {
        let size = format!("remount,size={megabytes}m");
        let grown = Command::new("mount")
            .args(["-o", &size])
            .arg(self.0)
            .status()
            .unwrap();
        assert!(grown.success());
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_acknowledged_is_lost() {
    let place = Place::new();
    let folder = place.path("disk");
    let Some(disk) = Small::mount(&folder, 24) else {
        eprintln!("not checked: a full disk needs a small tmpfs, which only root can mount");
        return;
    };
    let store = format!("file:{}", folder.join("store").display());
    let small = ["--store", &store];
    place
        .run(
            &[
                &small[..],
                &["topic", "create", "t", "--segment-bytes", "1048576"],
            ]
            .concat(),
        )
        .ok();
    let line = "x".repeat(10_000);
    let lines: String = (0..6000)
        .map(|number| format!("{number} {line}\n"))
        .collect();
    let ran = place.run_with(&[&small[..], &["append", "t", "--stdin"]].concat(), &lines);
    let ran = ran.fails(1, &["free some space"]);
    let acknowledged = String::from_utf8(ran.stdout).unwrap().lines().count();
    assert!(acknowledged > 0 && acknowledged < 6000, "{acknowledged}");
    disk.grow(200);
    let verified = place
        .run(&[&small[..], &["verify", "t", "-o", "json"]].concat())
        .json();
    assert!(verified[0]["sequence"].as_u64().unwrap() >= acknowledged as u64);
    let more = place.run(&[&small[..], &["append", "t", "more"]].concat());
    more.ok();
    place.run(&[&small[..], &["verify", "t"]].concat()).ok();
}
