//! What people see of a refusal. A service that has pages says how one of a refusal looks ([`RefusalPages`]); which answers become one is decided here and
//! nowhere else, for whatever refuses: a layer, a body that was not read, what is no route, a handler that came to no end.
//!
//! A refusal is a page on the routes that are for people, unless whoever calls asks for JSON and for no HTML; on those for programs it never is; and where
//! there is no route, it is for whoever asks for HTML, as browsers do. The page says nothing that the request said: its words are the service's own.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use crypto::{b64, hash};

use crate::Single;

/// A refusal that a person is told.
#[derive(Debug)]
pub struct Refused<'a> {
    /// The status of the answer.
    pub status: StatusCode,
    /// What the handler wants said.
    pub words: Option<&'static str>,
    /// Seconds until it is worth another try.
    pub retry_after: Option<u64>,
    /// Under which the operator finds it.
    pub request_id: &'a str,
}

/// How a service's page of a refusal looks. In the `app_data` of the listener that has pages.
#[derive(Debug, Clone, Copy)]
pub struct RefusalPages(pub fn(&Refused<'_>) -> HttpResponse);

/// Whom a route is for. In the extensions of an answer, for [`RefusalPages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// People, with a browser.
    People,
    /// Programs.
    Programs,
}

/// What a page's handler says of its refusal, in the extensions of the answer: it becomes a page whatever is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words(pub &'static str);

/// The source by which a page's `Content-Security-Policy` allows its one inline style (CSP Level 3 §2.3.1, `hash-source`).
pub fn own_style(style: &str) -> String {
    format!("'sha256-{}'", b64::encode_standard(&hash::sha256(style.as_bytes())))
}

/// A page under this policy. It is nobody's to frame, and its window nobody's to hold.
pub fn html(policy: &str, status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        // With `no-referrer` browsers send `Origin: null` with our own forms (Fetch §3.2), and nobody could tell them from others' ([`Sender`]).
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .body(body)
}

/// Whose page has sent a form. Browsers say so in `Origin`; where they do not, in `Sec-Fetch-Site`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Ours.
    Own,
    /// Somebody else's, or nobody can tell.
    Foreign,
    /// It does not come from a browser: something else has to say that it may.
    Unsaid,
}

impl Sender {
    /// As the head of a request says it, to whoever is reached at this origin.
    pub fn of(headers: &HeaderMap, own: &str) -> Self {
        let (said, what) = match (Single::of(headers, "origin"), Single::of(headers, "sec-fetch-site")) {
            (Single::Ambiguous, _) | (_, Single::Ambiguous) => return Self::Foreign,
            (Single::One(origin), _) => (origin, own),
            (Single::Absent, Single::One(site)) => (site, "same-origin"),
            (Single::Absent, Single::Absent) => return Self::Unsaid,
        };
        if said == what { Self::Own } else { Self::Foreign }
    }
}

/// Whether the caller asks for JSON, and for no HTML.
pub fn wants_json(headers: &HeaderMap) -> bool {
    accepts(headers, "json") && !accepts(headers, "html")
}

fn accepts(headers: &HeaderMap, what: &str) -> bool {
    headers.get_all(header::ACCEPT).any(|value| value.to_str().is_ok_and(|types| types.contains(what)))
}

/// The pages of the service, if it has any, and what this caller would rather have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pages {
    render: RefusalPages,
    html: bool,
    json: bool,
}

impl Pages {
    pub(crate) fn of(request: &ServiceRequest) -> Option<Self> {
        let render = *request.app_data::<RefusalPages>()?;
        let headers = request.headers();
        Some(Self { render, html: accepts(headers, "html"), json: wants_json(headers) })
    }

    /// Makes a page of a refusal that is to be one. What else its head says stays.
    pub(crate) fn show(self, response: &mut HttpResponse<BoxBody>, id: &str) {
        let extensions = response.extensions();
        let (reader, words) = (extensions.get::<Reader>().copied(), extensions.get::<Words>().copied());
        let problem = extensions.contains::<api::Problem>();
        drop(extensions);
        let page = match (words, reader) {
            (Some(_), _) => true,
            (None, Some(Reader::People)) => problem && !self.json,
            (None, Some(Reader::Programs)) => false,
            (None, None) => problem && self.html,
        };
        if !page {
            return;
        }
        response.extensions_mut().remove::<api::Problem>();
        let seconds = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let refused = Refused {
            status: response.status(),
            words: words.map(|Words(text)| text),
            retry_after: seconds.and_then(|text| text.parse().ok()),
            request_id: id,
        };
        let mut page = (self.render.0)(&refused);
        *page.status_mut() = refused.status;
        let others = response.headers().iter().filter(|(name, _)| !page.headers().contains_key(*name));
        let others: Vec<_> = others.map(|(name, value)| (name.clone(), value.clone())).collect();
        for (name, value) in others {
            page.headers_mut().append(name, value);
        }
        *response = page;
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const OWN: &str = "https://auth.test:8443";

    fn sender(fields: &[(&'static str, &'static str)]) -> Sender {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Sender::of(&headers, OWN)
    }

    #[test]
    fn only_our_own_origin_is_ours() {
        assert_eq!(sender(&[("origin", OWN)]), Sender::Own);
        assert_eq!(sender(&[("sec-fetch-site", "same-origin")]), Sender::Own);
        assert_eq!(sender(&[]), Sender::Unsaid);
        for foreign in
            ["null", "https://evil.test", "https://auth.test", "http://auth.test:8443", "https://auth.test:8443/", ""]
        {
            assert_eq!(sender(&[("origin", foreign), ("sec-fetch-site", "same-origin")]), Sender::Foreign, "{foreign}");
        }
        for site in ["cross-site", "same-site", "none"] {
            assert_eq!(sender(&[("sec-fetch-site", site)]), Sender::Foreign, "{site}");
        }
        assert_eq!(sender(&[("origin", OWN), ("origin", OWN)]), Sender::Foreign);
        let twice = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")];
        assert_eq!(sender(&twice), Sender::Foreign);
    }
}
