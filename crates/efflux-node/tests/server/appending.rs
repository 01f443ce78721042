//! Appending in every form, with and without a condition.

use crate::client::{Client, Node};
use efflux_node::particle::{Draft, Head, Id, Message, Particle, Stamp, Timestamp};
use http::{Method, StatusCode};

const BATCHES: &str = "/v1/topics/orders/batches";
const ONE: &str = "/v1/topics/orders/particles";

async fn shown(client: &Client, sequence: u64) -> serde_json::Value {
    client.get(&format!("{ONE}/{sequence}")).await.json()
}

async fn send(
    client: &Client,
    path: &str,
    media_type: &str,
    body: impl Into<bytes::Bytes>,
) -> crate::client::Answer {
    client
        .send(Method::POST, path, &[("content-type", media_type)], body)
        .await
}

#[tokio::test]
async fn one_message_is_the_body_and_its_headers() {
    let node = Node::with_orders().await;
    let headers = [
        ("content-type", "application/json"),
        ("efflux-id", "a%20b"),
        ("efflux-type", "order.placed"),
        ("efflux-group", "gr%C3%B6%C3%9Fe"),
        ("efflux-time", "2026-01-01T00:00:00Z"),
        ("efflux-property-customer", "42"),
    ];
    let appended = node.client.append("{\"total\":12}", &headers).await;
    assert_eq!(appended.status, StatusCode::CREATED, "{appended:?}");
    let answer = appended.json();
    assert_eq!(answer["durability"], "memory");
    let receipt = &answer["receipts"][0];
    assert_eq!(
        (&receipt["sequence"], &receipt["duplicate"]),
        (&1.into(), &false.into())
    );
    assert_eq!(
        answer["head"],
        format!("1:{}", receipt["fingerprint"].as_str().unwrap())
    );
    let particle = shown(&node.client, 1).await;
    for (name, value) in [
        ("id", "a b"),
        ("data_type", "order.placed"),
        ("message_group", "größe"),
        ("timestamp", "2026-01-01T00:00:00Z"),
        ("content_type", "application/json"),
        ("payload", "{\"total\":12}"),
    ] {
        assert_eq!(particle[name], value, "{name}");
    }
    assert_eq!(particle["properties"]["customer"], "42");
    assert_eq!(particle["data"]["total"], 12);

    let again = node.client.append("{\"total\":12}", &headers).await;
    assert_eq!((again.status, again.sequences()), (StatusCode::OK, vec![1]));
    let taken = node.client.append("{\"total\":13}", &headers).await;
    taken.refused(409, "conflict");
}

#[tokio::test]
async fn what_an_append_survives_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("store").display().to_string();
    let node = Node::start_with(&url, Default::default()).await;
    for (settings, durability) in [("{}", "synced"), (r#"{"sync":"os"}"#, "written")] {
        node.client.put("/v1/topics/orders", settings).await;
        let appended = node.client.append("one", &[]).await;
        assert_eq!(appended.json()["durability"], durability);
        node.client.delete("/v1/topics/orders?confirm=orders").await;
    }
    node.stop().await;
}

#[tokio::test]
async fn headers_that_are_none_are_refused() {
    let node = Node::with_orders().await;
    for (name, value) in [
        ("efflux-typ", "x"),
        ("efflux-type", ""),
        ("efflux-type", "%ff"),
        ("efflux-type", "a%0Ab"),
        ("efflux-time", "noon"),
        ("efflux-id", ""),
        ("content-encoding", "br"),
        ("efflux-expect", "soon"),
        ("if-match", "1:ab"),
        ("if-match", "\"1:ab\""),
    ] {
        let answer = node.client.append("x", &[(name, value)]).await;
        answer.refused(400, "invalid");
    }
    let twice = [("efflux-type", "a"), ("efflux-type", "b")];
    node.client
        .append("x", &twice)
        .await
        .refused(400, "invalid");
    let both = [
        ("efflux-expect", "empty"),
        ("if-match", &format!("\"0:{}\"", "ab".repeat(32))),
    ];
    node.client.append("x", &both).await.refused(400, "invalid");
    assert_eq!(node.client.append("x", &[]).await.sequences(), [1]);
}

#[tokio::test]
async fn a_batch_is_json_or_lines() {
    let node = Node::with_orders().await;
    let client = &node.client;
    let json = client
        .post(
            BATCHES,
            r#"[{"data":1,"id":"a"},{"payload_base64":"/w=="}]"#,
        )
        .await;
    assert_eq!(json.sequences(), [1, 2]);
    let lines = send(
        client,
        BATCHES,
        "application/x-ndjson",
        "{\"data\":3}\n\n{\"payload\":\"4\"}",
    )
    .await;
    assert_eq!(lines.sequences(), [3, 4]);
    assert_eq!(shown(client, 2).await["payload_base64"], "/w==");
    assert_eq!(shown(client, 3).await["data"], 3);
}

#[tokio::test]
async fn a_batch_that_is_none_is_refused_as_a_whole() {
    let node = Node::with_orders().await;
    let client = &node.client;
    client.append("0", &[("efflux-id", "a")]).await;

    for (media_type, body, status, name) in [
        (
            "application/json",
            r#"[{"data":1},{"id":""}]"#,
            400,
            "invalid",
        ),
        (
            "application/json",
            r#"[{"data":1},{"data_type":""}]"#,
            400,
            "invalid",
        ),
        (
            "application/json",
            r#"[{"data":1},{"id":"a","data":2}]"#,
            409,
            "conflict",
        ),
        ("application/json", r#"{"data":1}"#, 422, "malformed"),
        ("application/json", "[]", 400, "invalid"),
        (
            "application/json",
            "[{\"payload\":\"\u{1}\"}]",
            400,
            "invalid",
        ),
        (
            "application/x-ndjson",
            "{\"data\":1}\n{\"dat\":1}",
            422,
            "malformed",
        ),
        ("application/x-ndjson", "\n\n", 400, "invalid"),
        ("text/csv", "a,b", 415, "unsupported-media-type"),
        ("application/vnd.efflux.frames", "no frame", 400, "invalid"),
    ] {
        send(client, BATCHES, media_type, body)
            .await
            .refused(status, name);
    }
    let bad_utf_8 = send(
        client,
        BATCHES,
        "application/json",
        &b"[{\"payload\":\"\xff\"}]"[..],
    )
    .await;
    bad_utf_8.refused(400, "invalid");
    let deep = format!("[{{\"data\":{}{}}}]", "[".repeat(5000), "]".repeat(5000));
    client.post(BATCHES, &deep).await.refused(422, "malformed");
    // As a payload that nobody reads on the way it is kept, and shown as a text.
    assert_eq!(client.post(ONE, &deep).await.sequences(), [2]);
    let shown = client.get(&format!("{ONE}/2")).await.json();
    assert_eq!(
        (&shown["payload"], &shown["data"]),
        (&deep.into(), &serde_json::Value::Null)
    );
    assert_eq!(client.append("x", &[]).await.sequences(), [3]);
}

fn particle(message: &Message) -> Particle {
    let stamp = Stamp {
        id: Id::from_uuid([7; 16]),
        created: Timestamp::from_nanos(1_767_225_600_000_000_000),
        in_batch: false,
    };
    let (head, _) = Head::root(&"elsewhere".parse().unwrap(), &stamp).unwrap();
    head.link(Draft::encode(message, &stamp).unwrap()).1
}

#[tokio::test]
async fn frames_are_appended_with_their_ids_and_come_back() {
    let node = Node::with_orders().await;
    let client = &node.client;
    let sent = particle(
        &Message::new("framed")
            .with_data_type("t")
            .with_property("a", "b"),
    );
    let frames = "application/vnd.efflux.frames";
    let appended = send(client, BATCHES, frames, sent.frame().clone()).await;
    assert_eq!(appended.sequences(), [1]);
    let read = client.get_as(&format!("{ONE}?from=1"), frames).await;
    let came = Particle::decode(&read.body).unwrap();
    assert_eq!(Message::from(&came), Message::from(&sent));
    assert_eq!(read.header("efflux-head"), Head::on(&came).to_string());
    let again = send(client, BATCHES, frames, read.body.clone()).await;
    assert_eq!((again.status, again.sequences()), (StatusCode::OK, vec![1]));

    let whole = client.get_as(ONE, frames).await.body;
    let refused = send(client, BATCHES, frames, whole)
        .await
        .refused(400, "invalid");
    assert!(refused.contains("root"), "{refused}");
    let mut altered = sent.frame().to_vec();
    let at = altered.len() - 10;
    altered[at] ^= 1;
    send(client, BATCHES, frames, altered)
        .await
        .refused(400, "invalid");
    let cut = sent.frame().slice(..60);
    send(client, BATCHES, frames, cut)
        .await
        .refused(400, "invalid");
}

#[tokio::test]
async fn events_come_in_three_modes_and_go_back_the_same_way() {
    let node = Node::with_orders().await;
    let client = &node.client;
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/shop"),
        ("ce-type", "order.placed"),
        ("content-type", "application/json"),
    ];
    assert_eq!(
        client.append("{\"total\":1}", &binary).await.sequences(),
        [1]
    );
    let event = |id: u32| {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/shop","type":"order.paid","data":{{"total":{id}}}}}"#
        )
    };
    let structured = send(
        client,
        ONE,
        "application/cloudevents+json; charset=utf-8",
        event(2),
    )
    .await;
    assert_eq!(structured.sequences(), [2]);
    let batch = format!("[{},{}]", event(3), event(4));
    let batched = send(client, ONE, "application/cloudevents-batch+json", batch).await;
    assert_eq!(batched.sequences(), [3, 4]);

    let back = client
        .get_as(&format!("{ONE}/1"), "application/cloudevents+json")
        .await;
    assert_eq!(
        (&back.json()["type"], &back.json()["data"]["total"]),
        (&"order.placed".into(), &1.into())
    );
    let all = client
        .get_as(
            &format!("{ONE}?from=1"),
            "application/cloudevents-batch+json",
        )
        .await
        .json();
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!(
        (&all[3]["id"], &all[3]["source"]),
        (&"4".into(), &"/shop".into())
    );
    assert_eq!(all[3]["effluxsequence"], "4");
    let path = "/v1/topics/orders/ids/%2Fshop%234";
    let found = client.get(path).await.json();
    assert_eq!(
        (&found["sequence"], &found["properties"]["ce.id"]),
        (&4.into(), &"4".into())
    );
    let asked = format!("{ONE}?query=properties.ce.id=%224%22");
    assert_eq!(
        client.get(&asked).await.json()["particles"][0]["sequence"],
        4
    );
    let headers = client.get(&format!("{ONE}/2/payload")).await;
    assert_eq!(
        (headers.header("ce-id"), headers.header("ce-type")),
        ("2", "order.paid")
    );
    let no_event = send(client, ONE, "application/cloudevents+json", r#"{"id":"1"}"#).await;
    no_event.refused(400, "invalid");
}

#[tokio::test]
async fn an_event_is_known_by_its_source_and_its_id_together() {
    let node = Node::with_orders().await;
    let event = |source: &str, data: u32| {
        format!(r#"{{"specversion":"1.0","id":"7","source":"{source}","type":"t","data":{data}}}"#)
    };
    let media_type = "application/cloudevents+json";
    for (source, data, status) in [
        ("/shop", 1, 201),
        ("/store", 1, 201),
        ("/shop", 1, 200),
        ("/shop", 2, 409),
        ("/store", 1, 200),
    ] {
        let sent = send(&node.client, ONE, media_type, event(source, data)).await;
        assert_eq!(sent.status.as_u16(), status, "{source} {data}");
    }
    let all = "application/cloudevents-batch+json";
    let all = node
        .client
        .get_as(&format!("{ONE}?from=1"), all)
        .await
        .json();
    let sources: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["source"])
        .collect();
    assert_eq!(sources, ["/shop", "/store"]);
    assert_eq!((&all[0]["id"], &all[1]["id"]), (&"7".into(), &"7".into()));
}

#[tokio::test]
async fn attributes_of_an_event_without_its_version_are_refused() {
    let node = Node::with_orders().await;
    let attributes = [("ce-id", "1"), ("ce-source", "/shop"), ("ce-type", "t")];
    let refused = node.client.append("x", &attributes).await;
    let refused = refused.refused(400, "invalid");
    assert!(refused.contains("specversion"), "{refused}");
    for one in attributes {
        node.client
            .append("x", &[one])
            .await
            .refused(400, "invalid");
    }
}

#[tokio::test]
async fn a_condition_holds_or_nothing_is_appended() {
    let node = Node::with_orders().await;
    let client = &node.client;
    assert_eq!(
        client
            .append("1", &[("efflux-expect", "empty")])
            .await
            .sequences(),
        [1]
    );
    client
        .append("x", &[("efflux-expect", "empty")])
        .await
        .refused(409, "conflict");

    let tag = client
        .get("/v1/topics/orders/head")
        .await
        .header("etag")
        .to_owned();
    assert_eq!(
        client.append("2", &[("if-match", &tag)]).await.sequences(),
        [2]
    );
    client
        .append("x", &[("if-match", &tag)])
        .await
        .refused(412, "precondition-failed");

    let group = [("efflux-expect", "group=none;g"), ("efflux-group", "g")];
    assert_eq!(client.append("3", &group).await.sequences(), [3]);
    client.append("x", &group).await.refused(409, "conflict");

    let no_match = "no-match-after=3;type%20=%20%22order.placed%22";
    let placed = [("efflux-expect", no_match), ("efflux-type", "order.placed")];
    assert_eq!(client.append("4", &placed).await.sequences(), [4]);
    let refused = client.append("x", &placed).await.refused(409, "conflict");
    assert!(refused.contains("sequence 4"), "{refused}");
    assert_eq!(
        client.get("/v1/topics/orders/head").await.json()["head"]
            .as_str()
            .unwrap()[..2],
        *"4:"
    );
}

#[tokio::test]
async fn a_compressed_payload_is_kept_as_it_is_and_shown_as_what_it_says() {
    let node = Node::with_orders().await;
    let text = "compressed ".repeat(50);
    let message =
        Message::new(text.clone()).compressed(efflux_node::particle::ContentEncoding::Gzip);
    let stored = message.unwrap().payload().clone();
    let headers = [("content-encoding", "gzip"), ("content-type", "text/plain")];
    node.client
        .send(Method::POST, ONE, &headers, stored.clone())
        .await;
    let payload = node.client.get(&format!("{ONE}/1/payload")).await;
    assert_eq!(
        (payload.header("content-encoding"), &payload.body),
        ("gzip", &stored)
    );
    assert_eq!(shown(&node.client, 1).await["payload"], text);
}
