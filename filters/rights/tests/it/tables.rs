//! The form of tables, marks, and which section holds for a type.

use hooklog_rights::{Error, Mark, Table, Verdict, prepare};

use crate::rules::KEY;

fn check_refused(text: &str, line: usize) {
    match crate::table(text) {
        Err(Error::Table { line: at, .. }) => assert_eq!(at, line, "{text}"),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn what_is_no_table_is_refused_with_its_line() {
    let head = format!("rights/1 {KEY}\n");
    check_refused("", 1);
    check_refused("\n", 1);
    check_refused("rights/1 00\ntypes 0 +\nfields * 0 k\n", 1);
    check_refused(&format!("rights/2 {KEY}\ntypes 0 +\nfields * 0 k\n"), 1);
    check_refused(&format!("rights/1 {}\ntypes 0 +\nfields * 0 k\n", KEY.to_uppercase()), 1);
    check_refused(&head, 2);
    check_refused(&format!("{head}types 0 !\nfields * 0 k\n"), 2);
    check_refused(&format!("{head}types x +\nfields * 0 k\n"), 2);
    check_refused(&format!("{head}types 99999999999999999999 +\nfields * 0 k\n"), 2);
    check_refused(&format!("{head}types 2 +\na +\n"), 4);
    check_refused(&format!("{head}types 1 +\na\nfields * 0 k\n"), 3);
    check_refused(&format!("{head}types 2 +\nb +\na +\nfields * 0 k\n"), 4);
    check_refused(&format!("{head}types 0 +\n"), 3);
    check_refused(&format!("{head}types 0 +\nfields a 0 k\n"), 3);
    check_refused(&format!("{head}types 0 +\nfields * 0 x\n"), 3);
    check_refused(&format!("{head}types 0 +\nfields * 0 k \n"), 3);
    check_refused(&format!("{head}types 0 +\nfields * 1 k\n"), 4);
    check_refused(&format!("{head}types 0 +\nfields * 1 k\na k\n"), 4);
    check_refused(&format!("{head}types 0 +\nfields * 0 k\na kk\n"), 4);
    check_refused(&format!("{head}types 0 +\nfields * 0 k\nfields b 0 k\nfields a 0 k\n"), 5);
    check_refused(&format!("{head}types 0 +\nfields * 0 k"), 3);
}

#[test]
fn a_path_after_one_below_it_or_twice_is_an_error() {
    for lines in ["a.b kk\na rr\n", "a rr\na rr\n"] {
        let table = crate::table(&format!("rights/1 {KEY}\ntypes 0 +\nfields * 2 k\n{lines}"));
        assert_eq!(table.err(), Some(Error::Table { line: 5, expected: "a later path" }));
    }
}

#[test]
fn a_type_has_the_mark_of_its_line_or_else_the_common_one() {
    let text = format!("rights/1 {KEY}\ntypes 4 ?\na -\nb +\nb.a +\nc ?\nfields * 0 k\n");
    let table = crate::table(&text).expect("a table");
    let marks = ["", "a", "b", "b.a", "b.b", "c", "d"].map(|name| table.mark(name));
    use Mark::{Unknown, Wanted, Withheld};
    assert_eq!(marks, [Unknown, Withheld, Wanted, Wanted, Unknown, Unknown, Unknown]);
    let payload = r#"{"data":{}}"#;
    assert_eq!(table.evaluate("a", payload), Ok(Verdict::Drop("type_withheld")));
    assert_eq!(table.evaluate("b", payload), Ok(Verdict::Pass));
    assert_eq!(table.evaluate("c", payload), Ok(Verdict::Drop("type_unknown")));
    assert_eq!(table.evaluate("d", payload), Ok(Verdict::Drop("type_unknown")));
}

#[test]
fn a_type_without_a_line_has_the_mark_of_its_longest_prefix() {
    let text = format!("rights/1 {KEY}\ntypes 4 ?\ncall.* -\ncall.a.* +\ncall.b +\nx.* +\nfields * 0 k\n");
    let table = crate::table(&text).expect("a table");
    let marks =
        ["call.b", "call.c", "call.a", "call.a.b", "call.", "call", "x.y.z", "y.x"].map(|name| table.mark(name));
    use Mark::{Unknown, Wanted, Withheld};
    assert_eq!(marks, [Wanted, Withheld, Withheld, Wanted, Withheld, Unknown, Wanted, Unknown]);
}

#[test]
fn the_exact_section_wins_over_the_longest_prefix_and_that_over_the_general_one() {
    let sections = ["*", "c.*", "call", "call.*", "call.a.*", "call.a.b"];
    let mut text = format!("rights/1 {KEY}\ntypes 0 +\n");
    for (selector, at) in sections.iter().zip(0..) {
        text += &format!("fields {selector} 1 r\nf{at} kk\n");
    }
    let table = crate::table(&text).expect("a table");
    let members: Vec<String> = (0..sections.len()).map(|at| format!("\"f{at}\":{at}")).collect();
    let payload = format!(r#"{{"data":{{{}}}}}"#, members.join(","));
    for (name, at) in [
        ("call.a.b", 5),
        ("call.a.b.c", 4),
        ("call.a", 3),
        ("call.", 3),
        ("call", 2),
        ("callx", 0),
        ("c.x", 1),
        ("x.call.a", 0),
        ("", 0),
    ] {
        let left = format!(r#"{{"data":{{"f{at}":{at}}}}}"#);
        assert_eq!(table.evaluate(name, &payload), Ok(Verdict::Rewrite(left)), "{name}");
    }
}

#[test]
fn what_was_not_prepared_is_refused_and_what_is_cut_off_lets_nothing_out() {
    let lines = format!("rights/1 {KEY}\ntypes 1 ?\ncall.ended +\nfields * 2 k\na rr\nb.c rr\n");
    assert_eq!(
        Table::parse(&*lines).err(),
        Some(Error::Table { line: 1, expected: "rights/2 and a key of 64 digits" })
    );
    let whole = prepare(&lines).expect("a table");
    let payload = r#"{"data":{"a":"secret","b":{"c":"secret"},"d":1}}"#;
    let check = |table: &str| match Table::parse(table).map(|table| table.evaluate("call.ended", payload)) {
        Ok(Ok(Verdict::Rewrite(left))) => assert!(!left.contains("secret"), "{left} is left by {table}"),
        Ok(Ok(Verdict::Drop(_)) | Err(_)) | Err(_) => {}
        Ok(Ok(Verdict::Pass)) => panic!("all of it is left by {table}"),
    };
    (0..=whole.len()).for_each(|end| check(&whole[..end]));
}

#[test]
fn an_error_and_a_table_say_nothing_of_their_content() {
    let table = crate::table(&format!("rights/1 {KEY}\ntypes 0 +\nfields * 1 k\nsecret rr\n")).expect("a table");
    let shown = format!("{table:?}");
    assert!(!shown.contains("secret") && !shown.contains(KEY), "{shown}");
    let error = table.evaluate("call.ended", r#"{"data":{"secret":"s3cret}}"#).expect_err("an open string");
    assert_eq!(
        error.to_string(),
        "cannot read the payload: expected a string without control characters, and its end (byte 18)"
    );
}
