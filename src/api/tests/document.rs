//! The OpenAPI document: what it says is what the router does.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::openapi::{document, document_text};
use super::super::routes::table;
use super::super::{Options, route::Needs};
use super::{BODY, start};
use crate::model::Permission;
use crate::web::Code;

#[test]
fn the_document_in_docs_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == document_text(), "docs/openapi.json is not what `hooklog openapi` prints: print it there anew");
}

#[test]
fn every_route_is_in_it_with_its_permission() {
    let document = document();
    let routes = table(&Options { body: BODY, capture_age_max: std::time::Duration::ZERO, metrics_need_token: false });
    let words: BTreeSet<&str> =
        Permission::ALL.iter().map(|one| one.as_str()).chain(["none", "token", "operator"]).collect();
    let mut ids = BTreeSet::new();
    for route in &routes {
        let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        assert_eq!(operation["x-permission"], route.needs.as_str(), "{}", route.path);
        assert!(words.contains(route.needs.as_str()));
        assert_eq!(operation["security"].as_array().unwrap().is_empty(), route.needs == Needs::Nothing);
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
            "{} is there twice",
            operation["operationId"]
        );
        assert!(!route.summary.ends_with('.') && route.summary.len() > 10, "{}", route.summary);
        assert!(operation["responses"].as_object().unwrap().len() >= 2);
    }
    let operations: usize =
        document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(operations, routes.len(), "and nothing else is");
}

#[test]
fn every_code_is_a_response_and_every_reference_leads_somewhere() {
    let document = document();
    let text = document.to_string();
    for code in Code::ALL {
        assert!(text.contains(&format!("\"{code}\"")), "{code}");
    }
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match (name.as_str(), value) {
                        ("$ref", Value::String(reference)) => found.push(reference),
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn it_is_served_without_a_token() {
    let server = start().await;
    let answer = server.client(None).await.get("/api/v1/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), document());
}

/// What a receiver really gets, compared with what the document says.
#[tokio::test]
async fn receivers_get_the_headers_that_it_names() {
    let mut server = start().await;
    let receiver = super::Receiver::start(&server).await;
    let mut acme = server.account("acme", &["settings", "history"]).await;
    let crm = "/api/v1/accounts/acme/endpoints/crm";
    acme.put(crm, serde_json::json!({ "url": receiver.url })).await.expect(201);
    server.append("acme", "a.b", 1).await;
    super::until(&mut acme, &format!("{crm}/status"), |status| status["ledger"]["delivered"] == 1).await;
    let got = receiver.got.lock().unwrap()[0].clone();
    let document = document();
    let headers = document["webhooks"]["event"]["post"]["parameters"].as_array().unwrap();
    for header in headers {
        let name = header["name"].as_str().unwrap();
        assert!(header["required"] == false || got.contains_key(name), "{name} is promised and not sent");
    }
    for name in got.keys().filter(|name| name.as_str().starts_with("webhook-") || name.as_str().starts_with("hooklog-"))
    {
        assert!(headers.iter().any(|header| header["name"] == name.as_str()), "{name} is sent and not described");
    }
}
