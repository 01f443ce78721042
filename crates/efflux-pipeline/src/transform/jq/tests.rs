//! Tests of the step `jq` and of the filter by a jq program.

use efflux_storage::particle::Message;
use proptest::prelude::*;

use super::*;
use crate::emit::EmitMax;
use crate::transform::tests::{apply, refusal, texts};

fn settings(program: &str) -> JqSettings {
    JqSettings {
        program: program.to_owned(),
        steps_max: 200_000,
    }
}

fn jq(program: &str) -> Jq {
    Jq::new(&settings(program)).unwrap()
}

fn check(program: &str, payload: &str, expect: &[&str]) {
    assert_eq!(texts(&jq(program), payload), expect, "{program}");
}

#[test]
fn outputs_become_messages_none_one_or_many() {
    check(".a", "{\"a\":1}", &["1"]);
    check(".[] | select(. > 1)", "[1,2,3]", &["2", "3"]);
    check("empty", "1", &[]);
    check(
        "{id: .order_id, total: ((.qty | tonumber) * (.price | tonumber))}",
        "{\"order_id\":\"A\",\"qty\":\"2\",\"price\":\"9.5\"}",
        &["{\"id\":\"A\",\"total\":19.0}"],
    );
    check("def f(x): x * 2; map(f(.)) | add", "[1,2]", &["6"]);
    check(
        "[.[] | if . > 1 then \"big\" elif . == 1 then \"one\" else . end]",
        "[0,1,2]",
        &["[0,\"one\",\"big\"]"],
    );
}

#[test]
fn programs_with_looks_in_them_mean_the_same() {
    check(
        "reduce .[] as [$a, {b: $c}] (0; . + $a * $c)",
        "[[1,{\"b\":2}],[3,{\"b\":4}]]",
        &["14"],
    );
    check(
        ".a += 1 | .b *= 3 | .c //= 7 | .d -= 1 | .e |= . + 1",
        "{\"a\":1,\"b\":\"x\",\"d\":5,\"e\":1}",
        &["{\"a\":2,\"b\":\"xxx\",\"d\":4,\"e\":2,\"c\":7}"],
    );
    check(
        "\"\\(.a)-\\(.b + 1)\" | ascii_upcase",
        "{\"a\":\"x\",\"b\":1}",
        &["\"X-2\""],
    );
    check("(1,2) * (10,100)", "null", &["10", "100", "20", "200"]);
    check(
        "{a: (1,2), \"b\\(1)\": .x}",
        "{\"x\":0}",
        &["{\"a\":1,\"b1\":0}", "{\"a\":2,\"b1\":0}"],
    );
    check("{a, \"b\"} | .a", "{\"a\":1,\"b\":2}", &["1"]);
    check(
        "[foreach .[] as $x (0; . + $x; [$x, .])]",
        "[1,2]",
        &["[[1,1],[2,3]]"],
    );
    check(
        "path(.a[0]), [paths]",
        "{\"a\":[1]}",
        &["[\"a\",0]", "[[\"a\"],[\"a\",0]]"],
    );
    check(
        "[.[] as {a: $x} | $x] | first, last, length",
        "[{\"a\":1},{\"a\":3}]",
        &["1", "3", "2"],
    );
    check(
        "[range(3)], [range(1; 4)], [range(5; 0; -2)]",
        "null",
        &["[0,1,2]", "[1,2,3]", "[5,3,1]"],
    );
    check(
        "try error(\"x\") catch ., (.a? // \"none\"), ([limit(2; repeat(1))])",
        "1",
        &["\"x\"", "\"none\"", "[1,1]"],
    );
    check(
        "label $out | .[] | if . > 1 then ., break $out else . end",
        "[1,2,3]",
        &["1", "2"],
    );
    check(
        "to_entries | map(.key + \"=\" + (.value | tostring)) | join(\"&\")",
        "{\"a\":1,\"b\":\"c\"}",
        &["\"a=1&b=c\""],
    );
    check(
        "[.[] | -.], .[1:], (.[0] |= 9)",
        "[1,2]",
        &["[-1,-2]", "[2]", "[9,2]"],
    );
    check(
        "gsub(\"(?<d>[0-9])\"; \"<\\(.d)>\")",
        "\"a1b2\"",
        &["\"a<1>b<2>\""],
    );
    check("@base64", "[1,\"a\"]", &["\"WzEsImEiXQ==\""]);
}

#[test]
fn numbers_and_texts_come_out_as_they_came_in() {
    let exact = "[12345678901234567890123,1.10,1e3,\"ü\\u0000\\\"\"]";
    check(
        ".",
        exact,
        &["[12345678901234567890123,1.10,1e3,\"ü\\u0000\\\"\"]"],
    );
    check(".", "{\"b\":1,\"a\":2}", &["{\"b\":1,\"a\":2}"]);
    assert!(refusal(&jq("nan"), "1").contains("number that JSON does not have"));
    assert!(refusal(&jq("{(1|tojson): 2} | .[\"1\"] = infinite"), "1").contains("number"));
    assert!(refusal(&jq("."), "[1,]").contains("no JSON"));
    assert!(refusal(&jq("."), "nan").contains("no JSON"));
    assert!(refusal(&jq("."), "1 2").contains("no JSON"));
}

#[test]
fn the_metadata_are_seen() {
    let program = jq("[$meta.properties.region, $meta.data_type, $meta.id, $meta.origin.topic]");
    let message = Message::new("1")
        .with_property("region", "eu")
        .with_data_type("order");
    let made = apply(&program, message).unwrap().remove(0);
    assert_eq!(made.payload(), "[\"eu\",\"order\",\"in\",null]");
    assert_eq!(made.content_type(), Some("application/json"));
}

#[test]
fn an_error_of_the_program_is_told() {
    assert!(refusal(&jq("error(\"no price\")"), "1").contains("the program: no price"));
    assert!(refusal(&jq(".a.b"), "{\"a\":1}").contains("1"));
    assert!(refusal(&jq("1, halt_error"), "1").contains("the program"));
}

#[test]
fn faults_of_a_program_have_their_place() {
    let at = |program: &str| Jq::new(&settings(program)).unwrap_err();
    assert_eq!(at(".a | nothing_such").at, 5);
    assert!(at(".a | nothing_such").what.contains("nothing_such"));
    assert_eq!(at(".a | $unknown").at, 5);
    assert!(at(".[0 | 1").at > 0);
    assert_eq!(at("if . then 1").at, 11);
    assert_eq!(at("\"open").at, 5);
    assert!(at(". as [$a | 1").at > 0);
    // What would make outputs depend on something else than the message is not there.
    for outside in [
        "$ENV",
        "now",
        "input",
        "inputs",
        "import \"a\" as a; 1",
        "include \"a\"; 1",
    ] {
        assert!(Jq::new(&settings(outside)).is_err(), "{outside}");
    }
    check("env", "1", &["{}"]);
}

#[test]
fn programs_without_an_end_are_ended_whatever_they_catch() {
    for endless in [
        "repeat(.)",
        "def f: f; f",
        "[repeat(1)]",
        "last(range(infinite))",
        "[range(infinite)] | length",
        "range(infinite) | empty",
        "reduce range(1e15) as $x (0; . + 1)",
        "until(false; . + 1)",
        "def f: try f catch f; f",
        "try repeat(1) catch 1",
        "first(repeat(empty))",
        "[limit(1e15; repeat(\"x\"))]",
    ] {
        let told = refusal(&jq(endless), "1");
        assert!(
            told.contains("steps") || told.contains("deeply"),
            "{endless}: {told}"
        );
    }
}

#[test]
fn programs_that_go_deep_run_on_a_deep_stack_and_end_there() {
    let count = "def f: if . <= 0 then 0 else 1 + (. - 1 | f) end; f";
    check(count, "10", &["10"]);
    check(count, "5000", &["5000"]);
    let told = refusal(&jq("def f: 1 + f; f"), "1");
    assert!(told.contains("steps") || told.contains("deeply"), "{told}");
    let generous = JqSettings {
        steps_max: 100_000_000,
        ..settings("def f: 1 + f; f")
    };
    assert!(refusal(&Jq::new(&generous).unwrap(), "1").contains("deeply"));
}

#[test]
fn values_that_grow_without_measure_end_the_run() {
    for growing in [
        "reduce range(100) as $i (\"x\"; . + .)",
        "reduce range(100) as $i (\"x\"; . += .)",
        "reduce range(100) as $i (\"x\"; \"\\(.)\\(.)\")",
        "reduce range(100) as $i ([0]; [.[], .[]])",
        "reduce range(100) as $i ([0]; . + .)",
        "reduce range(100000) as $i (0; [.])",
        "reduce range(100000) as $i (0; {a: .})",
        "reduce range(100) as $i (3; . * .)",
        "\"x\" * 1e12",
        "\"x\" * 1000000000000",
        "1000000000000 as $n | \"x\" | . *= $n",
        "try (\"x\" * 1000000000000) catch 1",
    ] {
        let told = apply(&jq(growing), Message::new("1"));
        let told = told.map(|made| made.len()).unwrap_err().to_string();
        assert!(
            told.contains("too large") || told.contains("cannot") || told.contains("deep"),
            "{growing}: {told}"
        );
    }
    check(
        "\"x\" * 3, 3 * 4, (\"x\" * 0)",
        "1",
        &["\"xxx\"", "12", "null"],
    );
    // Small in memory, endless when it is written.
    let shared = jq("reduce range(60) as $i (0; {a: ., b: .})");
    let parcel = Parcel::of_message(Message::new("1"));
    let step = "step".parse().unwrap();
    let max = EmitMax {
        outputs: 10,
        bytes: 1_000_000,
    };
    let mut out = Emit::new(&parcel, &step, max);
    let told = shared.apply(parcel, &mut out).unwrap_err().to_string();
    assert!(told.contains("bytes"), "{told}");
}

#[test]
fn deep_json_is_refused_in_and_inside() {
    let deep = [vec![b'['; 1_000_000], vec![b']'; 1_000_000]].concat();
    assert!(refusal(&jq("."), deep).contains("deep"));
    let inside = format!("\"{}\"", "[".repeat(100_000));
    assert!(refusal(&jq("fromjson"), inside.clone()).contains("too deep"));
    check("try fromjson catch \"refused\"", &inside, &["\"refused\""]);
    check("fromjson", "\"[1]\"", &["[1]"]);
    let brackets = format!("{}1{}", "(".repeat(600), ")".repeat(600));
    assert!(
        Jq::new(&settings(&format!(
            "[{}1{}",
            "[".repeat(600),
            "]".repeat(601)
        )))
        .is_err()
    );
    let _ = Jq::new(&settings(&brackets));
    let _ = Jq::new(&settings(&"-".repeat(60_000)));
    let _ = Jq::new(&settings(&"try ".repeat(15_000)));
    let _ = Jq::new(&settings(&"(".repeat(60_000)));
}

#[test]
fn a_filter_keeps_what_is_neither_false_nor_null() {
    let keeps = |program: &str, payload: &'static str| {
        let filter = JqFilter::new(&settings(program)).unwrap();
        filter.keeps(&Parcel::of_message(Message::new(payload)))
    };
    assert!(keeps(".a > 1", "{\"a\":2}").unwrap());
    assert!(!keeps(".a > 1", "{\"a\":1}").unwrap());
    assert!(!keeps(".a", "{}").unwrap());
    assert!(!keeps("empty", "{}").unwrap());
    assert!(keeps("0", "{}").unwrap());
    assert!(keeps("true, repeat(1)", "{}").unwrap());
    assert_eq!(keeps("error(\"x\")", "{}").unwrap_err().kind(), "rejected");
    assert_eq!(keeps(".", "no json").unwrap_err().kind(), "rejected");
}

#[test]
fn a_program_may_be_used_by_several_threads() {
    let shared = jq("map(. * 2) | add");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(texts(&shared, "[1,2,3]"), ["12"]);
                }
            });
        }
    });
}

proptest! {
    #[test]
    fn hostile_programs_compile_or_not_and_end(program in "[.a|\\[\\]{}()$,:;\"+*/<>=?@0-9 -]{0,60}|(def f: |f|\\.|\\|| |try |reduce |as \\$x|range\\(9\\)|\\[|\\]|\\(|\\)|if |then |else |end|label \\$x|;){0,20}", payload in "[0-9\\[\\]{}\",:a ]{0,30}") {
        let small = JqSettings { program, steps_max: 2_000 };
        if let Ok(jq) = Jq::new(&small) {
            let _ = apply(&jq, Message::new(payload));
        }
    }

    #[test]
    fn hostile_payloads_are_taken_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = apply(&jq("."), Message::new(bytes));
    }
}

#[test]
fn what_is_built_in_is_bounded_as_programs_are() {
    let text = "x".repeat(1 << 20);
    let added = ". as $text | [range(2000) | $text] | add | length";
    let told = refusal(&jq(added), format!("\"{text}\""));
    assert!(told.contains("too large"), "{told}");
    // Each of the texts is small enough, and all of them are kept.
    let parts = format!("[\"{text}\"{}]", ",\"a\"".repeat(4000));
    for joined in [
        "join(.[0]) | length",
        ". as $p | [.[] | . + $p[0]] | length",
    ] {
        let told = refusal(&jq(joined), parts.clone());
        assert!(told.contains("bytes of text"), "{told}");
    }
}

#[test]
fn a_text_that_grows_bit_by_bit_counts_once() {
    // A gigabyte is made in all, and a hundred kilobytes are kept.
    let program = JqSettings {
        steps_max: 10_000_000,
        ..settings("reduce range(20000) as $i (\"\"; . + \"-----\") | length")
    };
    assert_eq!(texts(&Jq::new(&program).unwrap(), "1"), ["100000"]);
}

#[test]
fn what_gsub_keeps_in_between_is_bounded() {
    let program = JqSettings {
        steps_max: 10_000_000,
        ..settings("gsub(\"a\"; \"-----\") | length")
    };
    let gsub = Jq::new(&program).unwrap();
    let text = |matches: usize| format!("\"{}\"", "ab".repeat(matches));
    assert_eq!(texts(&gsub, text(2000)), ["12000"]);
    let told = refusal(&gsub, text(40_000));
    assert!(told.contains("bytes of text"), "{told}");
}
