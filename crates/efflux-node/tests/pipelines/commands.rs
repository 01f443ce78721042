//! `check`, `test`, `schema` and `run` as somebody types them.

use crate::place::{Place, examples};

const COPY: &str = "version = 1\n[pipeline.copy]\nconnector = { topic = { name = \"a\" } }\n\
                    steps = [{ filter = 'data.total > 10' }]\nrouter = { topic = \"b\" }\n";

fn example_files() -> Vec<String> {
    let files = std::fs::read_dir(examples()).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|it| it == "toml"));
    files.map(|path| path.display().to_string()).collect()
}

#[test]
fn every_fault_is_told_with_file_line_and_column() {
    let place = Place::new();
    place.write("a.toml", &COPY.replace("data.total > 10", "total >"));
    place.write("b.toml", "version = 2\n[pipeline.x]\n");
    let output = place.run(&["pipeline", "check", "a.toml", "b.toml"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("a.toml:4:22: "), "{told}");
    assert!(told.contains("b.toml:2:"), "{told}");
    assert!(told.lines().count() >= 2, "{told}");
}

#[test]
fn what_could_only_fail_or_never_end_is_told_before_it_runs() {
    let place = Place::new();
    let aggregate = "{ aggregate = { messages = 2, period = \"1s\" } }";
    let filter = "{ filter = 'data.total > 10' }";
    let steps = |step: &str, count: usize| vec![step; count].join(", ");
    let two = COPY.replace(filter, &steps(aggregate, 2));
    let many = COPY.replace(filter, &steps(filter, 65));
    for (text, place_in_it, fault) in [
        (two.as_str(), "a.toml:4:", "two aggregates"),
        (&many, "a.toml:4:", "65 steps, at most 64"),
        (
            &COPY.replace("\"b\"", "\"a\""),
            "a.toml:5:20: ",
            "without end",
        ),
        (
            &format!("{COPY}on_error = {{ initial = \"2m\" }}\n"),
            "a.toml:6:",
            "120s to 60s",
        ),
        (
            &format!("{COPY}on_error = {{ initial = \"0s\" }}\n"),
            "a.toml:6:",
            "above 0",
        ),
    ] {
        place.write("a.toml", text);
        let output = place.run(&["pipeline", "check", "a.toml"]);
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(
            told.contains(place_in_it) && told.contains(fault),
            "{fault}: {told}"
        );
    }
}

#[test]
fn each_file_is_checked_whatever_the_others_are() {
    let place = Place::new();
    place.write("a.toml", COPY);
    std::fs::write(place.path("b.toml"), b"version = 1\n# \xff\n").unwrap();
    place.write("c.toml", COPY);
    let output = place.run(&[
        "pipeline",
        "check",
        "none.toml",
        "a.toml",
        "b.toml",
        "c.toml",
    ]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines[0], "a.toml: right (copy)");
    assert!(
        lines[1].starts_with("b.toml:2:3: from here on it is no UTF-8"),
        "{told}"
    );
    assert_eq!(lines[2], "c.toml:2:11: a.toml declares pipeline copy too");
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("none.toml"), "{err}");
}

#[test]
fn thousands_of_faults_are_told_in_part_and_at_once() {
    let place = Place::new();
    let mut text = "version = 1\n".to_owned();
    for number in 0..5000 {
        text.push_str(
            &COPY
                .replace("version = 1\n", "")
                .replace(".copy", &format!(".p{number}"))
                .replace("data.total >", "total >"),
        );
    }
    place.write("a.toml", &text);
    let output = place.run(&["pipeline", "check", "a.toml"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told.lines().count(), 100);
}

#[test]
fn what_a_port_prints_is_all_that_stands_on_standard_output() {
    let place = Place::new();
    let text = COPY.replace(
        "router = { topic = \"b\" }",
        "port = { stdout = { format = \"payload\" } }",
    );
    place.write("a.toml", &text);
    place.append("a", "order", "{\"total\":20}");
    let output = place.run(&["pipeline", "run", "a.toml", "--until-idle", "300ms"]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "{\"total\":20}\n"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("copy: ended; 1 in, 1 delivered"), "{said}");
}

#[test]
fn a_target_that_is_away_is_told_while_the_pipeline_runs() {
    let place = Place::new();
    let webhook = "port = { webhook = { url = \"http://127.0.0.1:1/\" } }\n\
                   on_error = { outage = \"1s\", initial = \"10ms\" }";
    place.write(
        "a.toml",
        &COPY.replace("router = { topic = \"b\" }", webhook),
    );
    place.append("a", "order", "{\"total\":20}");
    let output = place.run(&["pipeline", "run", "a.toml", "--until-idle", "300ms"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("trying again"), "{said}");
}

#[test]
fn the_examples_are_right_and_pass_their_own_tests() {
    let place = Place::new();
    // Stylesheets are named relative to the folder of the examples.
    let files = example_files();
    assert_eq!(files.len(), 5);
    let mut arguments = vec!["pipeline", "test"];
    arguments.extend(files.iter().map(String::as_str));
    let output = place
        .command(&arguments)
        .current_dir(examples())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}{err}");
    assert!(told.ends_with("5 passed, 0 failed\n"), "{told}");
}

#[test]
fn the_schema_beside_the_examples_is_the_programs() {
    let printed = Place::new().prints(&["pipeline", "schema"]);
    let kept = std::fs::read_to_string(examples().join("pipeline.schema.json")).unwrap();
    assert!(
        printed == kept,
        "`efflux pipeline schema` prints another schema: keep that one"
    );
}

#[test]
fn a_failing_example_ends_with_1_and_shows_what_happened() {
    let place = Place::new();
    let test = "[[test]]\nname = \"large\"\npipeline = \"copy\"\ninput = [{ json = { total = 5 } }]\n\
                expect = [{ json = { total = 5 } }]\n";
    place.write("a.toml", &format!("{COPY}{test}"));
    let output = place.run(&["pipeline", "test", "a.toml"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("FAILED large"), "{told}");
    assert!(told.contains("a.toml:10:11: nothing came out"), "{told}");
    assert!(told.contains("after filter: "), "{told}");
}

#[test]
fn pipelines_run_until_nothing_comes_any_more() {
    let place = Place::new();
    place.write("a.toml", COPY);
    for total in [5, 20, 30] {
        place.append("a", "order", &format!("{{\"total\":{total}}}"));
    }
    let told = place.says(&["pipeline", "run", "a.toml", "--until-idle", "300ms"]);
    assert!(
        told.contains("copy: ended; 3 in, 2 delivered, 1 filtered"),
        "{told}"
    );
    assert_eq!(place.payloads("b"), ["{\"total\":20}", "{\"total\":30}"]);
    let again = place.says(&[
        "pipeline",
        "run",
        "a.toml",
        "--until-idle",
        "300ms",
        "-o",
        "json",
    ]);
    assert!(again.contains("\"received\":0"), "{again}");
}

#[test]
fn a_pipeline_that_no_file_declares_is_told() {
    let place = Place::new();
    place.write("a.toml", COPY);
    let output = place.run(&["pipeline", "run", "a.toml", "--only", "none"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("no file declares a pipeline none"), "{told}");
}
