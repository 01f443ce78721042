//! Pages in browsers: those of the origins that were named, and the others.

use efflux_node::server::ServerOptions;
use http::Method;

use crate::client::{Answer, Node};

const APP: &str = "https://app.example";

async fn node() -> Node {
    let mut options = ServerOptions::default();
    options.pages = vec![APP.to_owned()];
    Node::start_with("mem:", options).await
}

async fn asked(node: &Node, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "PUT"),
        (
            "access-control-request-headers",
            "authorization, efflux-type",
        ),
    ];
    let path = "/v1/topics/orders";
    node.client.send(Method::OPTIONS, path, &headers, "").await
}

#[tokio::test]
async fn a_page_of_an_origin_that_was_named_may_use_the_node() {
    let node = node().await;
    let told = asked(&node, APP).await;
    assert_eq!(told.status, 200);
    assert_eq!(told.header("access-control-allow-origin"), APP);
    assert!(told.header("access-control-allow-methods").contains("PUT"));
    assert!(
        told.header("access-control-allow-headers")
            .contains("authorization")
    );

    let headers = [("origin", APP)];
    let path = "/v1/topics/orders";
    let made = node.client.send(Method::PUT, path, &headers, "").await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("access-control-allow-origin"), APP);
    let refused = node
        .client
        .send(Method::GET, "/v1/topics/a..b", &headers, "")
        .await;
    refused.refused(400, "invalid");
    // The page is told why, too.
    assert_eq!(refused.header("access-control-allow-origin"), APP);
    node.stop().await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_not() {
    let node = node().await;
    for origin in [
        "https://evil.example",
        "http://app.example",
        "https://app.example:8443",
        "null",
    ] {
        let told = asked(&node, origin).await;
        assert!(
            told.headers.get("access-control-allow-origin").is_none(),
            "{origin}"
        );
        let headers = [("origin", origin)];
        let put = node
            .client
            .send(Method::PUT, "/v1/topics/orders", &headers, "")
            .await;
        put.refused(403, "forbidden");
    }
    node.stop().await;
}

#[tokio::test]
async fn browsers_are_told_nothing_where_no_origin_was_named() {
    let node = Node::start().await;
    let told = asked(&node, "http://localhost:3000").await;
    assert!(
        told.headers.get("access-control-allow-origin").is_none(),
        "{told:?}"
    );
    node.stop().await;
}
