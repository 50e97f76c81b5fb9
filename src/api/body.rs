//! Bodies of requests, each read in one way and described in the document by the same type.
//!
//! Not events: those come in at the other listener.

use axum::extract::Request;
use http::header::CONTENT_TYPE;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::web::json::{self, require_json};
use crate::web::{BodyLimits, Input, Problem, read_body};

/// A body that a handler takes.
pub(super) trait FromBody: Send + Sized + 'static {
    /// Describes the body in the document; none where there is none.
    const DESCRIBE: Option<fn(&mut SchemaGenerator) -> Value>;

    /// Reads the body of a request.
    fn read(request: Request, limits: BodyLimits) -> impl Future<Output = Result<Self, Problem>> + Send;
}

/// No body; one that is there is not looked at.
impl FromBody for () {
    const DESCRIBE: Option<fn(&mut SchemaGenerator) -> Value> = None;

    async fn read(_: Request, _: BodyLimits) -> Result<Self, Problem> {
        Ok(())
    }
}

/// A whole JSON value.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: Input + JsonSchema + Send + 'static> FromBody for Json<T> {
    const DESCRIBE: Option<fn(&mut SchemaGenerator) -> Value> =
        Some(|generator| described(generator.subschema_for::<T>().to_value(), "application/json", true));

    async fn read(request: Request, limits: BodyLimits) -> Result<Self, Problem> {
        require_json(request.headers(), &["application/json"])?;
        json::parse(&read_body(request.into_body(), limits).await?).map(Self)
    }
}

/// A JSON value all of whose members may be left out, and the body too.
#[derive(Debug)]
pub(super) struct Optional<T>(pub(super) T);

impl<T: Input + JsonSchema + Default + Send + 'static> FromBody for Optional<T> {
    const DESCRIBE: Option<fn(&mut SchemaGenerator) -> Value> =
        Some(|generator| described(generator.subschema_for::<T>().to_value(), "application/json", false));

    async fn read(request: Request, limits: BodyLimits) -> Result<Self, Problem> {
        let typed = request.headers().contains_key(CONTENT_TYPE).then(|| request.headers().clone());
        let body = read_body(request.into_body(), limits).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(&typed.unwrap_or_default(), &["application/json"])?;
        json::parse(&body).map(Self)
    }
}

/// A change of a `T` in the form of RFC 7396.
#[derive(Debug)]
pub(super) struct Patch<T> {
    pub(super) change: Value,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T: JsonSchema + 'static> FromBody for Patch<T> {
    const DESCRIBE: Option<fn(&mut SchemaGenerator) -> Value> = Some(|generator| {
        let mut schema = T::json_schema(generator).to_value();
        // What a whole setting must have, a change may leave as it is.
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("required");
        }
        let mut body = described(schema, "application/merge-patch+json", true);
        if let Some(body) = body.as_object_mut() {
            let description = "A merge patch (RFC 7396): members that are left out stay, null puts one back to its \
                               default. `application/json` is taken too.";
            body.insert("description".to_owned(), description.into());
        }
        body
    });

    async fn read(request: Request, limits: BodyLimits) -> Result<Self, Problem> {
        require_json(request.headers(), &["application/merge-patch+json", "application/json"])?;
        let change = json::parse_value(&read_body(request.into_body(), limits).await?)?;
        Ok(Self { change, of: std::marker::PhantomData })
    }
}

fn described(schema: Value, media_type: &str, is_required: bool) -> Value {
    json!({ "required": is_required, "content": { media_type: { "schema": schema } } })
}
