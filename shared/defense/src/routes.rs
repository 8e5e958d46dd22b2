//! The one table of a listener's routes: method, path, handler; the permission is in the handler's type.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{FromRequest, Handler, Responder, Route, web};
use runtime::RouteDoc;

use crate::{Access, Guard, Guarded, Pipeline};

type MakeRoute = Arc<dyn Fn(Method) -> Route + Send + Sync>;

struct Row {
    method: Method,
    path: &'static str,
    summary: &'static str,
    access: Access,
    make: MakeRoute,
}

/// A table of routes.
pub struct Routes {
    listener: &'static str,
    rows: Vec<Row>,
}

impl Routes {
    /// The empty table of the public listener.
    pub fn public() -> Self {
        Self { listener: "public", rows: Vec::new() }
    }

    /// The empty table of the internal listener.
    pub fn internal() -> Self {
        Self { listener: "internal", rows: Vec::new() }
    }

    /// Adds a route. It does not compile for a handler whose first argument is not a [`Guard`].
    #[must_use]
    pub fn add<F, Args>(mut self, method: Method, path: &'static str, summary: &'static str, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        F::Output: Responder + 'static,
        Args: FromRequest + Guarded + 'static,
    {
        let make: MakeRoute = Arc::new(move |method| web::method(method).to(handler.clone()));
        self.rows.push(Row { method, path, summary, access: <Args::First as Guard>::access(), make });
        self
    }

    /// Registers every route, for HEAD too where there is a GET; those that ask for a scope stand behind `pipeline`.
    pub fn configure(&self, pipeline: Option<&Pipeline>, config: &mut ServiceConfig) {
        let mut resources: BTreeMap<&'static str, actix_web::Resource> = BTreeMap::new();
        let routes = self.rows.iter().flat_map(|row| methods(&row.method).map(move |method| (row, method)));
        for (row, method) in routes {
            let mut route = (row.make)(method);
            if let (Access::Scope(_), Some(pipeline)) = (row.access, pipeline) {
                let pipeline = pipeline.clone();
                route = route.wrap(from_fn(move |request, next| {
                    let pipeline = pipeline.clone();
                    async move { pipeline.run(request, next).await }
                }));
            }
            // Default: the first route of its path.
            let resource = resources.remove(row.path).unwrap_or_else(|| web::resource(row.path));
            resources.insert(row.path, resource.route(route));
        }
        for (_, resource) in resources {
            config.service(resource);
        }
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
            })
            .collect()
    }
}

/// HEAD is GET without the content (RFC 9110 §9.3.2): the same handler behind the same guard; the server leaves the body out.
fn methods(method: &Method) -> impl Iterator<Item = Method> {
    let head = (*method == Method::GET).then_some(Method::HEAD);
    std::iter::once(method.clone()).chain(head)
}
