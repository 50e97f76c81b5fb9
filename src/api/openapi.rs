//! The OpenAPI 3.1 document, made from the table of routes.
//!
//! Nothing in it is written twice: paths, permissions, parameters, bodies and answers are those of the router.
//! Two runs of one build give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use bytes::Bytes;
use http::Method;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Options;
use super::receiving::webhooks;
use super::route::{Needs, Route};
use super::routes::table;
use crate::web::{BodyLimits, CONTENT_TYPE_PROBLEM, Code, Document};

/// Returns the document of the API, as a listener on loopback has it.
#[must_use]
pub fn document() -> Value {
    let body = BodyLimits { bytes_max: 0, timeout: std::time::Duration::ZERO };
    let capture_age_max = std::time::Duration::ZERO;
    document_for(&Options { body, capture_age_max, metrics_need_token: false })
}

/// Returns the document as text: what `docs/openapi.json` and `hooklog openapi` show.
#[must_use]
pub fn document_text() -> String {
    text(&document())
}

/// Returns the document of a running listener, made once: it is answered to whoever asks.
pub(super) fn document_text_for(options: &Options) -> Bytes {
    static OPEN: OnceLock<Bytes> = OnceLock::new();
    static CLOSED: OnceLock<Bytes> = OnceLock::new();
    let made = if options.metrics_need_token { &CLOSED } else { &OPEN };
    made.get_or_init(|| text(&document_for(options)).into()).clone()
}

fn text(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a JSON value can be written as JSON");
    text.push('\n');
    text
}

/// Two generators, because a type may look different when it is read and when it is written.
struct Generators {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

fn document_for(options: &Options) -> Value {
    let settings = || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = SCHEMAS.into());
    let mut generators = Generators {
        requests: settings().for_deserialize().into_generator(),
        answers: settings().for_serialize().into_generator(),
    };
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in table(options) {
        let operation = operation(&route, &mut generators);
        paths.entry(route.path).or_default().insert(route.method.as_str().to_ascii_lowercase(), operation);
    }
    let webhooks = webhooks(&mut generators.answers);
    let problem = generators.answers.subschema_for::<Document>().to_value();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "hooklog",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "tags": TAGS.iter().map(|(name, description)| json!({ "name": name, "description": description })).collect::<Vec<_>>(),
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": problem_responses(&problem),
            "schemas": schemas(generators),
        },
    })
}

fn operation(route: &Route, generators: &mut Generators) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [tag(route.path)],
        "x-permission": route.needs.as_str(),
        "security": if route.needs == Needs::Nothing { json!([]) } else { json!([{ "token": [] }]) },
        "parameters": parameters(route, generators),
        "responses": responses(route, generators),
    });
    let members = operation.as_object_mut().expect("it was just written as an object");
    if !route.description.is_empty() {
        members.insert("description".to_owned(), route.description.into());
    }
    if let Some(describe) = route.request {
        members.insert("requestBody".to_owned(), describe(&mut generators.requests));
    }
    operation
}

/// Names an operation after what it does: `getAccountEndpoints`, `getAccountEndpoint`, `postAccountEndpointPause`.
fn operation_id(route: &Route) -> String {
    let path = route.path.strip_prefix("/api/v1").unwrap_or(route.path);
    let mut id = route.method.as_str().to_ascii_lowercase();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        if segment.starts_with('{') {
            // One of what was named before it.
            match (id.strip_suffix("ies"), id.strip_suffix('s')) {
                (Some(stem), _) => id = format!("{stem}y"),
                (None, Some(stem)) => id = stem.to_owned(),
                (None, None) => {}
            }
            continue;
        }
        for word in segment.split(['.', '-', '_']) {
            let mut characters = word.chars();
            id.extend(characters.next().map(|first| first.to_ascii_uppercase()));
            id.extend(characters);
        }
    }
    id
}

fn tag(path: &str) -> &'static str {
    let has = |part: &str| path.contains(part);
    match () {
        () if has("/events") || has("/deliveries") => "history",
        () if has("/replays") => "replays",
        () if has("/tokens") => "tokens",
        () if has("/endpoints") => "endpoints",
        () if has("/accounts") => "accounts",
        () => "process",
    }
}

fn parameters(route: &Route, generators: &mut Generators) -> Vec<Value> {
    let in_path = path_parameters(route.path).map(|name| {
        json!({
            "name": name, "in": "path", "required": true, "description": path_description(name),
            "schema": { "type": "string" },
        })
    });
    let conditions: &[(&str, &str)] = if route.codes.contains(&Code::PreconditionFailed) { &CONDITIONS } else { &[] };
    let in_headers = conditions.iter().filter(|(name, _)| *name == "if-match" || route.method == Method::PUT);
    let in_headers = in_headers.map(|(name, description)| {
        json!({ "name": name, "in": "header", "required": false, "description": description, "schema": { "type": "string" } })
    });
    in_path.chain((route.parameters)(&mut generators.requests)).chain(in_headers).collect()
}

fn path_parameters(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn path_description(name: &str) -> &'static str {
    match name {
        "account" => "The account's name.",
        "endpoint" => "The endpoint's name.",
        "offset" => "The event's offset in the account's log.",
        "code" => "A problem code.",
        _ => "The id of the one that is meant.",
    }
}

fn responses(route: &Route, generators: &mut Generators) -> Map<String, Value> {
    let mut responses = Map::new();
    for (status, response) in (route.answers)(&mut generators.answers) {
        responses.insert(status.to_string(), response);
    }
    for status in problem_statuses(route) {
        let reference = json!({ "$ref": format!("#/components/responses/Problem{status}") });
        responses.entry(status.to_string()).or_insert(reference);
    }
    responses
}

/// Returns the statuses of all problems that a route can answer: those of its form, and its own.
fn problem_statuses(route: &Route) -> BTreeSet<u16> {
    let mut codes = vec![Code::BadRequest, Code::InternalError];
    match route.needs {
        Needs::Nothing => {}
        Needs::AnyToken => codes.push(Code::Unauthorized),
        Needs::Permission(_) | Needs::Operator => codes.extend([Code::Unauthorized, Code::Forbidden]),
    }
    if path_parameters(route.path).next().is_some() {
        codes.push(Code::NotFound);
    }
    if route.method != Method::GET {
        codes.extend([Code::DiskFull]);
    }
    if route.request.is_some() {
        codes.extend([Code::PayloadTooLarge, Code::RequestTimeout, Code::UnsupportedMediaType, Code::InvalidRequest]);
    }
    codes.extend(route.codes);
    codes.into_iter().map(|code| code.status().as_u16()).collect()
}

/// One response for each status that a problem has, with the codes that it may carry.
fn problem_responses(problem: &Value) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in Code::ALL {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    let response = |(status, codes): (u16, Vec<Code>)| {
        let lines = codes.iter().map(|code| format!("- `{code}`: {}", code.title()));
        let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
        let schema = json!({
            "allOf": [problem, { "properties": { "code": { "enum": names }, "status": { "const": status } } }],
        });
        let response = json!({
            "description": lines.collect::<Vec<_>>().join("\n"),
            "content": { CONTENT_TYPE_PROBLEM: { "schema": schema } },
        });
        (format!("Problem{status}"), response)
    };
    by_status.into_iter().map(response).collect()
}

/// Puts the schemas of both directions together.
fn schemas(mut generators: Generators) -> Map<String, Value> {
    let mut schemas = generators.answers.take_definitions(true);
    for (name, schema) in generators.requests.take_definitions(true) {
        let known = schemas.entry(name.clone()).or_insert_with(|| schema.clone());
        debug_assert_eq!(*known, schema, "{name} is two things: give one of them another name");
    }
    schemas
}

const SCHEMAS: &str = "/components/schemas";
const CONDITIONS: [(&str, &str); 2] = [
    ("if-match", "Write only where this is the present revision: the `etag` that was read, or `*`."),
    ("if-none-match", "With `*`: write only where there is nothing yet."),
];
const TAGS: [(&str, &str); 7] = [
    ("process", "How the process does."),
    ("accounts", "The tenants."),
    ("tokens", "What lets programs in."),
    ("endpoints", "Where events are sent to, and how that goes."),
    ("history", "What came in, and what became of it."),
    ("replays", "The past, sent again."),
    ("receiving", "What a receiver gets."),
];
const DESCRIPTION: &str = "hooklog keeps every event in a durable log and delivers it to the endpoints of its \
    account, signed and in order.\n\nEvents are posted to another listener (`POST /v1/accounts/{account}/events`). \
    Every failure is a problem document (RFC 9457) with a `code` that stays; `GET /api/v1/problems` lists all. Lists are \
    `{\"items\", \"next\"}`, read on with `?after=`. Unknown members and parameters are refused, except members that \
    hooklog adds on reading. `x-permission` is the permission that a token needs on the account; operators have all.";
