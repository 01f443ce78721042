//! Reading: pages, streams, single particles, payloads, waits, checks.

use crate::client::Node;
use efflux_node::particle::{Chain, FrameSize, Particle};
use http::{Method, StatusCode};
use serde_json::Value;

const ALL: &str = "/v1/topics/orders/particles";

/// A node whose topic has 30 particles beside its root, of three types.
async fn filled() -> Node {
    let node = Node::with_orders().await;
    let messages: Vec<_> = (1..=30)
        .map(|number| {
            format!(
                r#"{{"id":"id-{number}","data":{number},"data_type":"type-{}"}}"#,
                number % 3
            )
        })
        .collect();
    let body = format!("[{}]", messages.join(","));
    let appended = node.client.post("/v1/topics/orders/batches", &body).await;
    assert_eq!(appended.sequences().len(), 30);
    node
}

fn sequences(page: &Value) -> Vec<u64> {
    let particles = page["particles"].as_array().unwrap();
    particles
        .iter()
        .map(|it| it["sequence"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_follow_each_other_in_both_directions() {
    let node = filled().await;
    for (first, step) in [("?limit=7", "from"), ("?limit=7&reverse=true", "until")] {
        let (mut all, mut path) = (Vec::new(), format!("{ALL}{first}"));
        loop {
            let page = node.client.get(&path).await.json();
            let found = sequences(&page);
            let is_over = found.is_empty();
            all.extend(found);
            let Some(next) = page["next"].as_u64().filter(|_| !is_over) else {
                break;
            };
            path = format!("{ALL}{first}&{step}={next}");
        }
        if step == "until" {
            all.reverse();
        }
        assert_eq!(all, (0..=30).collect::<Vec<u64>>(), "{first}");
    }
}

#[tokio::test]
async fn ranges_and_queries_choose_what_is_read() {
    let node = filled().await;
    for (asked, expect) in [
        ("?from=29", vec![29, 30]),
        ("?from=3&until=5", vec![3, 4, 5]),
        ("?from=3&until=5&reverse=true", vec![5, 4, 3]),
        ("?until=99&from=30", vec![30]),
        ("?from=31", vec![]),
        ("?from=5&until=3", vec![]),
        ("?query=type=type-1&limit=3", vec![1, 4, 7]),
        ("?query=type%3Dtype-1&limit=2&reverse=true", vec![28, 25]),
        ("?query=type=type-1&from=2&until=8", vec![4, 7]),
        ("?query=id=id-17", vec![17]),
        ("?query=type=nothing", vec![]),
        ("?limit=0", vec![]),
    ] {
        let page = node.client.get(&format!("{ALL}{asked}")).await.json();
        assert_eq!(sequences(&page), expect, "{asked}");
    }
    let page = node
        .client
        .get(&format!("{ALL}?query=type=type-1&limit=3"))
        .await
        .json();
    assert_eq!(page["next"], 8);
    let last = node
        .client
        .get(&format!("{ALL}?query=type=type-1"))
        .await
        .json();
    assert_eq!(last["next"], 31);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let node = filled().await;
    for asked in [
        "?from=-1",
        "?from=x",
        "?limit=-1",
        "?form=1",
        "?reverse=yes",
        "?from=1&from=2",
        "?query=typ=a",
        "?query=data.total=1",
        "?query=%ff",
        "?query=%00",
        "?from=18446744073709551616",
    ] {
        node.client
            .get(&format!("{ALL}{asked}"))
            .await
            .refused(400, "invalid");
    }
    node.client
        .get_as(ALL, "image/png")
        .await
        .refused(406, "not-acceptable");
    for path in [
        format!("{ALL}/31"),
        "/v1/topics/orders/ids/nowhere".to_owned(),
        "/v1/topics/other/particles".to_owned(),
        "/v1/nothing".to_owned(),
        "/".to_owned(),
        "/v1/topics/orders/particles/1/payload/".to_owned(),
    ] {
        node.client.get(&path).await.refused(404, "not-found");
    }
    node.client
        .get(&format!("{ALL}/x"))
        .await
        .refused(400, "invalid");
}

#[tokio::test]
async fn a_stream_is_lines_or_frames_without_a_bound() {
    let node = filled().await;
    let lines = node
        .client
        .get_as(&format!("{ALL}?from=1"), "application/x-ndjson")
        .await
        .text();
    let parsed: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(parsed.len(), 30);
    assert_eq!(parsed[29]["data"], 30);

    let frames = "application/vnd.efflux.frames";
    let mut rest = node.client.get_as(ALL, frames).await.body;
    let mut chain: Option<Chain> = None;
    while !rest.is_empty() {
        let size = FrameSize::forwards(&rest).unwrap().frame_bytes();
        let particle = Particle::decode(&rest.split_to(size)).unwrap();
        match &mut chain {
            None => chain = Some(Chain::root(&"orders".parse().unwrap(), &particle).unwrap()),
            Some(chain) => drop(chain.check(&particle).unwrap()),
        }
    }
    let head = node.client.get("/v1/topics/orders/head").await.json();
    assert_eq!(
        chain.unwrap().head().to_string(),
        head["head"].as_str().unwrap()
    );
    let some = node
        .client
        .get_as(&format!("{ALL}?query=type=type-1&limit=2"), frames)
        .await;
    let size = FrameSize::forwards(&some.body).unwrap().frame_bytes();
    assert_eq!(
        Particle::decode(&some.body.slice(size..))
            .unwrap()
            .sequence()
            .get(),
        4
    );
}

#[tokio::test]
async fn a_particle_is_found_by_place_and_by_id() {
    let node = filled().await;
    let by_place = node.client.get(&format!("{ALL}/17")).await;
    let by_id = node.client.get("/v1/topics/orders/ids/id-17").await;
    assert_eq!(by_place.json(), by_id.json());
    let fingerprint = by_place.json()["fingerprint"].as_str().unwrap().to_owned();
    let frame = node
        .client
        .get_as(&format!("{ALL}/17"), "application/vnd.efflux.frame")
        .await;
    assert_eq!(
        Particle::decode(&frame.body)
            .unwrap()
            .fingerprint()
            .to_string(),
        fingerprint
    );
}

#[tokio::test]
async fn each_form_of_a_particle_has_a_tag_of_its_own() {
    let node = filled().await;
    let path = format!("{ALL}/17");
    let mut tags = Vec::new();
    for accept in [
        "application/json",
        "application/vnd.efflux.frame",
        "application/cloudevents+json",
    ] {
        let answer = node.client.get_as(&path, accept).await;
        assert_eq!(answer.header("vary"), "accept");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        let tag = answer.header("etag").to_owned();
        let known = [("accept", accept), ("if-none-match", &tag)];
        let same = node.client.send(Method::GET, &path, &known, "").await;
        assert_eq!(same.status, StatusCode::NOT_MODIFIED, "{accept}");
        assert_eq!((same.header("etag"), same.body.len()), (&*tag, 0));
        assert_eq!(same.header("vary"), "accept");
        tags.push(tag);
    }
    let payload = node.client.get(&format!("{path}/payload")).await;
    tags.push(payload.header("etag").to_owned());
    let head = node.client.get("/v1/topics/orders/head").await;
    tags.push(head.header("etag").to_owned());
    let known = [("if-none-match", head.header("etag"))];
    let same = node
        .client
        .send(Method::GET, "/v1/topics/orders/head", &known, "");
    assert_eq!(same.await.status, StatusCode::NOT_MODIFIED);
    assert_eq!(node.client.get(ALL).await.header("vary"), "accept");
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 5, "{tags:?}");
}

#[tokio::test]
async fn a_page_ends_after_its_bound_and_tells_where_the_next_begins() {
    let node = Node::with_orders().await;
    let messages = vec![r#"{"payload":"x"}"#; 1200].join(",");
    let batch = format!("[{messages}]");
    node.client.post("/v1/topics/orders/batches", &batch).await;
    let page = node.client.get(&format!("{ALL}?limit=5000&from=1")).await;
    let page = page.json();
    assert_eq!(
        (sequences(&page).len(), &page["next"]),
        (1000, &1001.into())
    );
}

#[tokio::test]
async fn a_content_type_that_is_none_is_kept_and_not_told_to_http() {
    let node = Node::with_orders().await;
    let sent = r#"[{"payload":"x","content_type":"my own"}]"#;
    node.client.post("/v1/topics/orders/batches", sent).await;
    let particle = node.client.get(&format!("{ALL}/1")).await.json();
    assert_eq!(particle["content_type"], "my own");
    let payload = node.client.get(&format!("{ALL}/1/payload")).await;
    assert_eq!(payload.header("content-type"), "application/octet-stream");
}

#[tokio::test]
async fn a_payload_comes_whole_or_in_part() {
    let node = Node::with_orders().await;
    let client = &node.client;
    client
        .append("0123456789", &[("content-type", "text/plain")])
        .await;
    let path = format!("{ALL}/1/payload");
    let whole = client.get(&path).await;
    assert_eq!(
        (whole.text().as_str(), whole.header("content-type")),
        ("0123456789", "text/plain")
    );
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    let tag = whole.header("etag").to_owned();
    for (range, text, said) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-1", "9", "bytes 9-9/10"),
    ] {
        let part = client
            .send(Method::GET, &path, &[("range", range)], "")
            .await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(
            (part.text().as_str(), part.header("content-range")),
            (text, said)
        );
    }
    let beyond = client
        .send(Method::GET, &path, &[("range", "bytes=10-")], "")
        .await;
    beyond.refused(416, "range-not-satisfiable");
    assert_eq!(beyond.header("content-range"), "bytes */10");
    let same = client
        .send(Method::GET, &path, &[("if-none-match", &tag)], "")
        .await;
    assert_eq!(
        (same.status, same.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    let other = [("range", "bytes=0-1"), ("if-range", "\"other\"")];
    assert_eq!(
        client.send(Method::GET, &path, &other, "").await.text(),
        "0123456789"
    );
    for asked in [&[][..], &[("range", "bytes=0-1")]] {
        let head = client.send(Method::HEAD, &path, asked, "").await;
        assert_eq!(head.status, StatusCode::OK, "only GET asks for parts");
        assert_eq!((head.header("content-length"), head.body.len()), ("10", 0));
    }
}

#[tokio::test]
async fn a_wait_ends_with_what_was_waited_for() {
    let node = Node::with_orders().await;
    let client = node.client.clone();
    let page = tokio::spawn(async move {
        client
            .get(&format!("{ALL}?from=1&wait_ms=60000"))
            .await
            .json()
    });
    let client = node.client.clone();
    let head = tokio::spawn(async move {
        client
            .get("/v1/topics/orders/head?past=0&wait_ms=60000")
            .await
            .json()
    });
    // Whether they wait already or not, they end with this.
    node.client.append("one", &[]).await;
    assert_eq!(sequences(&page.await.unwrap()), [1]);
    assert!(
        head.await.unwrap()["head"]
            .as_str()
            .unwrap()
            .starts_with("1:")
    );
    let nothing = node
        .client
        .get(&format!("{ALL}?from=2&wait_ms=1"))
        .await
        .json();
    assert_eq!((sequences(&nothing), &nothing["next"]), (vec![], &2.into()));
}

#[tokio::test]
async fn a_topic_is_checked_whole_or_behind_a_head() {
    let node = filled().await;
    let verify = "/v1/topics/orders/verify";
    let whole = node.client.post(verify, "").await.json();
    assert_eq!(whole["particles"], 31);
    let root = node.client.get(&format!("{ALL}/0")).await.json();
    let root = format!("0:{}", root["fingerprint"].as_str().unwrap());
    let behind = format!(r#"{{"after":"{root}","until":20}}"#);
    let checked = node.client.post(verify, &behind).await.json();
    assert_eq!(checked["particles"], 20);
    assert!(checked["head"].as_str().unwrap().starts_with("20:"));
    let forged = format!(r#"{{"after":"0:{}"}}"#, "ab".repeat(32));
    node.client
        .post(verify, &forged)
        .await
        .refused(409, "conflict");
    let beyond = format!(r#"{{"after":"99:{}"}}"#, "ab".repeat(32));
    node.client
        .post(verify, &beyond)
        .await
        .refused(409, "conflict");
    node.client
        .post(verify, r#"{"after":"x"}"#)
        .await
        .refused(400, "invalid");
}
