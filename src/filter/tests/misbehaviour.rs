//! Filters that misbehave while they run: each gets its named fault, and its neighbour notices nothing.

use std::time::Duration;

use super::*;

/// Runs a component that misbehaves beside one that does not, and compares the code of its fault.
#[track_caller]
fn check(guest: Guest<'_>, code: &str) {
    let host = start();
    let neighbour = load(&host, Guest { evaluate: ECHO, ..PASSING }).unwrap();
    let filter = load(&host, guest).unwrap();
    for answer in ask(&host, &filter, &[PAYLOAD, PAYLOAD]) {
        assert_eq!(answer.word(), code, "{answer:?}");
    }
    for answer in ask(&host, &neighbour, &[PAYLOAD]) {
        assert_eq!(answer.result, Ok(rewrite(PAYLOAD)));
    }
}

/// The same for something that happens only while it evaluates.
#[track_caller]
fn check_evaluate(evaluate: &str, definitions: &str, code: &str) {
    check(Guest { evaluate, definitions, ..PASSING }, code);
}

#[test]
fn an_endless_loop_is_out_of_fuel() {
    check_evaluate("(loop $again (br $again)) unreachable", "", "out_of_fuel");
    let configure = "(loop $again (br $again)) unreachable";
    check(Guest { configure, ..PASSING }, "out_of_fuel");
}

#[test]
fn endless_copies_are_out_of_fuel() {
    let evaluate =
        "(loop $again (memory.fill (i32.const 1024) (i32.const 7) (i32.const 60000)) (br $again)) unreachable";
    check_evaluate(evaluate, "", "out_of_fuel");
}

#[test]
fn endless_logging_is_out_of_fuel() {
    check_evaluate(
        "(loop $again (call $log (i32.const 1024) (i32.const 9)) (br $again)) unreachable",
        "",
        "out_of_fuel",
    );
    check_evaluate("(loop $again (call $log (i32.const 0) (i32.const 0)) (br $again)) unreachable", "", "out_of_fuel");
    check_evaluate(
        "(loop $again (call $log (i32.const 0) (i32.const 120000)) (br $again)) unreachable",
        "",
        "out_of_fuel",
    );
}

#[test]
fn deep_recursion_is_a_stack_overflow() {
    let definitions = "(func $deeper (param i64 i64 i64 i64) (result i64)
        (i64.add (local.get 0) (call $deeper (local.get 1) (local.get 2) (local.get 3) (local.get 0))))";
    let evaluate = "(drop (call $deeper (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))) unreachable";
    check_evaluate(evaluate, definitions, "stack_overflow");
}

#[test]
fn growing_beyond_the_limit_is_the_fault_memory() {
    check_evaluate("(loop $more (drop (memory.grow (i32.const 16))) (br $more)) unreachable", "", "memory");
    check_evaluate("(drop (memory.grow (i32.const 3000))) unreachable", "", "memory");
    let definitions = "(table $table 1 funcref)";
    let evaluate = "(loop $more (drop (table.grow $table (ref.null func) (i32.const 10000))) (br $more)) unreachable";
    check_evaluate(evaluate, definitions, "memory");
}

#[test]
fn more_than_all_memory_there_can_be_is_the_fault_memory_too() {
    // Asking for so many pages takes fuel of its own.
    let limits = Limits { fuel_per_event: 1 << 50, ..limits() };
    let (host, _) = start_with(Options { limits, ..options() });
    for pages in [65_000, 65_534, 65_535, -1] {
        let evaluate = format!("(drop (memory.grow (i32.const {pages}))) unreachable");
        let filter = load(&host, Guest { evaluate: &evaluate, ..PASSING }).unwrap();
        assert_eq!(ask(&host, &filter, &[PAYLOAD]).first().map(Evaluated::word), Some("memory"), "{pages}");
    }
}

#[test]
fn what_the_module_itself_forbids_is_no_fault() {
    let host = start();
    let evaluate = "(if (i32.ne (memory.grow (i32.const 3)) (i32.const -1)) (then unreachable))
        (i32.store (i32.const 128) (i32.const 0)) (i32.const 128)";
    let filter = load(&host, Guest { memory: "2 4", evaluate, ..PASSING }).unwrap();
    for answer in ask(&host, &filter, &[PAYLOAD, PAYLOAD]) {
        assert_eq!(answer.result, Ok(Verdict::Pass));
    }
}

#[test]
fn a_giant_answer_is_too_large() {
    let grow = "(drop (memory.grow (i32.const 60)))";
    for case in [1, 2] {
        let evaluate = format!("{grow} (call $answer (i32.const {case}) (i32.const 0) (i32.const 2000000))");
        check_evaluate(&evaluate, "", "output_too_large");
        let evaluate = format!("{grow} (call $answer (i32.const {case}) (i32.const 0) (i32.const 1048577))");
        check_evaluate(&evaluate, "", "output_too_large");
    }
    check_evaluate(
        &format!("{grow} (call $log (i32.const 0) (i32.const 2000000)) unreachable"),
        "",
        "output_too_large",
    );
}

#[test]
fn an_answer_of_the_wrong_form_is_bad() {
    let rewrite = |text: &str| {
        let definitions = format!("(data (i32.const 2048) \"{}\")", text.replace('"', "\\22"));
        let evaluate = format!("(call $answer (i32.const 2) (i32.const 2048) (i32.const {}))", text.len());
        check_evaluate(&evaluate, &definitions, "bad_answer");
    };
    for text in [
        "",
        "no JSON",
        "[]",
        "7",
        r#"{"data":{}"#,
        r#"{"data":{}} "#.repeat(2).trim(),
        "{}",
        r#"{"data":[]}"#,
        r#"{"data":{},"actor":null}"#,
        r#"{"data":{},"type":{}}"#,
        r#"{"data":{},"data":{}}"#,
        r#"{"data":{"a":01}}"#,
    ] {
        rewrite(text);
    }
    rewrite(&format!(r#"{{"data":{}{}}}"#, r#"{"a":"#.repeat(70) + "{}", "}".repeat(70)));
    let drop = |text: &str| {
        let definitions = format!("(data (i32.const 2048) \"{text}\")");
        let evaluate = format!("(call $answer (i32.const 1) (i32.const 2048) (i32.const {}))", text.len());
        check_evaluate(&evaluate, &definitions, "bad_answer");
    };
    for text in ["", ":", "Capital", "two words", &"x".repeat(65), " x", "x ", ": words"] {
        drop(text);
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_bad() {
    // Beyond the memory, no UTF-8, no case of the variant, a place that is odd or nowhere.
    check_evaluate("(call $answer (i32.const 2) (i32.const -9) (i32.const 100))", "", "bad_answer");
    let definitions = "(data (i32.const 2048) \"\\ff\\fe\")";
    check_evaluate("(call $answer (i32.const 2) (i32.const 2048) (i32.const 2))", definitions, "bad_answer");
    check_evaluate("(call $answer (i32.const 9) (i32.const 0) (i32.const 0))", "", "bad_answer");
    check_evaluate("(i32.const 129)", "", "bad_answer");
    check_evaluate("(i32.const -4)", "", "bad_answer");
}

#[test]
fn a_trap_is_named_by_where_it_happens() {
    check_evaluate("unreachable", "", "trap");
    check_evaluate("(i32.div_u (i32.const 1) (i32.const 0))", "", "trap");
    check_evaluate("(i32.load (i32.const -4))", "", "trap");
    check(Guest { configure: "unreachable", ..PASSING }, "trap");
    let definitions = "(func $refuse unreachable) (start $refuse)";
    let host = start();
    assert_eq!(load(&host, Guest { definitions, ..PASSING }).unwrap_err().code(), "start_trap");
    assert_eq!(load(&host, Guest { describe: "unreachable", ..PASSING }).unwrap_err().code(), "trap");
    let describe = "(loop $again (br $again)) unreachable";
    assert_eq!(load(&host, Guest { describe, ..PASSING }).unwrap_err().code(), "out_of_fuel");
}

#[test]
fn a_refused_configuration_is_told_in_the_filters_words() {
    let host = start();
    let configure = "(i32.store (i32.const 64) (i32.const 1)) (i32.store (i32.const 68) (local.get $ptr))
        (i32.store (i32.const 72) (local.get $len)) (i32.const 64)";
    let filter = load(&host, Guest { configure, ..PASSING }).unwrap();
    let answers = host.evaluate_blocking(&filter, "no such key", vec![event(PAYLOAD); 2]);
    let refused = || Err(Fault::ConfigureRefused { words: "no such key".to_owned() });
    assert_eq!(answers.iter().map(|answer| answer.result.clone()).collect::<Vec<_>>(), [refused(), refused()]);
    let large = "x".repeat(limits().configuration_bytes_max + 1);
    let answers = host.evaluate_blocking(&filter, Arc::<str>::from(large), vec![event(PAYLOAD)]);
    assert_eq!(answers.first().map(Evaluated::word), Some("configure_refused"));
}

#[test]
fn a_payload_that_does_not_fit_its_memory_is_the_fault_memory() {
    let host = start();
    let filter = load(&host, PASSING).unwrap();
    let large = "x".repeat(20 << 20);
    let answers = host.evaluate_blocking(&filter, "", vec![event(PAYLOAD), event(large), event(PAYLOAD)]);
    let words: Vec<&str> = answers.iter().map(Evaluated::word).collect();
    assert_eq!(words, ["pass", "memory", "pass"]);
}

#[test]
fn the_wall_is_a_fault_only_after_three_tries() {
    let limits = Limits { fuel_per_event: u64::MAX >> 2, wall_per_call: Duration::from_millis(20), ..limits() };
    let (host, metrics) = start_with(Options { limits, ..options() });
    let filter = load(&host, Guest { evaluate: "(loop $again (br $again)) unreachable", ..PASSING }).unwrap();
    let before = metrics.instances.get();
    let answers = ask(&host, &filter, &[PAYLOAD]);
    assert_eq!(answers.first().map(Evaluated::word), Some("epoch"));
    assert_eq!(metrics.instances.get() - before, 3, "each try is on a fresh instance");
    let configure = "(loop $again (br $again)) unreachable";
    let filter = load(&host, Guest { configure, ..PASSING }).unwrap();
    let words: Vec<&str> = ask(&host, &filter, &[PAYLOAD; 3]).iter().map(Evaluated::word).collect();
    assert_eq!(words, ["epoch"; 3]);
}

#[test]
fn after_a_trap_the_rest_of_the_batch_gets_a_fresh_instance() {
    let (host, metrics) = start_with(options());
    // Traps at payloads that do not begin with a brace.
    let evaluate = "(if (i32.ne (i32.load8_u (local.get $payload)) (i32.const 123)) (then unreachable))
        (i32.store (i32.const 128) (i32.const 0)) (i32.const 128)";
    let filter = load(&host, Guest { evaluate, ..PASSING }).unwrap();
    let before = metrics.instances.get();
    let words: Vec<&str> =
        ask(&host, &filter, &[PAYLOAD, "x", PAYLOAD, PAYLOAD, "x", "x"]).iter().map(Evaluated::word).collect();
    assert_eq!(words, ["pass", "trap", "pass", "pass", "trap", "trap"]);
    // One to begin with; two for the first trap (it is asked again) … and the last finds a fresh one already.
    assert_eq!(metrics.instances.get() - before, 5);
}
