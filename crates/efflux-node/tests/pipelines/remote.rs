//! Pipelines whose topics are on a node that is killed and started again while messages flow.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use efflux_node::pipeline::{
    IntakeMax, Order, Pipeline, PipelineOptions, Policy, Retry, Route, StageError, TopicsPort,
    closure,
};
use efflux_node::storage::{Store, TopicOptions};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::node::Node;
use crate::place::Place;

const ORDERS: u64 = 2000;
const KILLS: u64 = 4;
/// Small batches, so that kills find many of them under way; short leases and waits, so that what was
/// handed out to nobody comes again soon.
const PACE: &str = "batch = { messages = 10 }\nlease = \"1s\"\n\
                    on_error = { initial = \"5ms\", max = \"50ms\" }\n";

/// Fills the topic `orders`, with ids and seven groups.
fn fill(place: &Place) {
    let line = |number| {
        let group = number % 7;
        format!("{{\"id\":\"o-{number}\",\"group\":\"g-{group}\",\"number\":{number}}}\n")
    };
    let lines: String = (0..ORDERS).map(line).collect();
    place.write("orders.ndjson", &lines);
    let import = ["import", "orders", "orders.ndjson", "--id", "id"];
    place.prints(&[&import[..], &["--group-from", "group"]].concat());
}

/// The particles of a topic, as JSON.
fn particles(place: &Place, topic: &str) -> Vec<Value> {
    let printed = place.prints(&["read", topic, "-o", "json"]);
    let lines = printed.lines().map(serde_json::from_str);
    lines.map(Result::unwrap).collect()
}

fn ids(particles: &[Value]) -> BTreeSet<String> {
    let ids = particles.iter().map(|it| it["id"].as_str().unwrap());
    ids.map(ToOwned::to_owned).collect()
}

/// Asserts that the numbers of each group ascend.
fn assert_in_order(particles: &[Value]) {
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for particle in particles {
        let group = particle["message_group"].as_str().unwrap().to_owned();
        let number = particle["data"]["number"].as_i64().unwrap();
        let before = last.insert(group, number);
        assert!(before.is_none_or(|before| before <= number), "{particle}");
    }
}

/// Kills a node again and again while a topic grows to `total`, at moments that follow from a seed.
fn kill_while_it_grows(
    node: &mut Node,
    place: &Place,
    (topic, total): (&str, u64),
    noticed: &dyn Fn() -> bool,
) {
    let mut before_the_end = 0;
    let mut random = 0x5eed_u64;
    println!("seed {random:#x}");
    for kill in 0..KILLS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let part = total / (KILLS + 1);
        node.until_head(topic, 1 + kill * part + (random >> 33) % part);
        node.kill_and_start(place, &[], noticed);
        before_the_end += u64::from(node.head(topic).unwrap() < total);
    }
    assert!(before_the_end > 0, "each kill came when all was done");
}

/// The program as it runs pipelines; what it says is kept.
struct Run {
    child: Child,
    log: PathBuf,
}

impl Run {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let log = place.path("run.log");
        let out = std::fs::File::create(&log).unwrap();
        let mut command = place.command(&[&["pipeline", "run"], arguments].concat());
        command.stderr(out.try_clone().unwrap()).stdout(out);
        let child = command.spawn().unwrap();
        Self { child, log }
    }

    fn told(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Ends it as Ctrl-C does, and returns what it said.
    fn interrupted(mut self) -> String {
        let interrupt = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        assert!(interrupt.unwrap().success());
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{}", self.told());
        self.told()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.told());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ids that the same pipeline makes beside a store of its own.
fn ids_beside_a_store(pipeline: &str, topic: &str) -> BTreeSet<String> {
    let place = Place::new();
    fill(&place);
    place.write("p.toml", pipeline);
    place.prints(&["pipeline", "run", "p.toml", "--until-idle", "500ms"]);
    ids(&particles(&place, topic))
}

/// A run beside a node that is killed again and again.
fn check_beside_a_node(order: &str) {
    let place = Place::new();
    fill(&place);
    let text = format!(
        "version = 1\n[pipeline.p]\nconnector = {{ topic = {{ name = \"orders\" }} }}\n\
         steps = [{{ jq = '{{ number }}, {{ number, second: true }}' }}]\n{PACE}\
         order = \"{order}\"\nrouter = {{ topic = \"parts\" }}\n"
    );
    place.write("p.toml", &text);
    let mut node = Node::start(&place, &[]);
    let url = node.url();
    let run = Run::start(&place, &["p.toml", "--store", &url]);
    let noticed = || run.told().contains("trying again");
    kill_while_it_grows(&mut node, &place, ("parts", 2 * ORDERS), &noticed);
    node.until_head("parts", 2 * ORDERS);
    node.until("/v1/topics/orders/consumers/p", "\"lag\":0,");
    let told = run.interrupted();
    assert!(
        told.contains("the last error"),
        "it noticed no outage: {told}"
    );
    drop(node);

    let parts = particles(&place, "parts");
    let found = ids(&parts);
    assert_eq!(parts.len() as u64, 2 * ORDERS, "{order}");
    assert_eq!(found.len() as u64, 2 * ORDERS, "{order}");
    assert_in_order(&parts);
    assert!(place.run(&["read", "orders.dead"]).status.code() == Some(3));
    assert_eq!(found, ids_beside_a_store(&text, "parts"));
}

#[test]
fn a_run_beside_a_node_that_is_killed_loses_and_doubles_nothing() {
    check_beside_a_node("by_group");
}

#[test]
fn a_strict_run_beside_a_node_that_is_killed_loses_and_doubles_nothing() {
    check_beside_a_node("strict");
}

#[test]
fn a_topic_of_a_node_that_is_killed_comes_into_a_store_whole() {
    let there = Place::new();
    fill(&there);
    let mut node = Node::start(&there, &[]);
    let here = Place::new().with("NODE", node.url());
    let text = format!(
        "version = 1\n[pipeline.p]\n{PACE}rate_max = 2000\n\
         connector = {{ topic = {{ name = \"orders\", store = \"${{NODE}}\" }} }}\n\
         port = {{ topics = {{ store = \"${{NODE}}\", router = {{ topic = \"copies\" }} }} }}\n\
         [pipeline.back]\n{PACE}\
         connector = {{ topic = {{ name = \"copies\", store = \"${{NODE}}\" }} }}\n\
         router = {{ topic = \"copies\" }}\n"
    );
    here.write("p.toml", &text);
    let run = Run::start(&here, &["p.toml"]);
    let noticed = || run.told().contains("trying again");
    kill_while_it_grows(&mut node, &there, ("copies", ORDERS), &noticed);
    node.until_head("copies", ORDERS);
    for consumer in ["orders/consumers/p", "copies/consumers/back"] {
        node.until(&format!("/v1/topics/{consumer}"), "\"lag\":0,");
    }
    run.interrupted();
    drop(node);

    let orders = particles(&there, "orders");
    for place in [&there, &here] {
        let copies = particles(place, "copies");
        assert_eq!(copies.len() as u64, ORDERS);
        assert_eq!(ids(&copies), ids(&orders));
        assert_in_order(&copies);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_in_rust_outlives_a_node_that_is_killed() {
    let place = Place::new();
    fill(&place);
    let mut node = Node::start(&place, &[]);
    let store = Store::open(&node.url()).await.unwrap();
    let orders = store.topic(&"orders".parse().unwrap()).await.unwrap();
    let router = closure::router(|parcel| {
        let data = parcel.json()?;
        let is_even = data["number"].as_u64().is_some_and(|it| it % 2 == 0);
        let topic = if is_even { "even" } else { "odd" };
        Ok(Route::To(topic.parse().map_err(StageError::rejected)?))
    });
    let port = TopicsPort::new(store.clone(), router, Some(TopicOptions::default()));
    let retry = Retry {
        initial: Duration::from_millis(5),
        max: Duration::from_millis(50),
        ..Retry::default()
    };
    let options = PipelineOptions {
        batch: IntakeMax {
            messages: 10,
            bytes: 1 << 20,
        },
        order: Order::ByGroup,
        lease: Duration::from_secs(1),
        policy: Policy {
            retry,
            ..Policy::default()
        },
        ..PipelineOptions::default()
    };
    let pipeline = Pipeline::from_topic("p".parse().unwrap(), orders, port).with_options(options);
    let counters = pipeline.counters();
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(pipeline.run(async {
        let _ = stopped.await;
    }));
    let seen = std::sync::Arc::clone(&counters);
    let watching = tokio::task::spawn_blocking(move || {
        let noticed = || seen.counts().retries > 0;
        kill_while_it_grows(&mut node, &place, ("odd", ORDERS / 2), &noticed);
        node.until("/v1/topics/orders/consumers/p", "\"lag\":0,");
        (node, place)
    });
    let (node, place) = watching.await.unwrap();
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    let counts = counters.counts();
    assert!(
        counts.retries > 0 && counts.dead_lettered == 0,
        "{counts:?}"
    );
    store.close().await.unwrap();
    drop(node);

    let mut found = BTreeSet::new();
    for topic in ["even", "odd"] {
        let routed = particles(&place, topic);
        assert_eq!(routed.len() as u64, ORDERS / 2);
        assert_in_order(&routed);
        found.append(&mut ids(&routed));
    }
    assert_eq!(found, ids(&particles(&place, "orders")));
}
