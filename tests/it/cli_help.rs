//! Help, completions and usage.

use crate::program::Place;

const COMMANDS: &[&[&str]] = &[
    &["topic"],
    &["append"],
    &["import"],
    &["read"],
    &["get"],
    &["find"],
    &["head"],
    &["verify"],
    &["export"],
    &["consume"],
    &["consumer"],
    &["backup"],
    &["restore"],
    &["serve"],
    &["token"],
    &["completions"],
];

#[test]
fn help_begins_with_examples() {
    let place = Place::new();
    assert!(
        place
            .run(&["--help"])
            .ok()
            .starts_with("Examples:\n  efflux ")
    );
    for command in COMMANDS {
        for flag in ["--help", "-h"] {
            let help = place.run(&[command, &[flag][..]].concat()).ok();
            assert!(
                help.starts_with("Examples:\n  efflux "),
                "{command:?}: {help}"
            );
        }
    }
    assert!(place.run(&["--version"]).ok().starts_with("efflux "));
}

#[test]
fn every_command_is_documented() {
    let docs = crate::program::repository().join("docs/cli.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    for command in COMMANDS {
        assert!(
            docs.contains(&format!("efflux {}", command.join(" "))),
            "{command:?}"
        );
    }
    for part in ["create", "list", "show", "delete", "seek"] {
        assert!(docs.contains(part), "{part}");
    }
}

#[test]
fn what_is_not_understood_is_usage() {
    let place = Place::new();
    place.run(&[]).fails(2, &["Usage: efflux"]);
    place.run(&["frobnicate"]).fails(2, &["frobnicate"]);
    place.run(&["read"]).fails(2, &["<TOPIC>"]);
    place
        .run(&["read", "t", "--lmit", "3"])
        .fails(2, &["--limit"]);
    place
        .run(&["-o", "xml", "read", "t"])
        .fails(2, &["text", "json", "raw"]);
    place.run(&["topic"]).fails(2, &["create"]);
}

#[test]
fn completions_are_written_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = place.run(&["completions", shell]).ok();
        assert!(
            script.contains("efflux") && script.contains("consume"),
            "{shell}"
        );
    }
    place.run(&["completions", "csh"]).fails(2, &["bash"]);
}
