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

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;

    use super::*;
    use crate::{Problem, Refusal};

    fn describe(operation: &mut Operation) {
        operation.answers::<String>(200, "application/json");
        operation.answers_nothing(202);
        operation.refuses(&[(404, api::problem::code::ACCOUNT_NOT_FOUND)]);
    }

    #[test]
    fn what_the_description_does_not_say_is_a_breach() {
        let contract = Contract::of(describe);
        let breach = |response: &HttpResponse| contract.breach(response);
        let refused = |problem| Refusal::unrecorded(problem).error_response();
        assert_eq!(breach(&HttpResponse::Ok().json("text")), None);
        assert_eq!(breach(&HttpResponse::Accepted().finish()), None);
        // Any route may be busy.
        assert_eq!(breach(&refused(Problem::busy(1))), None);
        assert_eq!(breach(&HttpResponse::Created().json("text")).as_deref(), Some("status 201"));
        assert_eq!(breach(&HttpResponse::Ok().content_type("text/html").body("")).as_deref(), Some("200 text/html"));
        assert_eq!(breach(&HttpResponse::Ok().finish()).as_deref(), Some("200 without content"));
        assert_eq!(breach(&refused(Problem::not_found())).as_deref(), Some("404 request.not_found"));
    }
}
