//! Encrypted nodes: their certificates, and how these are read again.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use efflux_node::particle::Message;
use efflux_node::server::{Server, ServerOptions, Tls, TlsFiles};
use efflux_node::storage::{ErrorKind, Store, StoreOptions, TopicOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::Node;
use crate::program::{efflux, signal};
use crate::secure_client::{SecureClient, certificate, tls_file};

async fn encrypted(tls: Tls) -> Node {
    let store = Store::open("mem:").await.unwrap();
    let mut options = ServerOptions::default();
    options.head_time = Duration::from_millis(200);
    let server = Server::bind(store, "127.0.0.1:0", options).await.unwrap();
    Node::run(server.with_tls(tls))
}

/// Puts a certificate of the tests, and its key, where a node finds them.
fn install(folder: &Path, cert: &str, key: &str) -> TlsFiles {
    let (to_cert, to_key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::copy(tls_file(cert), &to_cert).unwrap();
    fs::copy(tls_file(key), &to_key).unwrap();
    TlsFiles::new(to_cert, to_key)
}

#[tokio::test]
async fn an_encrypted_node_is_spoken_to_through_tls_alone() {
    let files = TlsFiles::new(tls_file("cert.pem"), tls_file("key.pem"));
    let node = encrypted(Tls::read(files).unwrap()).await;
    let mut client = SecureClient::connect(node.address, None).await;
    assert_eq!(client.get("/healthz").await.text(), "ok\n");

    for sent in ["GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", ""] {
        let mut plain = node.connect().await;
        plain.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_read_again_is_shown_to_those_who_come_after() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls::read(install(folder.path(), "cert.pem", "key.pem")).unwrap();
    let node = encrypted(tls.clone()).await;
    let mut before = SecureClient::connect(node.address, None).await;
    assert_eq!(before.shown, certificate("cert.pem").as_ref());

    install(folder.path(), "renewed.pem", "renewed-key.pem");
    let unread = SecureClient::connect(node.address, None).await;
    assert_eq!(unread.shown, certificate("cert.pem").as_ref());
    tls.reload().unwrap();
    let after = SecureClient::connect(node.address, None).await;
    assert_eq!(after.shown, certificate("renewed.pem").as_ref());
    assert_eq!(before.get("/healthz").await.text(), "ok\n");

    install(folder.path(), "cert.pem", "renewed-key.pem");
    assert!(tls.reload().is_err());
    let kept = SecureClient::connect(node.address, None).await;
    assert_eq!(kept.shown, certificate("renewed.pem").as_ref());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_reads_its_certificate_again_when_it_is_sent_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path(), "cert.pem", "key.pem");
    let mut serving = efflux()
        .args(["serve", "--store", "mem:", "--listen", "127.0.0.1:0"])
        .args(["--tls-cert", "cert.pem", "--tls-key", "key.pem"])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(serving.stderr.take().unwrap()).lines();
    let mut line_with = |part: &str| log.find_map(|line| line.ok().filter(|it| it.contains(part)));
    let told = line_with("serving").unwrap();
    let address = told.rsplit_once("https://").unwrap().1.parse().unwrap();
    let mut open = SecureClient::connect(address, None).await;
    assert_eq!(open.shown, certificate("cert.pem").as_ref());

    install(folder.path(), "renewed.pem", "renewed-key.pem");
    signal(&serving, "HUP");
    line_with("was read again").unwrap();
    let renewed = SecureClient::connect(address, None).await;
    assert_eq!(renewed.shown, certificate("renewed.pem").as_ref());

    fs::write(folder.path().join("key.pem"), "no key").unwrap();
    signal(&serving, "HUP");
    line_with("the former one stays").unwrap();
    let kept = SecureClient::connect(address, None).await;
    assert_eq!(kept.shown, certificate("renewed.pem").as_ref());
    assert_eq!(open.get("/healthz").await.text(), "ok\n");

    signal(&serving, "TERM");
    assert!(serving.wait().unwrap().success());
}

#[tokio::test]
async fn a_store_is_opened_through_tls_by_those_who_believe_the_node() {
    let files = TlsFiles::new(tls_file("cert.pem"), tls_file("key.pem"));
    let node = encrypted(Tls::read(files).unwrap()).await;
    let url = format!("https://{}", node.address);
    let options = |file| StoreOptions::default().with_ca_file(tls_file(file));
    let store = Store::open_with(&url, options("cert.pem")).await.unwrap();
    assert_eq!(store.url(), url);
    let name = "orders".parse().unwrap();
    let orders = store.create_topic(&name, TopicOptions::default());
    let orders = orders.await.unwrap();
    let receipt = orders.append(Message::new("one")).await.unwrap();
    let read = orders.get(receipt.sequence).await.unwrap().unwrap();
    assert_eq!(read.payload().as_ref(), b"one");

    for (url, options, kind) in [
        (&url, options("renewed.pem"), ErrorKind::Unavailable),
        (&url, options("key.pem"), ErrorKind::Invalid),
        (&url, options("nowhere.pem"), ErrorKind::Invalid),
        (
            &url.replace("https", "http"),
            options("cert.pem"),
            ErrorKind::Unavailable,
        ),
    ] {
        let refused = Store::open_with(url, options).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_speaks_tls_to_a_node_that_it_believes() {
    let files = TlsFiles::new(tls_file("cert.pem"), tls_file("key.pem"));
    let node = encrypted(Tls::read(files).unwrap()).await;
    let url = format!("https://localhost:{}", node.address.port());
    let commands = tokio::task::spawn_blocking(move || {
        let create = ["topic", "create", "orders", "--store", &url];
        let mut believing = efflux();
        believing
            .args(create)
            .env("EFFLUX_CA_FILE", tls_file("cert.pem"));
        assert!(believing.output().unwrap().status.success());
        let mut doubting = efflux();
        doubting
            .args(create)
            .arg("--ca-file")
            .arg(tls_file("renewed.pem"));
        let refused = doubting.output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && told.contains("certificate"),
            "{told}"
        );
    });
    commands.await.unwrap();
}

#[test]
fn files_that_are_no_certificate_and_no_key_are_refused() {
    let (cert, key) = (tls_file("cert.pem"), tls_file("key.pem"));
    let read = |cert, key| Tls::read(TlsFiles::new(cert, key));
    assert!(read(&cert, &key).is_ok());
    for (cert, key) in [
        (&key, &key),
        (&cert, &cert),
        (&tls_file("nowhere.pem"), &key),
        (&cert, &tls_file("nowhere.pem")),
    ] {
        assert!(read(cert, key).is_err(), "{cert:?} {key:?}");
    }
}
