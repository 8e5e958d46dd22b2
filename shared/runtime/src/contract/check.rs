//! Holds answers against the description of their route.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header;

use super::{Answer, Operation, Schemas};
use crate::middleware::Code;
use crate::pages::Words;

/// What one route may answer.
#[derive(Debug, Clone)]
pub struct Contract(BTreeMap<u16, Answer>);

impl Contract {
    /// As this describes it.
    pub fn of(describe: fn(&mut Operation)) -> Self {
        let mut operation = Operation::new(Schemas::new());
        describe(&mut operation);
        Self(operation.answers)
    }

    /// What this answer says that the description does not.
    pub fn breach<B>(&self, response: &HttpResponse<B>) -> Option<String> {
        let status = response.status().as_u16();
        let Some(answer) = self.0.get(&status) else { return Some(format!("status {status}")) };
        let extensions = response.extensions();
        let problem = extensions.get::<api::Problem>().map(|problem| &problem.code);
        if let Some(code) = problem.or_else(|| extensions.get::<Code>().map(|Code(code)| code)) {
            return (!answer.codes.contains(code.as_str())).then(|| format!("{status} {code}"));
        }
        let named = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let named = named.and_then(|value| value.split(';').next()).map(str::trim);
        match named.or(extensions.contains::<Words>().then_some("text/html")) {
            Some(media_type) if answer.content.contains_key(media_type) => None,
            Some(media_type) => Some(format!("{status} {media_type}")),
            // A page's refusal, or an answer without content.
            None if answer.content.is_empty() => None,
            None => Some(format!("{status} without content")),
        }
    }
}
