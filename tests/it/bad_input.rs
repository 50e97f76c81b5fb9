//! Bad input: a problem document that says where, and the process unmoved.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::Server;

const PATH: &str = "/v1/accounts/acme/events";

struct Case {
    what: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    /// Where the first error is.
    pointer: Option<&'static str>,
}

fn case(what: &'static str, body: impl Into<Vec<u8>>, code: &'static str, pointer: Option<&'static str>) -> Case {
    Case { what, content_type: "application/json", body: body.into(), status: 400, code, pointer }
}

#[tokio::test]
async fn every_bad_body_is_answered_with_the_place_and_nothing_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    let good = r#"{"type":"a.b","data":{"x":[1,2,{"y":"z"}]}}"#;
    let deep = format!(r#"{{"type":"a.b","data":{{"d":{}1{}}}}}"#, "[".repeat(100), "]".repeat(100));
    let mut cases: Vec<Case> =
        (0..good.len()).map(|end| case("truncated", &good.as_bytes()[..end], "malformed_json", None)).collect();
    cases.extend([
        case("deeply nested", deep, "malformed_json", None),
        case("the same key twice", r#"{"type":"a.b","data":{"k":1,"\u006b":2}}"#, "malformed_json", None),
        case(
            "invalid UTF-8",
            [br#"{"type":"a.b","data":{"k":""#.as_slice(), b"\xc3\x28\"}}"].concat(),
            "malformed_json",
            None,
        ),
        case("a lone surrogate", r#"{"type":"a.b","data":{"k":"\ud800"}}"#, "malformed_json", None),
        case("no type", r#"{"data":{}}"#, "invalid_event", Some("/type")),
        case("a number for a type", r#"{"type":1,"data":{}}"#, "invalid_event", Some("/type")),
        case("no data", r#"{"type":"a.b"}"#, "invalid_event", Some("/data")),
        case("data that is no object", r#"{"type":"a.b","data":[1]}"#, "invalid_event", Some("/data")),
        case(
            "a time that is none",
            r#"{"type":"a.b","data":{},"occurredAt":"noon"}"#,
            "invalid_event",
            Some("/occurredAt"),
        ),
        case("one bad item", r#"[{"type":"a.b","data":{}},{"type":"a.b","data":7}]"#, "invalid_event", Some("/1/data")),
        Case {
            content_type: "application/x-ndjson",
            ..case(
                "a bad line",
                format!("{good}\n{{\"type\":\"a b\",\"data\":{{}}}}\n"),
                "invalid_event",
                Some("/type"),
            )
        },
        Case {
            content_type: "text/plain",
            status: 415,
            ..case("another content type", good, "unsupported_media_type", None)
        },
        Case {
            status: 413,
            ..case(
                "too large an event",
                format!(r#"{{"type":"a.b","data":{{"x":"{}"}}}}"#, "x".repeat(300 << 10)),
                "payload_too_large",
                None,
            )
        },
        Case { status: 413, ..case("too large a body", vec![b' '; 2 << 20], "payload_too_large", None) },
    ]);
    let mut client = server.sender();
    for Case { what, content_type, body, status, code, pointer } in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = client.try_send(Method::POST, PATH, content_type, Bytes::from(body)).await;
        let answer = answer.unwrap_or_else(|problem| panic!("{what}: {problem}"));
        assert_eq!(answer.status.as_u16(), status, "{what}: {shown}: {answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{what}");
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{what}: {problem}");
        assert_eq!(problem["instance"], answer.headers["x-request-id"].to_str().unwrap());
        if let Some(pointer) = pointer {
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{what}: {problem}");
        }
    }
    let numbers = r#"{"type":"a.b","data":{"huge":1e999999,"long":123456789012345678901234567890123456789012345678901234567890}}"#;
    let taken =
        client.try_send(Method::POST, PATH, "application/json", Bytes::from_static(numbers.as_bytes())).await.unwrap();
    assert_eq!(taken.status, StatusCode::ACCEPTED, "huge numbers are numbers: {taken:?}");
    assert_eq!(taken.json()["firstOffset"], 1, "nothing bad was taken before");
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn conflicts_are_named_and_duplicates_answered_with_their_offset() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    let event = |id: &str, n: u64| json!({ "id": id, "type": "a.b", "data": { "n": n } });
    server.post("acme", json!([event("e1", 1), event("e2", 2)])).await;
    let again = server.post("acme", json!([event("e2", 2), event("e3", 3)])).await;
    let expected = json!({
        "accepted": 1, "duplicates": 1, "firstOffset": 3, "lastOffset": 3,
        "results": [{ "id": "e2", "offset": 2, "duplicate": true }, { "id": "e3", "offset": 3, "duplicate": false }],
    });
    assert_eq!(again, expected);
    let mut client = server.sender();
    let conflict = client.post(PATH, json!([event("e4", 4), event("e1", 9)])).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    let problem = conflict.json();
    assert_eq!((&problem["code"], &problem["errors"][0]["pointer"]), (&json!("event_conflict"), &json!("/1")));
    assert_eq!(
        problem["errors"],
        json!([{
            "pointer": "/1", "detail": "this id is in the log with other content", "offset": 1
        }])
    );
    let within = client.post(PATH, json!([event("e4", 4), event("e5", 5), event("e5", 6)])).await.json();
    assert_eq!(
        within["errors"],
        json!([{
            "pointer": "/2", "detail": "/1 of this request has the same id with other content", "first": "/1"
        }])
    );
    let kept = client.post(&format!("{PATH}?onConflict=keep_first"), json!([event("e4", 4), event("e1", 9)])).await;
    assert_eq!(kept.json()["firstOffset"], 4, "nothing of the refused batch was taken: {kept:?}");
    let unknown = client.post(&format!("{PATH}?onconflict=keep_first"), event("e5", 5)).await;
    assert_eq!(unknown.json()["code"], "unknown_parameter");
    let nobody = client.post("/v1/accounts/nobody/events", event("e5", 5)).await;
    assert_eq!(nobody.json()["code"], "account_not_found");
}

#[tokio::test]
async fn hooks_take_whatever_comes_and_never_refuse_what_can_be_stored() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    let mut client = server.sender();
    let mut hook = async |path: &str, body: &[u8]| {
        let answer = client.try_send(Method::POST, path, "text/plain", Bytes::copy_from_slice(body)).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    };
    let taken = hook("/hooks/acme", br#"{"type":"call.ended","id":"h1","data":{"n":1},"queue":"q"}"#).await;
    assert_eq!((&taken["accepted"], &taken["captured"]), (&json!(1), &json!(0)), "{taken}");
    let whole = hook("/hooks", br#"{"type":"call.ended","accountId":"acme","n":2}"#).await;
    assert_eq!(whole["accepted"], 1, "without data the whole body is the data: {whole}");
    for (path, body, reason) in [
        ("/hooks/acme", b"not json at all".as_slice(), "not_json"),
        ("/hooks/acme", b"\xff\xfe", "not_json"),
        ("/hooks/acme", b"{\"n\":1}", "no_type"),
        ("/hooks/acme", b"[7]", "not_an_object"),
        ("/hooks", b"{\"type\":\"a.b\"}", "no_account"),
        ("/hooks/nobody", b"{\"type\":\"a.b\"}", "unknown_account"),
    ] {
        let captured = hook(path, body).await;
        assert_eq!(
            (&captured["captured"], &captured["results"][0]["captured"]),
            (&json!(1), &json!(reason)),
            "{captured}"
        );
    }
    // The same id with other content: taken under an id of its own, whose repeat is a duplicate.
    let other = br#"{"type":"call.ended","id":"h1","data":{"n":2}}"#;
    let renamed = hook("/hooks/acme", other).await;
    assert_eq!(renamed["accepted"], 1, "{renamed}");
    assert_ne!(renamed["results"][0]["id"], "h1");
    let repeated = hook("/hooks/acme", other).await;
    assert_eq!(
        repeated["results"][0],
        json!({ "id": renamed["results"][0]["id"], "offset": renamed["results"][0]["offset"], "duplicate": true })
    );
    let captures = server.list("/api/v1/captures").await;
    assert_eq!(captures.len(), 6, "{captures:?}");
}

#[tokio::test]
async fn slow_half_closed_and_senseless_peers_move_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    let connect = || TcpStream::connect(&server.ingest).unwrap();
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = connect();
        write!(
            stream,
            "POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{{"
        )
        .unwrap();
        slow.push(stream);
    }
    let mut senseless = connect();
    senseless.write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n").unwrap();
    let mut answer = String::new();
    senseless.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    senseless.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer:?}");

    let mut half = connect();
    let body = r#"{"type":"a.b","data":{}}"#;
    write!(
        half,
        "POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    half.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    half.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "who has said all may close its half: {answer:?}");

    let taken: Value = server.post("acme", json!({ "type": "a.b", "data": {} })).await;
    assert_eq!(taken["firstOffset"], 2);
    drop(slow);
}
