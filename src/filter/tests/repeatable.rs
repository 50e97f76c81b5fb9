//! The same event gives the same answer with the same fuel, on any instance of any host, whatever came before.

use super::*;

#[test]
fn answers_and_fuel_do_not_depend_on_the_batch() {
    // Rewrites, logs, and works as long as the payload is.
    let evaluate = format!(
        "(local $i i32) (call $log (local.get $payload) (local.get $payload_len))
        (loop $more (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (local.get $payload_len)))) {ECHO}"
    );
    let guest = Guest { evaluate: &evaluate, ..PASSING };
    let payloads: Vec<String> =
        (1..40).map(|size| format!(r#"{{"data":{{"text":"{}"}}}}"#, "x".repeat(size * 97))).collect();
    let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
    let host = start();
    let filter = load(&host, guest).unwrap();
    let together = ask(&host, &filter, &payloads);
    let alone: Vec<Evaluated> = payloads.iter().flat_map(|payload| ask(&host, &filter, &[*payload])).collect();
    assert_eq!(together, alone);
    let other = start();
    let again = ask(&other, &load(&other, guest).unwrap(), &payloads);
    assert_eq!(together, again);
    assert!(together.iter().all(|answer| answer.result.is_ok()), "{together:?}");
}

#[test]
fn a_fault_is_the_fault_of_a_fresh_instance() {
    // Keeps what it was given, so that a batch fills its memory; each event alone fits.
    let evaluate = "(drop (memory.grow (i32.const 100))) (i32.store (i32.const 128) (i32.const 0)) (i32.const 128)";
    let (host, metrics) = start_with(options());
    let filter = load(&host, Guest { evaluate, ..PASSING }).unwrap();
    let before = metrics.instances.get();
    for answer in ask(&host, &filter, &[PAYLOAD; 8]) {
        assert_eq!(answer.result, Ok(Verdict::Pass));
    }
    // 16 MiB are 256 pages: two events fit, the third is asked again on a fresh instance.
    assert_eq!(metrics.instances.get() - before, 4);
}

#[test]
fn a_number_that_is_none_is_the_same_everywhere() {
    // The bits of 0/0, made visible as a reason of eight letters a to p.
    let definitions = "(global $zero (mut f32) (f32.const 0))";
    let evaluate = "(local $i i32) (local $bits i32)
        (local.set $bits (i32.reinterpret_f32 (f32.div (f32.neg (global.get $zero)) (global.get $zero))))
        (loop $more
            (i32.store8 (i32.add (i32.const 2048) (local.get $i))
                (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get $bits) (i32.mul (local.get $i) (i32.const 4)))
                    (i32.const 15))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 8))))
        (call $answer (i32.const 1) (i32.const 2048) (i32.const 8))";
    let host = start();
    let filter = load(&host, Guest { definitions, evaluate, ..PASSING }).unwrap();
    let answers = ask(&host, &filter, &[PAYLOAD]);
    let canonical = Verdict::Drop { reason: "aaaaamph".to_owned(), words: String::new() };
    assert_eq!(answers.first().map(|answer| answer.result.clone()), Some(Ok(canonical)));
}
