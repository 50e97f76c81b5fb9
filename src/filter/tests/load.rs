//! What is no filter, or lies about itself: refused when it is loaded, in words.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(guest: Guest<'_>, code: &str, words: &str) {
    let refused = load(&start(), guest).unwrap_err();
    assert_eq!(refused.code(), code, "{refused}");
    assert!(refused.to_string().contains(words), "{refused}");
}

#[test]
fn a_foreign_import_is_named() {
    let imports = r#"(import "wasi:cli/environment@0.2.3" (instance (export "get" (func))))"#;
    check(Guest { imports, ..PASSING }, "foreign_import", "imports `wasi:cli/environment@0.2.3`");
    let imports = r#"(import "now" (func (result u64)))"#;
    check(Guest { imports, ..PASSING }, "foreign_import", "imports `now`");
    let imports = r#"(import "hooklog:filter/logging@1.1.0" (instance (export "log" (func (param "text" string)))))"#;
    check(Guest { imports, ..PASSING }, "foreign_import", "logging@1.1.0");
}

#[test]
fn an_interface_of_ours_with_more_in_it_is_refused() {
    let bytes = wat::parse_str(
        r#"(component
            (import "hooklog:filter/logging@1.0.0" (instance $l (export "steal" (func))))
            (core module $m (func (export "f") unreachable))
            (core instance $i (instantiate $m))
            (func (export "describe") (canon lift (core func $i "f"))))"#,
    )
    .unwrap();
    let refused = start().load_blocking(bytes.into()).unwrap_err();
    assert_eq!(refused.code(), "wrong_type", "{refused}");
    assert!(refused.to_string().contains("logging"), "{refused}");
}

#[test]
fn a_wrong_world_is_named() {
    let exports = r#"(func (export "more") (canon lift (core func $main "done2")))"#;
    let definitions = r#"(func (export "done2"))"#;
    check(Guest { exports, definitions, ..PASSING }, "foreign_export", "exports `more`");
    let host = start();
    let empty = wat::parse_str("(component)").unwrap();
    let refused = host.load_blocking(empty.into()).unwrap_err();
    assert_eq!(refused, LoadError::MissingExport { name: "describe" });
    let wrong = wat::parse_str(
        r#"(component
            (core module $m (func (export "f") (result i32) (i32.const 7)))
            (core instance $i (instantiate $m))
            (func (export "describe") (result u32) (canon lift (core func $i "f"))))"#,
    )
    .unwrap();
    let refused = host.load_blocking(wrong.into()).unwrap_err();
    assert_eq!(refused.code(), "wrong_type", "{refused}");
    assert!(refused.to_string().contains("`describe`"), "{refused}");
}

#[test]
fn what_is_no_component_is_refused_before_it_is_compiled() {
    let (host, metrics) = start_with(options());
    let module = wat::parse_str("(module)").unwrap();
    assert_eq!(host.load_blocking(module.into()).unwrap_err(), LoadError::CoreModule);
    for bytes in [&b""[..], b"\0asm", b"\x7fELF\x02\x01\x01\0\0\0\0\0", b"(component)"] {
        assert_eq!(host.load_blocking(Bytes::from_static(bytes)).unwrap_err(), LoadError::NotAComponent);
    }
    let mut large = PASSING.bytes();
    large.resize(100 << 20, 0);
    let refused = host.load_blocking(large.into()).unwrap_err();
    assert_eq!(refused, LoadError::TooLarge { bytes: 100 << 20, bytes_max: 32 << 20 });
    assert_eq!(metrics.instances.get(), 0);
}

#[test]
fn a_component_that_is_cut_off_is_refused() {
    let host = start();
    let whole = PASSING.bytes();
    for bytes in (0..whole.len()).step_by(7) {
        match host.load_blocking(Bytes::copy_from_slice(whole.get(..bytes).unwrap())) {
            // The names of its functions stand behind everything that matters.
            Ok(filter) => assert_eq!(ask(&host, &filter, &[PAYLOAD]).first().map(Evaluated::word), Some("pass")),
            // An export that is missing whole is found by the check of the world.
            Err(refused) => {
                assert!(matches!(refused.code(), "not_a_component" | "invalid" | "missing_export"), "{refused}");
            }
        }
    }
    let half = Bytes::copy_from_slice(whole.get(..whole.len() / 2).unwrap());
    assert_eq!(host.load_blocking(half).unwrap_err().code(), "invalid");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_are_refused_or_stay_a_filter(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        tail in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let host = start();
        let mut bytes = PASSING.bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let noise = [b"\0asm\x0d\0\x01\0", tail.as_slice()].concat();
        prop_assert!(host.load_blocking(noise.into()).is_err());
        if let Ok(filter) = host.load_blocking(bytes.into()) {
            // It may be any filter now, but it is one: it answers or faults.
            prop_assert_eq!(ask(&host, &filter, &[PAYLOAD, PAYLOAD]).len(), 2);
        }
    }
}

#[test]
fn more_memory_than_a_filter_may_have_is_refused_from_the_beginning() {
    check(Guest { memory: "1000", ..PASSING }, "too_hungry", "memory");
    check(Guest { definitions: "(table 200000 funcref)", ..PASSING }, "too_hungry", "table");
}

#[test]
fn proposals_that_are_switched_off_are_refused() {
    for definitions in [
        "(memory $other 1)",
        "(memory $other i64 1)",
        "(func $f (result i32) (return_call $f))",
        "(func (param v128 v128) (result v128)
            (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))",
        "(tag $tag)",
        "(type $struct (struct (field i32)))",
    ] {
        check(Guest { definitions, ..PASSING }, "invalid", "cannot be compiled");
    }
    check(Guest { memory: "2 4 shared", ..PASSING }, "invalid", "cannot be compiled");
}

#[test]
fn a_description_that_breaks_the_form_is_refused() {
    let about = |name: (usize, usize), version: (usize, usize), schema: (usize, usize)| {
        let [(a, b), (c, d), (e, f)] = [name, version, schema];
        [a, b, c, d, e, f].map(|number| format!("(i32.const {number})")).join(" ")
    };
    let check = |definitions: &str, name, version, schema, words: &str| {
        let describe = format!("(call $about {})", about(name, version, schema));
        check(Guest { describe: &describe, definitions, ..PASSING }, "description", words);
    };
    let (name, version, none) = ((1024, 4), (1028, 5), (0, 0));
    check("", none, version, none, "its name");
    check("", (1024, 4), none, none, "its version");
    check("", (4096, 129), version, none, "its name");
    check("(data (i32.const 2048) \"two\\0alines\")", (2048, 9), version, none, "its name");
    check("(data (i32.const 2048) \"no schema\")", name, version, (2048, 9), "the schema");
    check("(data (i32.const 2048) \"{} {}\")", name, version, (2048, 5), "the schema");
    // All of it together is more than all three may have.
    let describe = format!("(call $about {})", about(name, version, (4096, 100_000)));
    assert_eq!(load(&start(), Guest { describe: &describe, ..PASSING }).unwrap_err().code(), "output_too_large");
    let describe = format!("(call $about {})", about(name, version, (4096, 2_000_000_000)));
    assert_eq!(load(&start(), Guest { describe: &describe, ..PASSING }).unwrap_err().code(), "bad_answer");
}
