//! A node that runs the pipelines of a folder.

use std::process::Command;

use crate::node::Node;
use crate::place::Place;

fn copy(name: &str, to: &str) -> String {
    format!(
        "version = 1\n[pipeline.{name}]\nconnector = {{ topic = {{ name = \"a\" }} }}\n\
         router = {{ topic = \"{to}\" }}\n"
    )
}

#[test]
fn a_folder_of_pipelines_is_run_shown_stopped_started_and_reloaded() {
    let place = Place::new();
    std::fs::create_dir(place.path("pipelines")).unwrap();
    place.write("pipelines/one.toml", &copy("one", "b"));
    let node = Node::start(&place, &["--pipelines", "pipelines"]);
    node.until("/v1/pipelines/one", "\"state\":\"running\"");
    node.ask("POST", "/v1/topics/a/particles", "first");
    node.until("/v1/pipelines/one", "\"delivered\":1");
    node.until(
        "/metrics",
        "efflux_pipeline_messages{pipeline=\"one\",outcome=\"delivered\"} 1",
    );
    node.until("/v1/topics/b/head", "\"head\":\"1:");

    let stopped = node.ask("POST", "/v1/pipelines/one/stop", "");
    assert!(stopped.contains("\"state\":\"stopped\""), "{stopped}");
    let started = node.ask("POST", "/v1/pipelines/one/start", "");
    assert!(started.contains("\"state\":\"running\""), "{started}");

    place.write("pipelines/one.toml", &copy("one", "c"));
    place.write("pipelines/two.toml", &copy("two", "no name"));
    let reloaded = node.ask("POST", "/v1/pipelines/reload", "");
    assert!(reloaded.contains("\"restarted\":[\"one\"]"), "{reloaded}");
    assert!(reloaded.contains("two.toml: line 4"), "{reloaded}");
    place.write("pipelines/two.toml", &copy("two", "d"));
    let hangup = Command::new("kill")
        .args(["-HUP", &node.child.id().to_string()])
        .status();
    assert!(hangup.unwrap().success());
    node.until("/v1/pipelines", "\"name\":\"two\"");
    let none = node.ask("POST", "/v1/pipelines/three/start", "");
    assert!(none.starts_with("HTTP/1.1 404"), "{none}");
}
