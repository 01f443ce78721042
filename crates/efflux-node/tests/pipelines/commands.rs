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
    let told = place.prints(&["pipeline", "run", "a.toml", "--until-idle", "300ms"]);
    assert!(
        told.contains("copy: ended; 3 in, 2 delivered, 1 filtered"),
        "{told}"
    );
    assert_eq!(place.payloads("b"), ["{\"total\":20}", "{\"total\":30}"]);
    let again = place.prints(&[
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
