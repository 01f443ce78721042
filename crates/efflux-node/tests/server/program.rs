//! The program `efflux serve`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use crate::client::{Client, Node};
use efflux_node::server::{Access, ServerOptions};
use http::StatusCode;

pub(crate) fn efflux() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_efflux"));
    command
        .env_remove("EFFLUX_STORE")
        .env_remove("EFFLUX_LISTEN")
        .env_remove("EFFLUX_TOKENS")
        .env_remove("EFFLUX_TOKEN")
        .env_remove("EFFLUX_CA_FILE")
        .env_remove("EFFLUX_CLIENT_CERT")
        .env_remove("EFFLUX_CLIENT_KEY");
    command
}

fn run(arguments: &[&str]) -> Output {
    efflux().args(arguments).output().unwrap()
}

/// The program, serving a store on a free port with these options too, and a client of it.
pub(crate) fn serve(store: &str, options: &[&str]) -> (Child, Client) {
    let mut serving = efflux()
        .args([
            "serve",
            "--store",
            store,
            "--listen",
            "127.0.0.1:0",
            "--log",
            "off",
        ])
        .args(options)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(serving.stderr.take().unwrap())
        .read_line(&mut told)
        .unwrap();
    let address = told.trim().rsplit_once("http://").unwrap().1;
    (serving, Client::new(address.parse().unwrap()))
}

/// Sends the program a signal, as `kill` names it.
pub(crate) fn signal(serving: &Child, name: &str) {
    let pid = serving.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap()
            .success()
    );
}

/// The payloads of `orders`, the root's left out.
fn payloads(store: &str) -> Vec<String> {
    let read = run(&[
        "read", "orders", "--from", "1", "-o", "raw", "--store", store,
    ]);
    assert!(read.status.success(), "{read:?}");
    let text = String::from_utf8(read.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_under_load_outlives_a_signal() {
    for name in ["TERM", "KILL"] {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store").display().to_string();
        let (mut serving, client) = serve(&store, &[]);
        client.put("/v1/topics/orders", "").await;
        let (tell, mut told) = tokio::sync::mpsc::channel(1000);
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8 {
            let (client, tell) = (client.clone(), tell.clone());
            tasks.spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0.. {
                    let payload = format!("{task}-{number}");
                    if client.try_append(&payload).await != Some(StatusCode::CREATED) {
                        break;
                    }
                    acknowledged.push(payload);
                    let _ = tell.try_send(());
                }
                acknowledged
            });
        }
        for _ in 0..200 {
            told.recv().await.unwrap();
        }
        signal(&serving, name);
        let acknowledged: Vec<String> = tasks.join_all().await.concat();
        assert_eq!(serving.wait().unwrap().success(), name == "TERM");
        let kept: std::collections::BTreeSet<String> = payloads(&store).into_iter().collect();
        let lost: Vec<_> = acknowledged
            .iter()
            .filter(|it| !kept.contains(*it))
            .collect();
        assert!(
            acknowledged.len() >= 200 && lost.is_empty(),
            "{name}: {lost:?}"
        );
        assert!(
            run(&["verify", "orders", "--store", &store])
                .status
                .success()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_serves_until_it_is_asked_to_end_and_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store").display().to_string();
    let (mut serving, client) = serve(&store, &[]);
    client.put("/v1/topics/orders", "").await;
    assert_eq!(client.append("kept", &[]).await.status, StatusCode::CREATED);
    let waiting = tokio::spawn({
        let client = client.clone();
        async move {
            client
                .get("/v1/topics/orders/head?past=1&wait_ms=60000")
                .await
        }
    });
    // The wait is under way once the node counts it beside the one that asks.
    while !client
        .get("/metrics")
        .await
        .text()
        .contains("requests_in_flight 2\n")
    {}
    let metrics = client.get("/metrics").await.text();
    let syncs = metrics
        .lines()
        .find_map(|line| line.strip_prefix("efflux_sync_duration_seconds_count "));
    assert!(syncs.unwrap().parse::<u64>().unwrap() > 0, "{metrics}");
    signal(&serving, "TERM");
    assert_eq!(waiting.await.unwrap().status, StatusCode::OK);
    assert!(serving.wait().unwrap().success());
    let read = run(&["get", "orders", "1", "-o", "raw", "--store", &store]);
    assert_eq!(read.stdout, b"kept");
}

#[test]
fn the_program_does_not_listen_to_everyone_by_mistake() {
    let refused = run(&["serve", "--store", "mem:", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("authentication") && told.contains("--insecure"),
        "{told}"
    );
}

#[test]
fn the_program_makes_lists_and_revokes_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml").display().to_string();
    let made = run(&[
        "token",
        "create",
        "billing",
        "--allow",
        "read:orders",
        "--expires",
        "90d",
        "--tokens",
        &path,
    ]);
    let secret = String::from_utf8(made.stdout).unwrap();
    assert!(secret.starts_with("efflux_"), "{secret}");
    let listed = run(&["token", "list", "--tokens", &path]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains("read:orders") && listed.contains("billing"),
        "{listed}"
    );
    assert!(!listed.contains(secret.trim()), "{listed}");
    let id = listed.split(' ').next().unwrap();
    assert!(
        run(&["token", "revoke", id, "--tokens", &path])
            .status
            .success()
    );
    assert_eq!(
        run(&["token", "revoke", id, "--tokens", &path])
            .status
            .code(),
        Some(3)
    );
    let wrong = run(&[
        "token",
        "create",
        "x",
        "--allow",
        "write:orders",
        "--tokens",
        &path,
    ]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn the_program_tells_all_that_is_wrong_with_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("efflux.toml");
    std::fs::write(&path, "listen = \"0.0.0.0:1\"\n[limits]\nidle_ms = 0\n").unwrap();
    let path = path.display().to_string();
    let refused = run(&["serve", "--check", "--config", &path]);
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("idle_time") && told.contains("0.0.0.0:1"),
        "{told}"
    );
    let text = "lissten = 1\n[limits]\nidle_ms = \"x\"\nbytes = 1\n";
    std::fs::write(folder.path().join("efflux.toml"), text).unwrap();
    let refused = run(&["serve", "--check", "--config", &path, "--listen", "here"]);
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    for fault in [
        "line 1, column 1: unknown field `lissten`",
        "line 3, column 11: invalid type",
        "line 4, column 1: unknown field `bytes`",
        "\"here\" is no address",
    ] {
        assert!(told.contains(fault), "no {fault} in {told}");
    }
    std::fs::write(folder.path().join("efflux.toml"), "insecure = true\n").unwrap();
    assert!(
        run(&["serve", "--check", "--config", &path])
            .status
            .success()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_works_against_a_node() {
    let node = Node::start().await;
    let url = format!("http://{}", node.address);
    let commands = tokio::task::spawn_blocking(move || {
        let run = |arguments: &[&str]| {
            let output = efflux()
                .args(["--store", &url])
                .args(arguments)
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{arguments:?}: {told}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        run(&["topic", "create", "orders", "--sync", "250ms"]);
        run(&["append", "orders", "one", "--type", "a", "--id", "x"]);
        let head = run(&["head", "orders"]);
        run(&[
            "append",
            "orders",
            "two",
            "--expect",
            &format!("head={}", head.trim()),
        ]);
        assert_eq!(run(&["topic", "list", "-o", "json"]).lines().count(), 1);
        assert!(run(&["topic", "show", "orders"]).contains("250ms"));
        assert_eq!(
            run(&["read", "orders", "-o", "raw", "--from", "1"]),
            "one\ntwo\n"
        );
        assert_eq!(run(&["get", "orders", "--id", "x", "-o", "raw"]), "one");
        assert_eq!(run(&["find", "orders", "type = a", "-o", "raw"]), "one\n");
        assert!(run(&["verify", "orders"]).contains("orders"));
        let consumed = run(&[
            "consume",
            "orders",
            "--consumer",
            "c",
            "--max",
            "2",
            "-o",
            "raw",
        ]);
        assert_eq!(consumed, "one\ntwo\n");
        assert!(run(&["consumer", "list", "orders"]).contains('c'));
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("backup").display().to_string();
        run(&["backup", &backup]);
        run(&["consumer", "delete", "orders", "c", "--yes"]);
        run(&["topic", "delete", "orders", "--yes"]);
        let restored = run(&["restore", &backup]);
        assert!(restored.contains("3 particles, 1 consumer"), "{restored}");
        assert!(run(&["consumer", "show", "orders", "c"]).contains('3'));
        run(&["topic", "delete", "orders", "--yes"]);
    });
    commands.await.unwrap();
    assert_eq!(
        node.client.get("/v1/topics").await.text(),
        r#"{"topics":[]}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_shows_its_token_to_a_node_and_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    let file = path.display().to_string();
    let made = run(&[
        "token", "create", "ops", "--allow", "admin:*", "--tokens", &file,
    ]);
    let secret = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let access = Access::tokens(&path).unwrap();
    let node = Node::start_guarded(ServerOptions::default(), access).await;
    let url = format!("http://{}", node.address);
    let commands = tokio::task::spawn_blocking(move || {
        let create = ["topic", "create", "orders", "--store", &url];
        let without = efflux().args(create).output().unwrap();
        assert_eq!(without.status.code(), Some(2), "{without:?}");
        let with = efflux()
            .args(create)
            .env("EFFLUX_TOKEN", &secret)
            .output()
            .unwrap();
        assert!(with.status.success(), "{with:?}");
        let help = efflux()
            .arg("--help")
            .env("EFFLUX_TOKEN", &secret)
            .output()
            .unwrap();
        assert!(!String::from_utf8_lossy(&help.stdout).contains(&secret));
    });
    commands.await.unwrap();
}
