//! What docs/operations.md tells an operator to do, done.

use std::fs;
use std::process::{Command, Stdio};

use crate::program::{Ran, efflux, repository};

/// The blocks of a document that are fenced as shell, as one script.
fn script(document: &str) -> String {
    let mut script = String::new();
    let mut is_shell = false;
    for line in document.lines() {
        match line {
            "```sh" => is_shell = true,
            "```" => is_shell = false,
            _ if is_shell => script.push_str(&format!("{line}\n")),
            _ => {}
        }
    }
    script
}

#[test]
fn the_commands_of_the_document_work_one_after_the_other() {
    let document = fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    let mut script = script(&document);
    assert!(script.contains("efflux backup") && script.contains("efflux restore"));
    for place in ["/var/lib/efflux", "/srv/backups"] {
        fs::create_dir_all(format!("{at}{place}")).unwrap();
        script = script.replace(place, &format!("{at}{place}"));
    }
    let path = std::env::var("PATH").unwrap();
    let ran = Command::new("sh")
        .args(["-eux", "-c", &script])
        .env(
            "PATH",
            format!("{}:{path}", efflux().parent().unwrap().display()),
        )
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output();
    let ran = Ran::of(ran.unwrap());
    let told = ran.stderr.clone();
    let said = ran.ok();
    for part in [
        "orders: ok, 4 particles",
        "orders: restored and checked, 4 particles, 1 consumer",
        "position",
    ] {
        assert!(said.contains(part), "no {part:?} in: {said}\n{told}");
    }
}

#[test]
fn the_dashboard_is_json_and_asks_for_what_the_node_measures() {
    let text = fs::read_to_string(repository().join("ops/grafana-dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 8);
    let mut ids: Vec<_> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            assert!(
                expression.contains("efflux_") || expression.contains("up{"),
                "{expression}"
            );
        }
    }
}
