//! System calls of a real process that fail, or at which it is killed: `strace` injects them.
//!
//! `EFFLUX_SYSCALL_ROUNDS` asks for more rounds than CI runs, `EFFLUX_SEED` for other ones.

use std::io::BufRead;
use std::process::{Command, Stdio};

use efflux_node::storage;
use storage::particle::Message;
use storage::{Store, TopicOptions};

use crate::kill::{Acknowledged, check, note, random};

/// Rounds in CI of each kind.
const ROUNDS: u64 = 6;
/// Appends of each producer: enough that the index makes its files meanwhile.
const APPENDS: &str = "150";
/// A call that fails or kills is at most this far from the start of its thread.
const CALL_MAX: u64 = 60;

/// Calls that change files, and an error that each may have.
const CALLS: [(&str, &str); 10] = [
    ("fdatasync", "EIO"),
    ("fdatasync", "ENOSPC"),
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("fsync", "EIO"),
    ("rename", "EIO"),
    ("ftruncate", "EIO"),
    ("openat", "EMFILE"),
    ("mkdir", "ENOSPC"),
    ("unlink", "EIO"),
];

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Whether processes can be traced here.
fn has_strace() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-qq", "-e", "trace=mkdir", "true"]);
    let there = strace.output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("not checked: strace is not installed, or may not trace here");
    }
    there
}

/// Runs the producers with a fault in their system calls; what they wrote to standard error.
fn produce(
    url: &str,
    seed: u64,
    call: &str,
    fault: &str,
    acknowledged: &mut Acknowledged,
) -> String {
    let output = Command::new("strace")
        .args(["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:{fault}")])
        .arg(env!("CARGO_BIN_EXE_producers"))
        .args([url, "t", &seed.to_string(), APPENDS])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    note(output.stdout.lines(), acknowledged);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs rounds in one store; each must leave a store that opens and takes appends.
async fn rounds(fault: impl Fn(u64) -> (String, String)) {
    if !has_strace() {
        return;
    }
    let seed = setting("EFFLUX_SEED").unwrap_or(1);
    let (mut folder, mut url, mut acknowledged) = (None, String::new(), Acknowledged::new());
    for round in 0..setting("EFFLUX_SYSCALL_ROUNDS").unwrap_or(ROUNDS) {
        let chance = random(seed.wrapping_add(round), u64::MAX);
        // Now and then the store is made anew, so that making one is met too.
        if round % 3 == 0 {
            let place = tempfile::tempdir().unwrap();
            url = format!("file:{}", place.path().join("store").display());
            folder = Some(place);
            acknowledged.clear();
        }
        let (call, fault) = fault(chance);
        let context = format!("EFFLUX_SEED={seed}, round {round}: {call} {fault}");
        let told = produce(&url, seed ^ (round << 32), &call, &fault, &mut acknowledged);
        assert!(!told.contains("panicked"), "{context}: {told}");
        let gone_on = go_on(&url).await;
        assert!(gone_on.is_ok(), "{context}: {gone_on:?}");
        check(&url, &acknowledged, &context).await;
    }
    drop(folder);
}

/// Opens what a fault has left, and appends to it.
async fn go_on(url: &str) -> storage::Result<()> {
    let store = Store::open(url).await?;
    let name = "t".parse().unwrap();
    let topic = store
        .topic_or_create(&name, TopicOptions::default())
        .await?;
    topic.append(Message::new("after the fault")).await?;
    store.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_call_that_fails_loses_nothing_that_was_acknowledged() {
    rounds(|chance| {
        let at = usize::try_from(chance % CALLS.len() as u64).unwrap();
        let (call, error) = CALLS[at];
        let when = 1 + (chance >> 8) % CALL_MAX;
        (call.to_owned(), format!("error={error}:when={when}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_a_system_call_loses_nothing_it_acknowledged() {
    rounds(|chance| {
        let at = usize::try_from(chance % CALLS.len() as u64).unwrap();
        let (call, _) = CALLS[at];
        let when = 1 + (chance >> 8) % CALL_MAX;
        (call.to_owned(), format!("signal=SIGKILL:when={when}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_sync_that_fails_closes_the_topic_until_it_is_opened_again() {
    if !has_strace() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("store").display());
    let mut acknowledged = Acknowledged::new();
    // From the fifth sync of a thread on only one fails: whoever tries again would be told that all
    // is well, and the producers would all come to their end.
    let told = produce(&url, 1, "fdatasync", "error=EIO:when=5", &mut acknowledged);
    let failed = told
        .lines()
        .filter(|line| line.starts_with("producer "))
        .count();
    assert_eq!(failed, 16, "{told}");
    assert!(told.contains("open it anew"), "{told}");
    check(&url, &acknowledged, "after a failed sync").await;
}
