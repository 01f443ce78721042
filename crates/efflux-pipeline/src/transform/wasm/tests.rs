//! Tests of the step `wasm`.

use efflux_storage::particle::Message;
use proptest::prelude::*;

use super::*;
use crate::transform::tests::{apply, refusal, texts};

/// A module with `alloc` and a memory, and this as the body of `transform`.
fn module(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (import "efflux" "emit" (func $emit (param i32 i32)))
          (import "efflux" "reject" (func $reject (param i32 i32)))
          (import "efflux" "property" (func $property (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 2)
          (data (i32.const 16) "regionno vowel")
          (global $counter (mut i32) (i32.const 0))
          (func (export "alloc") (param i32) (result i32) (i32.const 1024))
          (func $transform (export "transform") (param $at i32) (param $bytes i32) (result i32)
            {body}))"#
    );
    wat::parse_str(text).unwrap()
}

fn settings() -> WasmSettings {
    WasmSettings {
        fuel_max: 1_000_000,
        memory_max: ByteSize(1024 * 1024),
        module: None,
    }
}

fn wasm(body: &str) -> Wasm {
    Wasm::new(settings(), &module(body)).unwrap()
}

const TWICE: &str = "(call $emit (local.get $at) (local.get $bytes))
    (call $emit (local.get $at) (i32.const 1)) (i32.const 0)";

#[test]
fn a_module_makes_none_one_or_many_messages() {
    assert_eq!(texts(&wasm(TWICE), "hello"), ["hello", "h"]);
    assert!(texts(&wasm("(i32.const 0)"), "hello").is_empty());
    let made = apply(
        &wasm(TWICE),
        Message::new("x").with_property("region", "eu"),
    )
    .unwrap();
    assert_eq!(made[0].property("region"), Some("eu"));
}

#[test]
fn a_module_sees_the_properties_of_its_message() {
    let region = wasm(
        "(call $emit (i32.const 64) (call $property (i32.const 16) (i32.const 6) (i32.const 64) (i32.const 100))) (i32.const 0)",
    );
    let made = apply(&region, Message::new("x").with_property("region", "north")).unwrap();
    assert_eq!(made[0].payload(), "north");
    let length = wasm(
        "(if (i32.ne (call $property (i32.const 16) (i32.const 6) (i32.const 0) (i32.const 0)) (i32.const -1)) (then (return (i32.const 3)))) (i32.const 0)",
    );
    assert!(texts(&length, "x").is_empty());
}

#[test]
fn a_module_rejects_with_a_reason() {
    let reject = wasm("(call $reject (i32.const 22) (i32.const 8)) (i32.const 1)");
    assert!(refusal(&reject, "x").contains("the module: no vowel"));
    assert!(refusal(&wasm("(i32.const 7)"), "x").contains("with 7"));
    assert!(refusal(&wasm("unreachable"), "x").contains("unreachable"));
}

#[test]
fn nothing_is_left_of_the_message_before() {
    let count = wasm(
        "(global.set $counter (i32.add (global.get $counter) (i32.const 1)))
         (i32.store8 (i32.const 8) (i32.add (i32.const 48) (global.get $counter)))
         (call $emit (i32.const 8) (i32.const 1)) (i32.const 0)",
    );
    assert_eq!(texts(&count, "x"), ["1"]);
    assert_eq!(texts(&count, "x"), ["1"]);
}

#[test]
fn modules_that_take_too_much_are_ended() {
    assert!(refusal(&wasm("(loop $l (br $l)) (i32.const 0)"), "x").contains("units of fuel"));
    assert!(
        !refusal(
            &wasm("(call $transform (local.get $at) (local.get $bytes))"),
            "x"
        )
        .is_empty()
    );
    let grow = "(if (i32.ne (memory.grow (i32.const 100)) (i32.const -1)) (then (return (i32.const 5)))) (i32.const 0)";
    assert!(texts(&wasm(grow), "x").is_empty());
    let flood = "(loop $l (call $emit (i32.const 0) (i32.const 65536)) (br $l)) (i32.const 0)";
    assert!(!refusal(&wasm(flood), "x").is_empty());
    assert!(refusal(&wasm(TWICE), vec![b'x'; 200_000]).contains("outside of its memory"));
}

#[test]
fn addresses_outside_of_the_memory_are_refused() {
    for (at, bytes) in [
        ("-1", "1"),
        ("131072", "1"),
        ("0", "-1"),
        ("131000", "1000"),
    ] {
        let body = format!("(call $emit (i32.const {at}) (i32.const {bytes})) (i32.const 0)");
        assert!(
            refusal(&wasm(&body), "x").contains("outside of its memory"),
            "{at} {bytes}"
        );
        let body = format!(
            "(drop (call $property (i32.const 16) (i32.const 6) (i32.const {at}) (i32.const 1000))) (i32.const 0)"
        );
        let message = Message::new("x").with_property("region", "x".repeat(900));
        let _ = apply(&wasm(&body), message);
    }
}

#[test]
fn a_module_that_lacks_something_or_asks_for_more_is_fatal() {
    let fatal = |text: &str| {
        let error = Wasm::new(settings(), &wat::parse_str(text).unwrap()).unwrap_err();
        assert_eq!(error.kind(), "fatal");
        error.to_string()
    };
    assert!(fatal("(module)").contains("memory"));
    assert!(fatal("(module (memory (export \"memory\") 1))").contains("alloc"));
    assert!(
        fatal("(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func)))")
            .contains("fd_write")
    );
    assert!(fatal("(module (memory (export \"memory\") 1000))").len() > 1);
    assert_eq!(
        Wasm::new(settings(), b"no module").unwrap_err().kind(),
        "fatal"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_modules_are_refused_or_end(places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = module(TWICE);
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(wasm) = Wasm::new(settings(), &bytes) {
            let _ = apply(&wasm, Message::new("hello"));
        }
    }
}
