//! The one table of a listener's routes: method, path, handler; the permission is in the handler's type.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{FromRequest, Handler, Responder, Route, web};
use runtime::RouteDoc;

use crate::engine::LayerMissing;
use crate::policy::{Class, Policy};
use crate::{Access, Defense, Guard, Guarded};

type MakeRoute = Arc<dyn Fn(Method) -> Route + Send + Sync>;

struct Row {
    method: Method,
    path: &'static str,
    summary: &'static str,
    access: Access,
    class: &'static Class,
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

    /// Adds a route. It does not compile for a handler whose first argument is not a [`Guard`], nor under a policy that lacks a layer which
    /// that guard needs:
    ///
    /// ```compile_fail
    /// # use defense::{Caller, Routes, policy};
    /// async fn handler(_: Caller<api::scope::AccountsRead>) -> String { String::new() }
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
        F::Output: Responder + 'static,
        Args: FromRequest + Guarded + 'static,
    {
        const { assert!(P::CLASS.covers(<Args::First as Guard>::NEEDS), "the guard needs a layer that the policy lacks") };
        let make: MakeRoute = Arc::new(move |method| web::method(method).to(handler.clone()));
        self.rows.push(Row { method, path, summary, access: <Args::First as Guard>::access(), class: &P::CLASS, make });
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
        Ok(Defended { rows: Arc::new(self.rows), defense: defense.clone() })
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
            })
            .collect()
    }
}

/// A table of routes with the layers before them. Cheap to clone.
#[derive(Clone)]
pub struct Defended {
    rows: Arc<Vec<Row>>,
    defense: Defense,
}

impl Defended {
    /// Registers every route, for HEAD too where there is a GET.
    pub fn configure(&self, config: &mut ServiceConfig) {
        let mut resources: BTreeMap<&'static str, actix_web::Resource> = BTreeMap::new();
        let routes = self.rows.iter().flat_map(|row| methods(&row.method).map(move |method| (row, method)));
        for (row, method) in routes {
            let route = (row.make)(method);
            let (defense, class, access) = (self.defense.clone(), row.class, row.access);
            let route = route.wrap(from_fn(move |request, next| {
                let defense = defense.clone();
                async move { defense.run(class, access, request, next).await }
            }));
            // Default: the first route of its path.
            let resource = resources.remove(row.path).unwrap_or_else(|| web::resource(row.path));
            resources.insert(row.path, resource.route(route));
        }
        for (_, resource) in resources {
            config.service(resource);
        }
    }
}

/// HEAD is GET without the content (RFC 9110 §9.3.2): the same handler behind the same guard; the server leaves the body out.
fn methods(method: &Method) -> impl Iterator<Item = Method> {
    let head = (*method == Method::GET).then_some(Method::HEAD);
    std::iter::once(method.clone()).chain(head)
}
