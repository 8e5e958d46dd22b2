//! The one table of a listener's routes: method, path, handler; the permission is in the handler's type.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::ServiceConfig;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route, web};
use api::service::{Operator, Watcher};
use futures_util::future::ready;
use runtime::contract::{Contract, Described, Operation};
use runtime::health::{self, Health, Readiness};
use runtime::telemetry::{self, Exposition};
use runtime::{Problem, Refusal, RouteDoc, with_refusals};

use crate::engine::LayerMissing;
use crate::policy::{self, Class, Policy};
use crate::{Access, AnyPeer, Defense, Guard, Guarded, Peer, Receipts, describe};

type MakeRoute = Arc<dyn Fn(Method) -> Route + Send + Sync>;

struct Row {
    method: Method,
    path: &'static str,
    summary: &'static str,
    access: Access,
    class: &'static Class,
    describe: fn(&mut Operation),
    make: MakeRoute,
}

/// A table of routes.
pub struct Routes {
    listener: &'static str,
    stray: &'static Class,
    rows: Vec<Row>,
}

impl Routes {
    /// The empty table of the public listener.
    pub fn public() -> Self {
        Self { listener: "public", stray: &policy::Stray::CLASS, rows: Vec::new() }
    }

    /// The table of the internal listener: every service tells its health there.
    pub fn internal() -> Self {
        let empty = Self { listener: "internal", stray: &policy::StrayInternal::CLASS, rows: Vec::new() };
        empty
            .add(policy::Internal, Method::GET, "/health/live", "The process runs", live)
            .add(
                policy::Internal,
                Method::GET,
                "/health/ready",
                "It can do its work, or what is missing",
                with_refusals::<(), _>(health_ready),
            )
            .add(
                policy::Internal,
                Method::GET,
                "/metrics",
                "What it measures, for Prometheus",
                with_refusals::<NoMetrics, _>(metrics),
            )
            .add(
                policy::Internal,
                Method::GET,
                "/internal/v1/receipts/{request_id}",
                "What became of a request in the layers, signed",
                with_refusals::<NoReceipt, _>(receipt),
            )
    }

    /// Adds a route. It does not compile for a handler whose first argument is not a [`Guard`], nor under a policy that lacks a layer which
    /// that guard needs:
    ///
    /// ```compile_fail
    /// # use {actix_web::web::Json, defense::{Caller, Routes, policy}};
    /// async fn handler(_: Caller<api::scope::AccountsRead>) -> Json<String> { Json(String::new()) }
    /// let routes = Routes::public().add(policy::Page, actix_web::http::Method::GET, "/", "", handler);
    /// ```
    ///
    /// nor for one whose arguments or answer do not say what they are ([`Described`]), as a bare response does not:
    ///
    /// ```compile_fail
    /// # use {actix_web::HttpResponse, defense::{Public, Routes, policy}};
    /// async fn handler(_: Public) -> HttpResponse { HttpResponse::Ok().finish() }
    /// let routes = Routes::public().add(policy::Page, actix_web::http::Method::GET, "/", "", handler);
    /// ```
    ///
    /// The same with a type that says it is a route:
    ///
    /// ```
    /// # use {actix_web::web::Json, defense::{Public, Routes, policy}};
    /// async fn handler(_: Public) -> Json<String> { Json(String::new()) }
    /// let routes = Routes::public().add(policy::Page, actix_web::http::Method::GET, "/", "", handler);
    /// ```
    #[must_use]
    pub fn add<P, F, Args>(
        mut self,
        _: P,
        method: Method,
        path: &'static str,
        summary: &'static str,
        handler: F,
    ) -> Self
    where
        P: Policy,
        F: Handler<Args> + Send + Sync,
        F::Output: Responder + Described + 'static,
        Args: FromRequest + Guarded + 'static,
    {
        const { assert!(P::CLASS.covers(<Args::First as Guard>::NEEDS), "the guard needs a layer that the policy lacks") };
        let make: MakeRoute = Arc::new(move |method| web::method(method).to(handler.clone()));
        let describe: fn(&mut Operation) = |operation| {
            describe::class(&P::CLASS, operation);
            Args::describe(operation);
            F::Output::describe(operation);
        };
        let access = <Args::First as Guard>::access();
        self.rows.push(Row { method, path, summary, access, class: &P::CLASS, describe, make });
        self
    }

    /// Puts each route behind the layers of its policy.
    ///
    /// # Errors
    ///
    /// One needs a layer that is not there.
    pub fn behind(self, defense: &Defense) -> Result<Defended, LayerMissing> {
        for row in &self.rows {
            if let Some(layer) = defense.lacks(row.class) {
                return Err(LayerMissing { method: row.method.to_string(), path: row.path, layer: layer.name() });
            }
        }
        if let Some(layer) = defense.lacks(self.stray) {
            return Err(LayerMissing { method: "*".to_owned(), path: "*", layer: layer.name() });
        }
        Ok(Defended { rows: Arc::new(self.rows), stray: self.stray, defense: defense.clone() })
    }

    /// The table, for `openapi.json` and for the test that walks all routes.
    pub fn docs(&self) -> Vec<RouteDoc> {
        self.rows
            .iter()
            .map(|row| RouteDoc {
                listener: self.listener,
                method: row.method.to_string(),
                path: row.path.to_owned(),
                summary: row.summary.to_owned(),
                guard: match row.access {
                    Access::Public => "Public".to_owned(),
                    Access::Scope(scope) => format!("Caller<{scope}>"),
                    Access::Peer(peer) => format!("Peer<{peer}>"),
                },
                policy: row.class.name,
                layers: row.class.layers.iter().map(|layer| layer.name()).collect(),
                describe: row.describe,
            })
            .collect()
    }
}

runtime::problems! {
    /// Of a receipt that is not there.
    NoReceipt: 404 NOT_FOUND;
}

runtime::problems! {
    /// Of metrics that the configuration does not show.
    NoMetrics: 404 NOT_FOUND;
}

/// Metrics in Prometheus' text format.
struct Metrics(String);

impl Described for Metrics {
    fn describe(operation: &mut Operation) {
        operation.answers_text(200, "text/plain");
    }
}

impl Responder for Metrics {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().content_type(telemetry::MEDIA_TYPE).body(self.0)
    }
}

/// For Prometheus. Not found where the configuration does not say `telemetry.prometheus`.
async fn metrics(_: Peer<Watcher>) -> Result<Metrics, Refusal> {
    let shown = Exposition::installed().ok_or_else(|| Refusal::unrecorded(Problem::not_found()))?;
    shown.text().map(Metrics).map_err(|error| Refusal::internal(&format!("{error:#}")))
}

/// A receipt: a compact JWS.
struct Signed(String);

impl Described for Signed {
    fn describe(operation: &mut Operation) {
        operation.answers_text(200, "application/jose");
    }
}

impl Responder for Signed {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().content_type("application/jose").body(self.0)
    }
}

/// For the operator: a request that is not kept any more, or never was, is not found.
async fn receipt(
    _: Peer<Operator>,
    request_id: web::Path<String>,
    receipts: web::Data<Receipts>,
) -> Result<Signed, Refusal> {
    let signed = receipts.signed(&request_id).map_err(|error| Refusal::internal(&format!("{error:#}")))?;
    signed.map(Signed).ok_or_else(|| Refusal::unrecorded(Problem::not_found()))
}

async fn live(_: AnyPeer) -> web::Json<Health> {
    health::live()
}

async fn health_ready(_: AnyPeer, readiness: web::Data<Readiness>) -> Result<web::Json<Health>, Refusal> {
    health::ready(readiness).await
}

/// A table of routes with the layers before them. Cheap to clone.
#[derive(Clone)]
pub struct Defended {
    rows: Arc<Vec<Row>>,
    /// What stands before everything that is no route.
    stray: &'static Class,
    defense: Defense,
}

impl Defended {
    /// Registers every route, for HEAD too where there is a GET; and what answers where there is none.
    pub fn configure(&self, config: &mut ServiceConfig) {
        let mut resources: BTreeMap<&'static str, (actix_web::Resource, Vec<Method>)> = BTreeMap::new();
        let routes = self.rows.iter().flat_map(|row| methods(&row.method).map(move |method| (row, method)));
        for (row, method) in routes {
            let route = as_described(row, self.defended((row.make)(method.clone()), row.class, row.access));
            // Default: the first route of its path.
            let (resource, mut known) = resources.remove(row.path).unwrap_or_else(|| (web::resource(row.path), vec![]));
            known.push(method);
            resources.insert(row.path, (resource.route(route), known));
        }
        config.app_data(web::Data::new(self.defense.receipts().clone()));
        for (_, (resource, known)) in resources {
            let other = web::route()
                .to(with_refusals::<(), _>(move || ready(Err::<HttpResponse, _>(method_not_allowed(&known)))));
            config.service(resource.default_service(self.defended(other, self.stray, Access::Public)));
        }
        let nothing = web::route().to(with_refusals::<(), _>(|| ready(Err::<HttpResponse, _>(nothing_here()))));
        config.default_service(self.defended(nothing, self.stray, Access::Public));
    }

    fn defended(&self, route: Route, class: &'static Class, access: Access) -> Route {
        let defense = self.defense.clone();
        route.wrap(from_fn(move |request, next| {
            let defense = defense.clone();
            async move { defense.run(class, access, request, next).await }
        }))
    }
}

/// Where debug assertions are on, an answer of the route that its description does not have is a fault: a test or a demonstration meets it, nobody else.
fn as_described(row: &Row, route: Route) -> Route {
    if !cfg!(debug_assertions) {
        return route;
    }
    let contract = Arc::new(Contract::of(row.describe));
    let (method, path) = (row.method.clone(), row.path);
    route.wrap(from_fn(move |request, next: Next<BoxBody>| {
        let (contract, method) = (Arc::clone(&contract), method.clone());
        async move {
            let answer = next.call(request).await?;
            let breach = contract.breach(answer.response());
            debug_assert!(breach.is_none(), "{method} {path} answers {breach:?}, which its description does not say");
            Ok(answer)
        }
    }))
}

/// Nobody honest asks for what is not there: whoever looks for a way in does, so it is a line in the audit log.
fn nothing_here() -> Refusal {
    Refusal::new("routes", "no_such_path", Problem::not_found())
}

fn method_not_allowed(known: &[Method]) -> Refusal {
    let allow = known.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let problem = Problem::of_status(StatusCode::METHOD_NOT_ALLOWED).header(header::ALLOW, &allow);
    Refusal::new("routes", "no_such_method", problem)
}

/// HEAD is GET without the content (RFC 9110 §9.3.2): the same handler behind the same guard; the server leaves the body out.
fn methods(method: &Method) -> impl Iterator<Item = Method> {
    let head = (*method == Method::GET).then_some(Method::HEAD);
    std::iter::once(method.clone()).chain(head)
}
