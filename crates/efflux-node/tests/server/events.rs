//! Server-Sent Events.

use crate::client::Node;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Reads an event stream until it has so many events; their ids and types.
async fn events(body: &mut Incoming, count: usize) -> Vec<(u64, String)> {
    let (mut text, mut events) = (String::new(), Vec::new());
    while events.len() < count {
        let frame = body.frame().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        while let Some((event, rest)) = text.clone().split_once("\n\n") {
            text = rest.to_owned();
            let field = |name: &str| {
                event
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .map(str::to_owned)
            };
            if let Some(id) = field("id: ") {
                let data: serde_json::Value =
                    serde_json::from_str(&field("data: ").unwrap()).unwrap();
                assert_eq!(data["sequence"], id.parse::<u64>().unwrap());
                events.push((id.parse().unwrap(), field("event: ").unwrap_or_default()));
            }
        }
    }
    events
}

async fn open(node: &Node, asked: &str, headers: &[(&str, &str)]) -> Incoming {
    let path = format!("/v1/topics/orders/events{asked}");
    let response = node.client.open(Method::GET, &path, headers, "").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.into_body()
}

#[tokio::test]
async fn events_are_what_is_there_and_what_comes() {
    let node = Node::with_orders().await;
    node.client.append("one", &[("efflux-type", "a")]).await;
    let mut body = open(&node, "?from=1", &[]).await;
    assert_eq!(events(&mut body, 1).await, [(1, "a".to_owned())]);
    node.client.append("two", &[("efflux-type", "b")]).await;
    node.client.append("three", &[]).await;
    assert_eq!(
        events(&mut body, 2).await,
        [(2, "b".to_owned()), (3, String::new())]
    );
}

#[tokio::test]
async fn events_go_on_after_the_last_that_came() {
    let node = Node::with_orders().await;
    for _ in 0..5 {
        node.client.append("x", &[]).await;
    }
    let mut body = open(&node, "?from=1", &[("last-event-id", "3")]).await;
    let ids: Vec<_> = events(&mut body, 2)
        .await
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(ids, [4, 5]);
    let mut live = open(&node, "", &[]).await;
    // The first piece of the answer is there, so what comes from here on is seen.
    live.frame().await.unwrap().unwrap();
    node.client.append("x", &[]).await;
    assert_eq!(events(&mut live, 1).await[0].0, 6);
}

#[tokio::test]
async fn events_of_a_query_leave_out_the_others() {
    let node = Node::with_orders().await;
    for number in 0..6 {
        let kind = if number % 2 == 0 { "even" } else { "odd" };
        node.client.append("x", &[("efflux-type", kind)]).await;
    }
    let mut body = open(&node, "?from=0&query=type=odd", &[]).await;
    let ids: Vec<_> = events(&mut body, 3)
        .await
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(ids, [2, 4, 6]);
    node.client.append("x", &[("efflux-type", "even")]).await;
    node.client.append("x", &[("efflux-type", "odd")]).await;
    assert_eq!(events(&mut body, 1).await[0].0, 8);
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let node = Node::with_orders().await;
    let path = "/v1/topics/orders/events";
    for asked in ["?query=data.a=1", "?query=x", "?from=x", "?since=1"] {
        node.client
            .get(&format!("{path}{asked}"))
            .await
            .refused(400, "invalid");
    }
    let headers = [("last-event-id", "x")];
    node.client
        .send(Method::GET, path, &headers, "")
        .await
        .refused(400, "invalid");
    node.client
        .get("/v1/topics/other/events")
        .await
        .refused(404, "not-found");
}

#[tokio::test]
async fn a_stream_of_events_ends_when_the_node_stops() {
    let node = Node::with_orders().await;
    let mut body = open(&node, "?from=0", &[]).await;
    events(&mut body, 1).await;
    let stopped = node.ask_to_stop();
    assert!(body.frame().await.is_none());
    drop(body);
    stopped.await.unwrap().unwrap();
}
