//! Every route with every kind of token.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::super::Options;
use super::super::route::{Needs, Route};
use super::super::routes::table;
use super::{Answer, BODY, Client, start, start_with};
use crate::model::Permission;
use crate::runtime::Clock;

/// Fills the places of a path with what is there in the account `acme`.
fn path_of(route: &Route) -> String {
    let fill = |segment: &str| match segment {
        "{account}" => "acme".to_owned(),
        "{endpoint}" => "crm".to_owned(),
        "{offset}" => "1".to_owned(),
        "{code}" => "not_found".to_owned(),
        "{type}" => "call.rung".to_owned(),
        "{id}" => "1".to_owned(),
        other => other.to_owned(),
    };
    route.path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

async fn ask(client: &mut Client, route: &Route) -> Answer {
    // A body that no route takes: who may not use the route is told so, and not what is wrong with it.
    let body = route.request.map(|_| json!({ "nonsense": true }));
    client.send(route.method.clone(), &path_of(route), &[], body).await
}

fn all() -> Vec<Route> {
    table(&Options { body: BODY, capture_age_max: Duration::ZERO, metrics_need_token: true })
}

/// Whether the answer is that of the handler, or of what it looks up, and not a refusal of the token.
fn is_let_in(answer: &Answer) -> bool {
    let code = answer.code();
    !matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && code != "account_not_found"
}

#[tokio::test]
async fn every_route_lets_in_who_it_names_and_nobody_else() {
    let clock = Clock::manual(1_772_442_847_512);
    let server = start_with(true, clock.clone()).await;
    let mut operator = server.operator().await;
    server.account("acme", &["history"]).await;
    let everything: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
    let mut other = server.account("globex", &everything).await;
    operator.put("/api/v1/accounts/acme/endpoints/crm", json!({ "url": "https://example.com/" })).await.expect(201);
    let draft = json!({ "name": "old", "permissions": everything, "expiresAt": "2026-03-02T09:15:00Z" });
    let token = operator.post("/api/v1/accounts/acme/tokens", draft).await.expect(201);
    let mut expired = server.client(token["token"].as_str()).await;
    clock.advance(Duration::from_secs(3600));
    let mut nobody = server.client(None).await;
    let mut wrong = server.client(Some("hlo_operato")).await;
    let mut holders = Vec::new();
    for permission in Permission::ALL {
        holders.push((permission, server.account("acme", &[permission.as_str()]).await));
    }

    for route in all() {
        let name = format!("{} {}", route.method, route.path);
        for (kind, client) in
            [("no token", &mut nobody), ("a wrong token", &mut wrong), ("an expired one", &mut expired)]
        {
            let answer = ask(client, &route).await;
            let is_refused = answer.status == StatusCode::UNAUTHORIZED;
            assert_eq!(is_refused, route.needs != Needs::Nothing, "{name} with {kind}: {answer:?}");
            assert_eq!(is_refused, answer.headers.contains_key("www-authenticate"), "{name} with {kind}");
        }
        for (permission, client) in &mut holders {
            let answer = ask(client, &route).await;
            let expected = match route.needs {
                Needs::Nothing | Needs::AnyToken => true,
                Needs::Permission(needed) => needed == *permission,
                Needs::Operator => false,
            };
            assert_eq!(is_let_in(&answer), expected, "{name} with {permission}: {answer:?}");
            if !expected {
                let problem = answer.refused(403, "forbidden");
                assert_eq!(problem["missing"], route.needs.as_str(), "{name} with {permission}");
            }
        }
        let answer = ask(&mut other, &route).await;
        match route.needs {
            _ if route.path.contains("{account}") => {
                // As if it did not exist, whatever the other token may do at home.
                answer.refused(404, "account_not_found");
            }
            Needs::Operator => drop(answer.refused(403, "forbidden")),
            Needs::Nothing | Needs::AnyToken | Needs::Permission(_) => {
                assert!(is_let_in(&answer), "{name}: {answer:?}")
            }
        }
        let answer = ask(&mut operator, &route).await;
        assert!(is_let_in(&answer), "{name} as operator: {answer:?}");
        assert!(answer.status != StatusCode::INTERNAL_SERVER_ERROR, "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn an_account_that_is_not_there_looks_like_another_ones() {
    let server = start().await;
    let mut acme = server.account("acme", &["settings", "history"]).await;
    server.account("globex", &["listen"]).await;
    let document = |answer: Answer| {
        let mut problem = answer.refused(404, "account_not_found");
        problem.as_object_mut().unwrap().remove("instance");
        problem
    };
    let there: Value = document(acme.get("/api/v1/accounts/globex").await);
    let nowhere = document(acme.get("/api/v1/accounts/nobody").await);
    assert_eq!(there, nowhere, "not even the words differ");
    document(acme.put("/api/v1/accounts/nobody", json!({})).await);
    server.operator().await.get("/api/v1/accounts/nobody").await.refused(404, "account_not_found");
}

#[tokio::test]
async fn metrics_ask_for_a_token_off_loopback_only() {
    let open = start().await;
    let mut nobody = open.client(None).await;
    let answer = nobody.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    assert!(String::from_utf8_lossy(&answer.body).contains("hooklog_log_records_total"));
    let closed = start_with(true, Clock::system()).await;
    closed.client(None).await.get("/metrics").await.refused(401, "unauthorized");
    closed.account("acme", &["history"]).await.get("/metrics").await.refused(403, "forbidden");
    assert_eq!(closed.operator().await.get("/metrics").await.status, 200);
}
