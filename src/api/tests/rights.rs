//! Rights and the catalogue over the API: saved, explained, pending, restored, extended by calls.

use serde_json::{Value, json};

use super::start;

const RIGHTS: &str = "/api/v1/accounts/acme/rights";

#[tokio::test]
async fn rights_are_read_saved_changed_and_taken_back() {
    let server = start().await;
    let mut acme = server.account_as_made("acme", &["rights"]).await;
    let first = acme.get(RIGHTS).await.expect(200);
    let catalog = first["catalog"].as_str().unwrap().to_owned();
    assert_eq!(
        (&first["default"], &first["types"], &first["fields"], &first["warnings"]),
        (&json!({ "types": "recommended", "fields": "recommended" }), &json!({}), &json!({}), &json!([]))
    );
    assert_eq!(acme.put(RIGHTS, first.clone()).await.expect(200)["revision"], first["revision"], "what was read fits");
    let rights = json!({ "default": "none", "types": { "call.*": true }, "fields": { "customer.nummer": "mask" } });
    let saved = acme.put(RIGHTS, rights).await;
    assert_eq!(saved.header("etag"), format!("\"{}\"", saved.json()["revision"].as_str().unwrap()));
    let saved = saved.expect(200);
    assert_eq!(saved["catalog"], catalog.as_str(), "the present one where nobody says");
    assert_eq!(saved["warnings"][0]["pointer"], "/fields/customer.nummer");
    let changed = acme.patch(RIGHTS, json!({ "fields": { "customer.nummer": null, "agent.login": "keep" } })).await;
    let changed = changed.expect(200);
    assert_eq!(
        (&changed["fields"], &changed["types"]),
        (&json!({ "agent.login": "keep" }), &json!({ "call.*": true }))
    );

    let history = acme.get("/api/v1/accounts/acme/rights/history").await.expect(200);
    let changes: Vec<&Value> = history["items"].as_array().unwrap().iter().map(|item| &item["changed"]).collect();
    assert_eq!(
        changes,
        [&json!(["agent.login", "customer.nummer"]), &json!(["default", "call.*", "customer.nummer"]), &json!([]),]
    );
    let restored = acme.post(&format!("{RIGHTS}/restore"), json!({ "revision": first["revision"] })).await.expect(200);
    assert_eq!((&restored["default"], &restored["types"]), (&first["default"], &first["types"]));
    assert_ne!(restored["revision"], first["revision"], "a restore is a change like any other");
    let unknown = acme.post(&format!("{RIGHTS}/restore"), json!({ "revision": "r0" })).await;
    assert_eq!(unknown.refused(422, "invalid_request")["errors"][0]["pointer"], "/revision");
    let stale = acme.send(http::Method::PUT, RIGHTS, &[("if-match", "\"r0\"")], Some(json!({}))).await;
    stale.refused(412, "precondition_failed");
}

#[tokio::test]
async fn wrong_rights_are_refused_with_their_place() {
    let server = start().await;
    let mut acme = server.account_as_made("acme", &["rights"]).await;
    for (rights, pointer) in [
        (json!({ "fields": { "interaction.id": "remove" } }), "/fields/interaction.id"),
        (json!({ "fields": { "customer.*": "keep" } }), "/fields/customer.*"),
        (json!({ "types": { "call ended": true } }), "/types/call ended"),
        (json!({ "catalog": "r0000000000000" }), "/catalog"),
        (json!({ "field": {} }), "/field"),
        (json!({ "fields": { "customer.number": "hide" } }), "/fields/customer.number"),
    ] {
        let refused = acme.put(RIGHTS, rights.clone()).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{rights}: {refused}");
    }
}

#[tokio::test]
async fn what_is_effective_is_told_for_every_type_and_field() {
    let server = start().await;
    let (mut operator, mut acme) =
        (server.operator().await, server.account_as_made("acme", &["rights", "settings"]).await);
    let rights = json!({ "types": { "queue.snapshot": false }, "fields": { "call.ended/customer": "mask" } });
    acme.put(RIGHTS, rights).await.expect(200);
    let effective = acme.get(&format!("{RIGHTS}/effective")).await.expect(200);
    assert_eq!(
        (&effective["types"]["queue.snapshot"], &effective["types"]["call.ended"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        (&effective["fields"]["customer.email"], &effective["fields"]["queue.ref"]),
        (&json!("remove"), &json!("keep"))
    );
    assert_eq!(effective["byType"]["call.ended"]["customer.email"], "mask");
    assert_eq!(effective["unknown"], json!({ "types": false, "fields": "remove" }));
    // The ceiling is the operator's, and an endpoint only narrows.
    let ceiling = format!("{RIGHTS}/ceiling");
    acme.put(&ceiling, json!({})).await.refused(403, "forbidden");
    assert_eq!(operator.get(&ceiling).await.expect(200), json!({ "types": {}, "fields": {}, "warnings": [] }));
    operator.put(&ceiling, json!({ "fields": { "queue.ref": "remove" } })).await.expect(200);
    let crm = json!({ "url": "https://example.com/", "rights": { "types": { "call.*": false } } });
    let made = acme.put("/api/v1/accounts/acme/endpoints/crm", crm).await.expect(201);
    assert_eq!(made["rights"]["types"], json!({ "call.*": false }));
    let again = acme.put("/api/v1/accounts/acme/endpoints/crm", made.clone()).await.expect(200);
    assert_eq!(again["revision"], made["revision"]);
    // Who may only change settings does not lift what narrows the endpoint, by leaving it out either.
    let token = json!({ "name": "ops", "permissions": ["settings"] });
    let token = operator.post("/api/v1/accounts/acme/tokens", token).await.expect(201);
    let mut settings = server.client(token["token"].as_str()).await;
    let lifted = settings.put("/api/v1/accounts/acme/endpoints/crm", json!({ "url": "https://example.com/" })).await;
    assert_eq!(lifted.refused(403, "forbidden")["missing"], "rights");
    let order = json!({ "order": "strict" });
    settings.patch("/api/v1/accounts/acme/endpoints/crm", order).await.expect(200);
    let narrowed = acme.get(&format!("{RIGHTS}/effective?endpoint=crm")).await.expect(200);
    assert_eq!((&narrowed["types"]["call.ended"], &narrowed["fields"]["queue.ref"]), (&json!(false), &json!("remove")));
    let own = acme.get(&format!("{RIGHTS}/effective")).await.expect(200);
    assert_eq!((&own["types"]["call.ended"], &own["fields"]["queue.ref"]), (&json!(true), &json!("remove")));
    operator.put(&ceiling, json!({})).await.expect(200);
    assert_eq!(acme.get(&format!("{RIGHTS}/effective")).await.expect(200)["fields"]["queue.ref"], "keep");
}

#[tokio::test]
async fn a_type_given_by_a_call_waits_for_rights_to_be_saved_on_it() {
    let mut server = start().await;
    let (mut operator, mut acme) =
        (server.operator().await, server.account_as_made("acme", &["rights", "documentation"]).await);
    server.append("acme", "call.rung", 2).await;
    let path = "/api/v1/catalog/types/call.rung";
    let unknown = operator.get("/api/v1/catalog").await.expect(200);
    assert_eq!(unknown["unknown"][0]["name"], "call.rung");
    assert_eq!(unknown["unknown"][0]["count"], 2);
    let texts = json!({ "name": "Rung", "text": "It rang." });
    let mut rung = json!({ "category": "calls", "en": texts, "fr": texts, "fields": ["agent.*", {
        "path": "bell", "kind": "string", "class": "none", "status": "proposed", "example": "ding", "en": texts, "fr": texts }] });
    let made = operator.put(path, rung.clone()).await;
    assert_eq!(made.header("location"), path);
    let made = made.expect(201);
    assert_eq!((&made["origin"], &made["count"], &made["status"]), (&json!("call"), &json!(2), &json!("proposed")));
    rung["fields"] = json!(["nope.*"]);
    let refused = operator.put(path, rung).await.refused(422, "invalid_request");
    assert_eq!(refused["detail"], "call.rung: there is no field \"nope.*\"");

    let inferred = operator.get("/api/v1/catalog/inferred").await.expect(200);
    assert_eq!(inferred["events"], 2);
    let drafted = inferred["types"].as_array().unwrap().iter().find(|entry| entry["name"] == "call.rung").unwrap();
    assert_eq!(drafted["events"], 2, "{drafted}");
    let toml = inferred["toml"].as_str().unwrap();
    assert!(toml.contains("path = \"big\"") && !toml.contains("12345678901234567890"), "{toml}");

    let pending = acme.get(&format!("{RIGHTS}/pending")).await.expect(200);
    assert_eq!(
        pending["items"],
        json!([
            { "kind": "type", "name": "call.rung", "change": "new", "now": false, "after": true },
            { "kind": "field", "name": "bell", "change": "new", "now": "remove", "after": "keep" },
        ])
    );
    let own = acme.get("/api/v1/accounts/acme/catalog").await.expect(200);
    let rung = own["types"].as_array().unwrap().iter().find(|entry| entry["name"] == "call.rung").unwrap();
    assert_eq!(rung["count"], 2);
    assert!(rung["firstSeenAt"].is_string() && rung["fields"].as_array().unwrap().contains(&json!("agent.login")));
    acme.put(RIGHTS, json!({})).await.expect(200);
    assert_eq!(acme.get(&format!("{RIGHTS}/pending")).await.expect(200)["items"], json!([]));
    operator.delete(path).await;
    operator.delete(path).await.refused(404, "not_found");
    let gone = acme.get(&format!("{RIGHTS}/pending")).await.expect(200);
    assert_eq!(gone["items"][0]["change"], "gone");
}

#[tokio::test]
async fn a_preview_shows_what_would_be_left_and_never_what_is_withheld() {
    let mut server = start().await;
    let (mut operator, mut acme) = (server.operator().await, server.account_as_made("acme", &["rights"]).await);
    server.append("acme", "call.ended", 1).await;
    let path = format!("{RIGHTS}/preview");
    let own = json!({ "type": "call.ended", "actor": { "userId": "u_1" }, "data":
        { "queue": { "ref": "q", "name": "Q" }, "customer": { "number": "+33612345678" } } });
    let shown = acme.post(&path, json!({ "event": own })).await.expect(200);
    assert_eq!((&shown["outcome"], &shown["touched"]), (&json!("sent"), &json!(["customer.number"])));
    assert_eq!(
        shown["after"],
        json!({ "actor": { "userId": "u_1" }, "data": { "queue": { "ref": "q", "name": "Q" } } })
    );
    let rights = json!({ "fields": { "queue.name": "mask", "actor.userId": "pseudonymize" } });
    let shown = acme.post(&path, json!({ "rights": rights, "event": own })).await.expect(200);
    assert_eq!(shown["after"]["data"], json!({ "queue": { "ref": "q", "name": "***" } }));
    assert_eq!(shown["touched"], json!(["actor.userId", "customer.number", "queue.name"]));
    let withheld = json!({ "rights": { "types": { "call.*": false } }, "event": own });
    let shown = acme.post(&path, withheld).await.expect(200);
    assert_eq!((&shown["outcome"], &shown["after"]), (&json!("type_withheld"), &json!(null)));
    assert_eq!(acme.get(RIGHTS).await.expect(200)["fields"], json!({}), "nothing is saved");

    // Of a real event who may not see it raw sees the kinds of its values.
    let kinds = acme.post(&path, json!({ "offset": 1 })).await.expect(200);
    assert_eq!(kinds["before"]["data"], json!({ "n": "number", "big": "number" }));
    // Rights that are only tried show nobody what saved ones withhold.
    let everything = json!({ "rights": { "fields": { "*": "keep" } }, "offset": 1 });
    let veiled = acme.post(&path, everything.clone()).await.expect(200);
    assert_eq!(veiled["after"]["data"], json!({ "n": "number", "big": "number" }));
    let raw = operator.post(&path, everything).await.expect(200);
    assert_eq!(raw["after"]["data"]["n"], 1);
    let raw = operator.post(&path, json!({ "offset": 1 })).await.expect(200);
    assert_eq!(raw["before"]["data"], json!({ "n": 1, "big": 12345678901234567000.0 }));
    acme.post(&path, json!({ "offset": 9 })).await.refused(404, "event_not_found");
    acme.post(&path, json!({})).await.refused(422, "invalid_request");
    let wrong = json!({ "rights": { "fields": { "a b": "keep" } }, "offset": 1 });
    assert_eq!(
        acme.post(&path, wrong).await.refused(422, "invalid_request")["errors"][0]["pointer"],
        "/rights/fields/a b"
    );
}
