//! Tokens, permissions, and who may reach a node at all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use efflux_node::particle::Timestamp;
use efflux_node::server::{Access, NewToken, Server, ServerOptions, Tokens};
use efflux_node::storage::{Clock, Store, SystemClock};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use crate::client::{Answer, Client, Node};

/// A node that wants tokens, and the folder of their file.
struct Guarded {
    node: Node,
    folder: TempDir,
}

fn new(permissions: &[&str], expires: Option<Timestamp>, rate: Option<u32>) -> NewToken {
    NewToken {
        name: "test".to_owned(),
        expires,
        requests_per_second: rate,
        permissions: permissions.iter().map(|it| it.parse().unwrap()).collect(),
    }
}

/// Adds a token to a file, and returns its secret.
fn token(path: &Path, token: NewToken) -> String {
    let mut tokens = Tokens::read(path).unwrap();
    let (_, secret) = tokens.add(token, SystemClock.now()).unwrap();
    tokens.write(path).unwrap();
    secret
}

impl Guarded {
    /// A node whose tokens were made by `prepare`, with the topics `orders` and `secrets`.
    async fn start<T>(prepare: impl FnOnce(&Path) -> T) -> (Self, T) {
        Self::start_on(false, prepare).await
    }

    async fn start_on<T>(is_on_disk: bool, prepare: impl FnOnce(&Path) -> T) -> (Self, T) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let made = prepare(&path);
        let admin = token(&path, new(&["admin:*"], None, None));
        let access = Access::tokens(&path).unwrap();
        let url = match is_on_disk {
            true => format!("file:{}", folder.path().join("store").display()),
            false => "mem:".to_owned(),
        };
        let node = Node::start_guarded_in(&url, ServerOptions::default(), access).await;
        let guarded = Self { node, folder };
        for topic in ["orders", "secrets"] {
            let made = guarded
                .send(&admin, Method::PUT, &format!("/v1/topics/{topic}"))
                .await;
            assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        }
        (guarded, made)
    }

    fn tokens(&self) -> PathBuf {
        self.folder.path().join("tokens.toml")
    }

    async fn send(&self, secret: &str, method: Method, path: &str) -> Answer {
        let bearer = format!("Bearer {secret}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let has_body = method == Method::POST && path.ends_with("/particles");
        let body = if has_body { "{}" } else { "" };
        self.node.client.send(method, path, &headers, body).await
    }
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_told() {
    let (guarded, expired) = Guarded::start(|path| {
        let past = Some(Timestamp::from_nanos(0));
        token(path, new(&["read:*"], past, None))
    })
    .await;
    for path in [
        "/v1/topics",
        "/v1/topics/orders",
        "/v1/topics/nowhere",
        "/metrics",
        "/v1/nothing",
    ] {
        guarded
            .node
            .client
            .get(path)
            .await
            .refused(401, "unauthenticated");
        for wrong in ["", "x", &expired, &expired.replace("efflux_", "efflux_0")] {
            guarded
                .send(wrong, Method::GET, path)
                .await
                .refused(401, "unauthenticated");
        }
    }
    for header in ["Basic eDp5", "Bearer", "Bearer  ", "bearer\u{e4}"] {
        let headers = [("authorization", header)];
        let answer = guarded
            .node
            .client
            .send(Method::GET, "/v1/topics", &headers, "")
            .await;
        answer.refused(401, "unauthenticated");
    }
    assert_eq!(
        guarded.node.client.get("/healthz").await.status,
        StatusCode::OK
    );
    assert_eq!(
        guarded.node.client.get("/openapi.json").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn each_permission_allows_its_action_on_its_topics_and_nothing_else() {
    let ((guarded, tokens), actions) = {
        let actions = ["read", "append", "consume", "admin"];
        let started = Guarded::start(|path| {
            actions.map(|action| token(path, new(&[&format!("{action}:orders")], None, None)))
        });
        (started.await, actions)
    };
    let routes = [
        (Method::GET, "", "read"),
        (Method::GET, "/head", "read"),
        (Method::GET, "/particles", "read"),
        (Method::GET, "/particles/0", "read"),
        (Method::GET, "/particles/0/payload", "read"),
        (Method::HEAD, "/particles/0/payload", "read"),
        (Method::POST, "/verify", "read"),
        (Method::GET, "/consumers", "read"),
        (Method::POST, "/particles", "append"),
        (Method::PUT, "/consumers/billing", "consume"),
        (Method::GET, "/consumers/billing", "consume"),
        (Method::POST, "/consumers/billing/receive", "consume"),
        (Method::DELETE, "/consumers/billing", "consume"),
        (Method::PUT, "", "admin"),
        (Method::POST, "/reopen", "admin"),
        (Method::DELETE, "?confirm=orders", "admin"),
    ];
    for (method, rest, needed) in routes {
        // The one who may do it comes last, because it changes what the others would see.
        let mut order: Vec<_> = actions.iter().zip(&tokens).collect();
        order.sort_by_key(|(action, _)| **action == needed);
        for (action, secret) in order {
            for topic in ["secrets", "orders"] {
                let path = format!("/v1/topics/{topic}{rest}");
                let answer = guarded.send(secret, method.clone(), &path).await;
                let is_allowed = *action == needed && topic == "orders";
                let is_refused = answer.status == StatusCode::FORBIDDEN;
                assert_eq!(
                    is_refused, !is_allowed,
                    "{action} {method} {path}: {answer:?}"
                );
                assert!(
                    !is_allowed || answer.status.is_success(),
                    "{method} {path}: {answer:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_name_written_in_another_way_is_the_same_topic() {
    let (guarded, secret) =
        Guarded::start(|path| token(path, new(&["read:orders"], None, None))).await;
    let read = guarded
        .send(&secret, Method::GET, "/v1/topics/%6frders")
        .await;
    assert_eq!(read.status, StatusCode::OK);
    for path in [
        "/v1/topics/%73ecrets",
        "/v1/topics/orders%2f..%2fsecrets",
        "/v1/topics/*",
        "/v1/topics/ORDERS",
    ] {
        let answer = guarded.send(&secret, Method::GET, path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn names_of_topics_are_told_to_those_who_may_do_something_there() {
    let (guarded, (some, all, none)) = Guarded::start(|path| {
        let some = token(path, new(&["append:ord*"], None, None));
        let all = token(path, new(&["read:*", "admin:*"], None, None));
        (some, all, token(path, new(&["read:other"], None, None)))
    })
    .await;
    for (secret, expect) in [
        (&some, r#"{"topics":["orders"]}"#),
        (&none, r#"{"topics":[]}"#),
    ] {
        let listed = guarded.send(secret, Method::GET, "/v1/topics").await;
        assert_eq!(listed.text(), expect);
        guarded
            .send(secret, Method::GET, "/metrics")
            .await
            .refused(403, "forbidden");
    }
    let listed = guarded.send(&all, Method::GET, "/v1/topics").await;
    assert!(
        listed.text().contains("\"orders\",\"secrets\""),
        "{listed:?}"
    );
    assert_eq!(
        guarded.send(&all, Method::GET, "/metrics").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_consumer_cannot_bury_where_its_maker_may_not_append() {
    let (guarded, secret) =
        Guarded::start(|path| token(path, new(&["consume:orders"], None, None))).await;
    let bearer = format!("Bearer {secret}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let path = "/v1/topics/orders/consumers/billing";
    let body = r#"{"dead_letter":"secrets"}"#;
    let answer = guarded
        .node
        .client
        .send(Method::PUT, path, &headers, body)
        .await;
    answer.refused(403, "forbidden");
}

#[tokio::test]
async fn a_rate_is_kept() {
    let (guarded, secret) =
        Guarded::start(|path| token(path, new(&["read:*"], None, Some(3)))).await;
    let mut refused = 0;
    for _ in 0..50 {
        let answer = guarded.send(&secret, Method::GET, "/v1/topics").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            answer.refused(429, "too-many-requests");
            refused += 1;
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_revoked_token_is_soon_refused_and_a_new_one_taken() {
    let (guarded, secret) = Guarded::start(|path| token(path, new(&["read:*"], None, None))).await;
    let path = guarded.tokens();
    let mut tokens = Tokens::read(&path).unwrap();
    let id = tokens.all()[0].id.clone();
    tokens.revoke(&id).unwrap();
    tokens.write(&path).unwrap();
    let other = token(&path, new(&["read:*"], None, None));
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    while guarded
        .send(&secret, Method::GET, "/v1/topics")
        .await
        .status
        == StatusCode::OK
    {
        assert!(tokio::time::Instant::now() < until);
    }
    assert_eq!(
        guarded.send(&other, Method::GET, "/v1/topics").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_is_administered_stands_in_the_trail() {
    let (guarded, (admin, reader)) = Guarded::start(|path| {
        let admin = token(path, new(&["admin:*", "append:*"], None, None));
        (admin, token(path, new(&["read:efflux.audit"], None, None)))
    })
    .await;
    let of_the_node = "/v1/topics/efflux.audit";
    let forged = format!("{of_the_node}/particles");
    guarded
        .send(&admin, Method::POST, &forged)
        .await
        .refused(403, "forbidden");
    let deleted = format!("{of_the_node}?confirm=efflux.audit");
    guarded
        .send(&admin, Method::DELETE, &deleted)
        .await
        .refused(403, "forbidden");
    guarded.send(&admin, Method::PUT, "/v1/topics/more").await;
    guarded
        .send(&admin, Method::DELETE, "/v1/topics/more")
        .await;
    let noted = trail(&guarded, &reader, "/more").await;
    let note = |method: &str, status| (method.to_owned(), "/v1/topics/more".to_owned(), status);
    assert_eq!(noted, [note("PUT", 201), note("DELETE", 400)]);
    let path = "/v1/topics/efflux.audit/particles";
    let trail = guarded.send(&reader, Method::GET, path).await;
    let secret = admin.rsplit_once('_').unwrap().1;
    assert!(!trail.text().contains(secret));
}

/// What the trail says was done to topics whose names begin so: method, path, status.
async fn trail(guarded: &Guarded, reader: &str, of: &str) -> Vec<(String, String, u64)> {
    let path = "/v1/topics/efflux.audit/particles?from=1&limit=1000";
    let trail = guarded.send(reader, Method::GET, path).await.json();
    let noted = trail["particles"].as_array().unwrap().iter();
    let noted = noted.map(|it| &it["data"]).map(|it| {
        let text = |name: &str| it[name].as_str().unwrap().to_owned();
        (text("method"), text("path"), it["status"].as_u64().unwrap())
    });
    noted.filter(|(_, path, _)| path.contains(of)).collect()
}

#[tokio::test]
async fn what_is_deleted_is_noted_although_its_client_hangs_up() {
    const TOPICS: usize = 20;
    let (guarded, (admin, reader)) = Guarded::start_on(true, |path| {
        let admin = token(path, new(&["admin:*"], None, None));
        (admin, token(path, new(&["read:*"], None, None)))
    })
    .await;
    for at in 0..TOPICS {
        let path = format!("/v1/topics/gone{at}");
        let made = guarded.send(&admin, Method::PUT, &path).await;
        assert_eq!(made.status, StatusCode::CREATED);
    }
    for at in 0..TOPICS {
        let mut stream = guarded.node.connect().await;
        let delete = format!(
            "DELETE /v1/topics/gone{at}?confirm=gone{at} HTTP/1.1\r\nhost: localhost\r\n\
             authorization: Bearer {admin}\r\n\r\n"
        );
        stream.write_all(delete.as_bytes()).await.unwrap();
    }
    // What is under way when its client has gone is finished, and what never began is not.
    let over = |metrics: &str| {
        let mut told = ["connections 1\n", "requests_in_flight 1\n"].iter();
        told.all(|told| metrics.contains(&format!("efflux_http_{told}")))
    };
    while !over(&guarded.send(&admin, Method::GET, "/metrics").await.text()) {}
    let listed = guarded.send(&admin, Method::GET, "/v1/topics").await;
    let there = listed.text().matches("gone").count();
    let noted = trail(&guarded, &reader, "gone").await;
    let noted = noted.iter().filter(|it| it.0 == "DELETE" && it.2 == 204);
    assert_eq!(noted.count(), TOPICS - there);
    assert!(there < TOPICS);
}

#[tokio::test]
async fn refused_attempts_to_administer_are_noted_and_what_is_no_route_is_not() {
    let (guarded, (some, reader)) = Guarded::start(|path| {
        let some = token(path, new(&["append:*"], None, None));
        (some, token(path, new(&["read:*"], None, None)))
    })
    .await;
    let topic = "/v1/topics/wanted";
    let refused = guarded.send(&some, Method::PUT, topic).await;
    refused.refused(403, "forbidden");
    let refused = guarded.node.client.put(topic, "").await;
    refused.refused(401, "unauthenticated");
    let none = guarded.send(&some, Method::PUT, "/wanted").await;
    none.refused(404, "not-found");
    let reopened = format!("{topic}/reopen");
    let refused = guarded.send(&some, Method::POST, &reopened).await;
    refused.refused(403, "forbidden");
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    let mut noted = Vec::new();
    while noted.len() < 3 {
        assert!(tokio::time::Instant::now() < until, "{noted:?}");
        noted = trail(&guarded, &reader, "wanted").await;
    }
    noted.sort();
    let note = |method: &str, path: &str, status| (method.to_owned(), path.to_owned(), status);
    let expect = [
        note("POST", &reopened, 403),
        note("PUT", topic, 401),
        note("PUT", topic, 403),
    ];
    assert_eq!(noted, expect);
}

#[tokio::test]
async fn what_goes_on_ends_when_its_token_is_revoked() {
    let (guarded, secret) = Guarded::start(|path| token(path, new(&["read:*"], None, None))).await;
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str())];
    let client = guarded.node.client.clone();
    let path = "/v1/topics/orders/events?from=0";
    let events = client.open(Method::GET, path, &headers, "").await;
    let wait = "/v1/topics/orders/head?past=99&wait_ms=60000";
    let wait = client.open(Method::GET, wait, &headers, "");
    let revoke = async {
        let mut tokens = Tokens::read(&guarded.tokens()).unwrap();
        let id = tokens.all()[0].id.clone();
        tokens.revoke(&id).unwrap();
        tokens.write(&guarded.tokens()).unwrap();
    };
    let ends = async {
        let mut events = events.into_body();
        while let Some(Ok(_)) = events.frame().await {}
    };
    let all = async { tokio::join!(wait, revoke, ends) };
    let (waited, (), ()) = tokio::time::timeout(Duration::from_secs(7), all)
        .await
        .unwrap();
    assert_eq!(waited.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_goes_on_ends_when_its_token_expires() {
    let (guarded, secret) = Guarded::start(|path| {
        let soon = SystemClock.now().nanos() + 2_000_000_000;
        let expires = Some(Timestamp::from_nanos(soon));
        token(path, new(&["read:*"], expires, None))
    })
    .await;
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str())];
    let path = "/v1/topics/orders/events?from=0";
    let events = guarded.node.client.open(Method::GET, path, &headers, "");
    let mut events = events.await.into_body();
    let ends = async { while let Some(Ok(_)) = events.frame().await {} };
    tokio::time::timeout(Duration::from_secs(10), ends)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_node_without_tokens_serves_no_pages_of_other_origins_wherever_it_listens() {
    let store = Store::open("mem:").await.unwrap();
    let server = Server::bind(store, "0.0.0.0:0", ServerOptions::default());
    let node = Node::run(server.await.unwrap());
    node.client.put("/v1/topics/orders", "").await;
    for origin in ["https://evil.example", "null"] {
        let host = [("origin", origin), ("host", "node.example")];
        let answer = node.client.append("x", &host).await;
        answer.refused(403, "forbidden");
    }
    let own = [("origin", "http://node.example"), ("host", "node.example")];
    assert_eq!(node.client.append("x", &own).await.sequences(), [1]);
}

#[tokio::test]
async fn pages_of_other_origins_do_not_reach_a_node_of_ones_own_machine() {
    let node = Node::with_orders().await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("host", "evil.example"),
    ] {
        let answer = node.client.append("x", &[(name, value)]).await;
        answer.refused(403, "forbidden");
    }
    let local = [("origin", "http://localhost:3000")];
    assert_eq!(node.client.append("x", &local).await.sequences(), [1]);
}

#[tokio::test]
async fn a_client_with_http_2_is_held_to_its_token_too() {
    let (guarded, _) = Guarded::start(|_| ()).await;
    let client = Client::of(guarded.node.address, true);
    client
        .get("/v1/topics")
        .await
        .refused(401, "unauthenticated");
}
