//! The program `efflux serve`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use crate::client::Client;
use http::StatusCode;

fn efflux() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_efflux"));
    command
        .env_remove("EFFLUX_STORE")
        .env_remove("EFFLUX_LISTEN");
    command
}

fn run(arguments: &[&str]) -> Output {
    efflux().args(arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_serves_until_it_is_asked_to_end_and_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store").display().to_string();
    let mut serving = efflux()
        .args([
            "serve",
            "--store",
            &store,
            "--listen",
            "127.0.0.1:0",
            "--log",
            "off",
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(serving.stderr.take().unwrap())
        .read_line(&mut told)
        .unwrap();
    let address = told.trim().rsplit_once("http://").unwrap().1;
    let client = Client::new(address.parse().unwrap());
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
    let killed = Command::new("kill")
        .arg(serving.id().to_string())
        .status()
        .unwrap();
    assert!(killed.success());
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
