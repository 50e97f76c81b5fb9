//! A route: one line of the table, and how a request goes through it.
//!
//! Not what a handler does. The order is fixed here for all of them: who asks, whose account, may they, what
//! is asked, and only then the handler; so nothing is read or looked up for somebody who may not have it.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::routing::MethodFilter;
use http::{Method, Response};
use schemars::SchemaGenerator;
use serde_json::Value;
use tokio::sync::oneshot;

use super::Api;
use super::answer::Answer;
use super::body::FromBody;
use super::call::Call;
use super::failure::ours;
use super::query::FromQuery;
use super::routes::table;
use crate::model::Permission;
use crate::web::{Code, Identity, Problem, Query, authenticate};

/// What a caller needs for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// No token.
    Nothing,
    /// Any valid token.
    AnyToken,
    /// This permission, on the account that the path names, or else on the token's own.
    Permission(Permission),
    /// An operator's token.
    Operator,
}

impl Needs {
    /// Returns the word of the document.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::AnyToken => "token",
            Self::Permission(permission) => permission.as_str(),
            Self::Operator => "operator",
        }
    }
}

pub(super) type Answered = Result<Response<Body>, Problem>;
type Handling = Pin<Box<dyn Future<Output = Answered> + Send>>;
type Handler = Box<dyn Fn(Call, Request) -> Handling + Send + Sync>;
type Describe<T> = fn(&mut SchemaGenerator) -> T;

/// One line of the table.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) needs: Needs,
    /// What it is for, in one line.
    pub(super) summary: &'static str,
    /// What else there is to know.
    pub(super) description: &'static str,
    /// Problems that are this route's own, beside those that follow from its form.
    pub(super) codes: &'static [Code],
    /// The query parameters as the document has them.
    pub(super) parameters: Describe<Vec<Value>>,
    /// The body as the document has it.
    pub(super) request: Option<Describe<Value>>,
    /// The answers as the document has them.
    pub(super) answers: Describe<Vec<(u16, Value)>>,
    handler: Handler,
}

impl Route {
    /// Makes a route that reads: its handler takes query parameters.
    pub(super) fn reads<Q, A, F, H>(path: &'static str, needs: Needs, summary: &'static str, handler: H) -> Self
    where
        Q: FromQuery,
        A: Answer,
        F: Future<Output = Result<A, Problem>> + Send,
        H: Fn(Call, Q) -> F + Clone + Send + Sync + 'static,
    {
        Self {
            method: Method::GET,
            path,
            needs,
            summary,
            description: "",
            codes: &[],
            parameters: Q::describe,
            request: None,
            answers: A::describe,
            handler: Box::new(move |call, request| {
                let handler = handler.clone();
                Box::pin(async move {
                    let mut query = Query::parse(request.uri().query())?;
                    let parameters = Q::read(&mut query)?;
                    query.finish()?;
                    let headers = call.headers.clone();
                    handler(call, parameters).await?.answer(&headers)
                })
            }),
        }
    }

    /// Makes a route that writes: its handler takes a body.
    pub(super) fn writes<B, A, F, H>(
        method: Method,
        path: &'static str,
        needs: Needs,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        B: FromBody,
        A: Answer + 'static,
        F: Future<Output = Result<A, Problem>> + Send + 'static,
        H: Fn(Call, B) -> F + Clone + Send + Sync + 'static,
    {
        Self {
            method,
            path,
            needs,
            summary,
            description: "",
            codes: &[],
            parameters: <() as FromQuery>::describe,
            request: B::DESCRIBE,
            answers: A::describe,
            handler: Box::new(move |call, request| {
                let handler = handler.clone();
                Box::pin(async move {
                    Query::parse(request.uri().query())?.finish()?;
                    let limits = call.api.options.body;
                    let body = B::read(request, limits).await?;
                    let headers = call.headers.clone();
                    // What was begun is done to its end, also where whoever asked for it has left: a change that is on
                    // disk and not in force would be neither one thing nor the other.
                    let (tell, told) = oneshot::channel();
                    let tasks = call.api.tasks.clone();
                    tasks.spawn(async move { drop(tell.send(handler(call, body).await)) });
                    told.await.map_err(|problem| ours(&problem))??.answer(&headers)
                })
            }),
        }
    }

    /// Says more than the one line.
    pub(super) const fn says(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Names the problems that are this route's own.
    pub(super) const fn fails_with(mut self, codes: &'static [Code]) -> Self {
        self.codes = codes;
        self
    }

    /// Answers one request.
    async fn answer(&self, api: Arc<Api>, parameters: RawPathParams, request: Request) -> Answered {
        let identity = match self.needs {
            Needs::Nothing => None,
            Needs::AnyToken | Needs::Permission(_) | Needs::Operator => {
                Some(authenticate(request.headers(), &*api.tokens)?)
            }
        };
        let path = parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let call = Call::new(api, identity, path, request.headers().clone());
        self.check(&call)?;
        (self.handler)(call, request).await
    }

    /// Checks that the caller may use this route on the account that the path names.
    fn check(&self, call: &Call) -> Result<(), Problem> {
        let Some(identity) = &call.identity else { return Ok(()) };
        if let (Identity::Account(token), Some(named)) = (identity, call.parameter("account"))
            && token.account_name.as_str() != named
        {
            return Err(Problem::new(Code::AccountNotFound));
        }
        match (self.needs, identity) {
            (Needs::Nothing | Needs::AnyToken, _) => Ok(()),
            (Needs::Operator, _) => identity.require_operator(),
            (Needs::Permission(permission), Identity::Account(token)) => identity.require(token.account, permission),
            (Needs::Permission(_), Identity::Operator(_)) => Ok(()),
        }
    }
}

/// Makes the router of the whole table.
pub(super) fn router(api: Arc<Api>) -> axum::Router {
    let mut router = axum::Router::new();
    for route in table(&api.options) {
        let (api, route) = (Arc::clone(&api), Arc::new(route));
        let path = route.path;
        let filter = MethodFilter::try_from(route.method.clone()).expect("the table has common methods");
        let handler = move |parameters: RawPathParams, request: Request| {
            let (api, route) = (Arc::clone(&api), Arc::clone(&route));
            async move { route.answer(api, parameters, request).await }
        };
        router = router.route(path, axum::routing::on(filter, handler));
    }
    router
}
