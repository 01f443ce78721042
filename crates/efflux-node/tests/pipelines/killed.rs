//! The program is killed in the middle of its work, again and again.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::examples::sqlite;
use crate::place::Place;

const ORDERS: usize = 3000;

/// Fills a topic with orders.
fn fill(place: &Place) {
    let mut lines = std::fs::File::create(place.path("orders.ndjson")).unwrap();
    for number in 0..ORDERS {
        writeln!(
            lines,
            "{{\"id\":\"o-{number}\",\"customer\":\"c-{}\",\"total\":{number}}}",
            number % 7
        )
        .unwrap();
    }
    drop(lines);
    place.prints(&["import", "orders", "orders.ndjson", "--id", "id"]);
}

/// Runs and kills the pipelines of a file at moments that follow from a seed, then lets them finish.
fn killed_often(place: &Place, file: &str, is_done: impl Fn() -> bool) {
    let mut random = 0x5eed_u64;
    println!("seed {random:#x}");
    for _ in 0..8 {
        let mut child = place.spawn(&["pipeline", "run", file]);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let until = Instant::now() + Duration::from_millis(20 + (random >> 33) % 250);
        while Instant::now() < until {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    place.prints(&["pipeline", "run", file, "--until-idle", "500ms"]);
    assert!(is_done());
}

#[test]
fn a_table_has_each_order_exactly_once() {
    let place = Place::new();
    fill(&place);
    sqlite(&place, "CREATE TABLE orders (id TEXT, total INTEGER)");
    let text = "version = 1\n[pipeline.p]\nconnector = { topic = { name = \"orders\" } }\n\
                steps = [{ jq = '{ id, total }' }]\nbatch = { messages = 100 }\n\
                port = { sqlite = { path = \"orders.db\", table = \"orders\" } }\n";
    place.write("p.toml", text);
    killed_often(&place, "p.toml", || {
        let counted = sqlite(
            &place,
            "SELECT count(*), count(DISTINCT id), sum(total) FROM orders",
        );
        let sum = ORDERS * (ORDERS - 1) / 2;
        counted == format!("{ORDERS} {ORDERS} {sum}\n")
    });
}

#[test]
fn a_topic_has_each_part_of_each_order_exactly_once() {
    let place = Place::new();
    fill(&place);
    let text = "version = 1\n[pipeline.p]\nconnector = { topic = { name = \"orders\" } }\n\
                steps = [{ jq = '{ id }, { customer }' }]\nbatch = { messages = 100 }\n\
                router = { topic = \"parts\" }\n";
    place.write("p.toml", text);
    killed_often(&place, "p.toml", || {
        let mut ids: Vec<_> = place
            .payloads("parts")
            .into_iter()
            .filter(|it| it.contains("\"id\""))
            .collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        all == ORDERS && ids.len() == ORDERS && place.payloads("parts").len() == 2 * ORDERS
    });
}
