//! Steps and ports see what was compressed, whatever it was compressed with.

use efflux_node::particle::{ContentEncoding, Message};
use efflux_node::storage::{Store, TopicOptions};
use efflux_servers::Postgres;

use crate::examples::sqlite;
use crate::place::Place;
use crate::webhooks::Service;

/// What each pipeline reads, and when it ends.
const HEAD: &str = "version = 1\n";
const IDLE: &[&str] = &["--until-idle", "500ms"];

/// Three orders in the topic `orders`: one plain, one by gzip, one by zstd.
async fn fill(place: &Place) {
    let url = format!("file:{}", place.path("store").display());
    let store = Store::open(&url).await.unwrap();
    let name = "orders".parse().unwrap();
    let topic = store.topic_or_create(&name, TopicOptions::default()).await;
    let topic = topic.unwrap();
    for (id, total, encoding) in [
        ("plain", 5, None),
        ("gzip", 20, Some(ContentEncoding::Gzip)),
        ("zstd", 30, Some(ContentEncoding::Zstd)),
    ] {
        let message = Message::new(order(id, total)).with_content_type("application/json");
        let message = match encoding {
            Some(encoding) => message.compressed(encoding).unwrap(),
            None => message,
        };
        let message = message.with_id(id.parse().unwrap());
        topic.append(message).await.unwrap();
    }
    store.close().await.unwrap();
}

fn order(id: &str, total: u32) -> String {
    format!(
        "{{\"id\":\"{id}\",\"total\":{total},\"items\":[{{\"sku\":\"{id}-a\"}},{{\"sku\":\"{id}-b\"}}]}}"
    )
}

/// All that the program prints, which must end well.
fn told(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments);
    let both = [output.stdout, output.stderr].concat();
    let told = String::from_utf8(both).unwrap();
    assert!(output.status.success(), "{told}");
    told
}

/// Runs one pipeline from the topic `orders`, with these steps, to where they say.
fn run(place: &Place, name: &str, rest: &str) -> String {
    let file = format!("{name}.toml");
    let connector = "connector = { topic = { name = \"orders\" } }";
    place.write(
        &file,
        &format!("{HEAD}[pipeline.{name}]\n{connector}\n{rest}\n"),
    );
    let told = told(place, &[&["pipeline", "run", &file][..], IDLE].concat());
    assert!(!told.contains("dead letters"), "{told}");
    told
}

fn lines(place: &Place, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(place.path(file)).unwrap();
    text.lines().map(ToOwned::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_see_what_was_compressed() {
    let place = Place::new();
    fill(&place).await;
    let all = [order("plain", 5), order("gzip", 20), order("zstd", 30)];
    let check = |name: &str, steps: &str, expect: &[&str]| {
        run(
            &place,
            name,
            &format!("steps = [{steps}]\nrouter = {{ topic = \"{name}\" }}"),
        );
        assert_eq!(place.payloads(name), expect, "{name}");
    };
    check(
        "filter",
        "{ filter = 'data.total > 10' }",
        &[&all[1], &all[2]],
    );
    check("keep", "{ jq_filter = '.total > 10' }", &[&all[1], &all[2]]);
    check("jq", "{ jq = '.total' }", &["5", "20", "30"]);
    let split = "{ split = { json = { path = \"items\" } } }, { jq = '.sku' }";
    let skus = [
        "\"plain-a\"",
        "\"plain-b\"",
        "\"gzip-a\"",
        "\"gzip-b\"",
        "\"zstd-a\"",
        "\"zstd-b\"",
    ];
    check("split", split, &skus);
    check(
        "lines",
        "{ split = { lines = {} } }",
        &[&all[0], &all[1], &all[2]],
    );
    check(
        "dedupe",
        "{ dedupe = { key = \"{data.id}\" } }",
        &[&all[0], &all[1], &all[2]],
    );
    check(
        "verify",
        "{ verify = { json = true } }",
        &[&all[0], &all[1], &all[2]],
    );
    let set = "{ metadata = { set = { \"properties.total\" = \"{data.total}\" } } }, \
               { filter = 'properties.total = \"20\"' }";
    check("set", set, &[&all[1]]);
    let table = "{ convert = { json_to_csv = { columns = [\"id\"] } } }, \
                 { convert = { csv_to_json = {} } }, { jq = '.[].id' }";
    check("table", table, &["\"plain\"", "\"gzip\"", "\"zstd\""]);
    let whole = format!("[{},{},{}]", all[0], all[1], all[2]);
    check(
        "array",
        "{ aggregate = { messages = 3, period = \"10s\" } }",
        &[&whole],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn routers_see_what_was_compressed_and_a_copy_stays_as_it_was() {
    let place = Place::new();
    fill(&place).await;
    run(&place, "p", "router = { topic = \"copies-{data.total}\" }");
    for (total, id, encoding) in [
        (5, "plain", None),
        (20, "gzip", Some("gzip")),
        (30, "zstd", Some("zstd")),
    ] {
        let topic = format!("copies-{total}");
        assert_eq!(place.payloads(&topic), [order(id, total)]);
        let told = place.prints(&["read", &topic, "-o", "json"]);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["content_encoding"].as_str(), encoding);
        assert_eq!(told["id"], id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_write_what_was_compressed() {
    let service = Service::start();
    service.mend();
    let place = Place::new().with("HOOK", format!("http://{}/", service.address));
    fill(&place).await;
    let all = [order("plain", 5), order("gzip", 20), order("zstd", 30)];
    std::fs::create_dir(place.path("out")).unwrap();
    run(
        &place,
        "file",
        "port = { file = { folder = \"out\", path = \"all\" } }",
    );
    assert_eq!(lines(&place, "out/all"), all);
    let each = "port = { file = { folder = \"out\", path = \"{data.id}\", layout = \"each\" } }";
    run(&place, "each", each);
    for (id, content) in ["plain", "gzip", "zstd"].iter().zip(&all) {
        assert_eq!(lines(&place, &format!("out/{id}")), [content.as_str()]);
    }
    run(
        &place,
        "webhook",
        "port = { webhook = { url = \"${HOOK}\" } }",
    );
    let mut told = all.to_vec();
    told.sort();
    assert_eq!(service.told(), told);
    sqlite(
        &place,
        "CREATE TABLE orders (id TEXT, total INTEGER, whole TEXT)",
    );
    run(
        &place,
        "sqlite",
        "port = { sqlite = { path = \"orders.db\", table = \"orders\", columns = { id = \"data.id\", \
         total = \"data.total\", whole = \"payload\" } } }",
    );
    let rows = sqlite(&place, "SELECT id, total, whole FROM orders ORDER BY total");
    let expect = ["plain 5", "gzip 20", "zstd 30"].iter().zip(&all);
    let expect: String = expect
        .map(|(row, whole)| format!("{row} {whole}\n"))
        .collect();
    assert_eq!(rows, expect);
    let printed = run(
        &place,
        "stdout",
        "port = { stdout = { format = \"payload\" } }",
    );
    for content in &all {
        assert!(printed.contains(content.as_str()), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_postgres_have_what_was_compressed() {
    let server = Postgres::start().unwrap();
    let place = Place::new().with("DATABASE", server.url());
    fill(&place).await;
    for mode in ["insert", "copy"] {
        let table = format!("CREATE TABLE {mode}ed (id text, total int, whole jsonb, raw bytea)");
        server.query(&table).unwrap();
        let port = format!(
            "port = {{ postgres = {{ url = \"${{DATABASE}}\", table = \"{mode}ed\", mode = \"{mode}\", \
             columns = {{ id = \"data.id\", total = \"data.total\", whole = \"payload\", \
             raw = \"payload\" }} }} }}"
        );
        run(&place, mode, &port);
        let rows = server.query(&format!(
            "SELECT id, total, whole->>'id', convert_from(raw, 'UTF8')::jsonb->>'total' \
             FROM {mode}ed ORDER BY total"
        ));
        assert_eq!(
            rows.unwrap().trim(),
            "plain|5|plain|5\ngzip|20|gzip|20\nzstd|30|zstd|30"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_of_what_was_compressed_is_replayed() {
    let service = Service::start();
    let place = Place::new().with("HOOK", format!("http://{}/", service.address));
    let url = format!("file:{}", place.path("store").display());
    let store = Store::open(&url).await.unwrap();
    let name = "orders".parse().unwrap();
    let topic = store.topic_or_create(&name, TopicOptions::default()).await;
    let message = Message::new("{\"is\":\"bad\"}").compressed(ContentEncoding::Zstd);
    topic.unwrap().append(message.unwrap()).await.unwrap();
    store.close().await.unwrap();
    let text = format!(
        "{HEAD}[pipeline.p]\nconnector = {{ topic = {{ name = \"orders\" }} }}\n\
         port = {{ webhook = {{ url = \"${{HOOK}}\" }} }}\n"
    );
    place.write("p.toml", &text);
    let run = told(&place, &[&["pipeline", "run", "p.toml"][..], IDLE].concat());
    assert!(run.contains("1 dead letters"), "{run}");
    assert_eq!(place.payloads("orders.dead"), ["{\"is\":\"bad\"}"]);
    service.mend();
    let replayed = told(&place, &["pipeline", "replay", "p.toml", "p"]);
    assert!(replayed.contains("1 in, 1 delivered"), "{replayed}");
    assert_eq!(service.told(), ["{\"is\":\"bad\"}"]);
}
