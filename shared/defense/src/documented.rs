//! `/docs` and `/openapi.json`: a service's API for people and for programs, where its configuration wants it (`public.docs`), in development.
//!
//! They are routes like any other, behind the layers of their policies, and yet not in the document, nor in `docs/layers.md`: that is the contract, the same wherever a
//! service runs, and whoever sets no `public.docs` has neither.

use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, Responder};
use anyhow::Result;
use futures_util::future::ready;
use runtime::contract::{Described, Operation};
use runtime::{Common, Reference};

use crate::{Public, Routes, policy};

impl Routes {
    /// Adds the page and the document of this table, if the configuration wants them. The last one to be called of those that add routes.
    ///
    /// # Errors
    ///
    /// The routes cannot be described.
    pub fn documented(self, service: &str, common: &Common) -> Result<Self> {
        if !common.public.as_ref().is_some_and(|public| public.docs) {
            return Ok(self);
        }
        let reference = Arc::new(Reference::of(service, &self.docs())?);
        let (page, document) = (Page(Arc::clone(&reference)), Document(reference));
        // Public: in development an API is anybody's to read.
        let page = move |_: Public| ready(page.clone());
        let document = move |_: Public| ready(document.clone());
        let routes = self.add(policy::Page, Method::GET, PAGE, "The API, for people", page);
        let routes = routes.add(policy::Page, Method::GET, "/docs/", "The same, by its other name", elsewhere);
        Ok(routes.add(policy::Metadata, Method::GET, "/openapi.json", "The API, for programs", document))
    }
}

const PAGE: &str = "/docs";

/// Whoever types a slash too many is led to the page.
async fn elsewhere(_: Public) -> Elsewhere {
    Elsewhere
}

struct Elsewhere;

impl Described for Elsewhere {
    fn describe(operation: &mut Operation) {
        operation.answers_nothing(308);
    }
}

impl Responder for Elsewhere {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::PermanentRedirect().insert_header((header::LOCATION, PAGE)).finish()
    }
}

#[derive(Clone)]
struct Page(Arc<Reference>);

impl Described for Page {
    fn describe(operation: &mut Operation) {
        operation.answers_text(200, "text/html");
    }
}

impl Responder for Page {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let policy = (header::CONTENT_SECURITY_POLICY, self.0.policy.clone());
        HttpResponse::Ok().content_type("text/html; charset=utf-8").insert_header(policy).body(self.0.page.clone())
    }
}

#[derive(Clone)]
struct Document(Arc<Reference>);

impl Described for Document {
    fn describe(operation: &mut Operation) {
        operation.answers_text(200, "application/json");
    }
}

impl Responder for Document {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().content_type("application/json").body(self.0.document.clone())
    }
}
