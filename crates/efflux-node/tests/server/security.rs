//! Tokens, permissions, and who may reach a node at all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use efflux_node::particle::Timestamp;
use efflux_node::server::{Access, NewToken, ServerOptions, Tokens};
use efflux_node::storage::{Clock, SystemClock};
use http::{Method, StatusCode};
use tempfile::TempDir;

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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let made = prepare(&path);
        let admin = token(&path, new(&["admin:*"], None, None));
        let access = Access::tokens(&path).unwrap();
        let node = Node::start_guarded(ServerOptions::default(), access).await;
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
    let trail = guarded
        .send(
            &reader,
            Method::GET,
            "/v1/topics/efflux.audit/particles?from=3",
        )
        .await;
    let trail = trail.json();
    let of = |at: usize, name: &str| trail["particles"][at]["data"][name].to_string();
    assert_eq!(
        (of(0, "method"), of(0, "path")),
        ("\"PUT\"".into(), "\"/v1/topics/more\"".into())
    );
    assert_eq!(
        (of(1, "method"), of(1, "status")),
        ("\"DELETE\"".into(), "400".into())
    );
    let secret = admin.rsplit_once('_').unwrap().1;
    assert!(!trail.to_string().contains(secret));
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
