//! Layer *host*: is the request for us, unambiguous, and from where?

use actix_web::http::header::{self, HeaderName};
use actix_web::http::{Method, StatusCode};
use api::problem::code;
use futures_util::future::{LocalBoxFuture, ready};
use runtime::{Problem, Single};

use crate::hops::TrustedHops;
use crate::{Facts, Finding, Inbound, Layer, LayerId, Verdict};

/// Header fields of which there is at most one: two readers may each believe another one.
const ONCE: [HeaderName; 7] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::EXPECT,
    header::USER_AGENT,
];

/// Methods that are words to us. Not CONNECT, which is for proxies. No route has TRACE or QUERY, and whoever sends them is told so (405).
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"];

/// Compares the host with those that we are, and finds the address that the request comes from, and what the edge says of it.
#[derive(Debug, Clone)]
pub struct HostLayer {
    hosts: Vec<String>,
    hops: TrustedHops,
}

impl HostLayer {
    /// `hosts` are authorities as clients write them: `api.example`, `localhost:7003`. Their port counts for nothing: it is that of the proxy before
    /// us, or ours.
    pub fn new(hosts: impl IntoIterator<Item = String>, hops: TrustedHops) -> Self {
        Self { hosts: hosts.into_iter().map(|host| name(&host).to_owned()).collect(), hops }
    }

    fn check(&self, request: &Inbound) -> Result<Facts, Verdict> {
        if ONCE.iter().any(|name| request.headers.get_all(name).nth(1).is_some()) {
            return Err(invalid("header_doubled"));
        }
        if !METHODS.contains(&request.method.as_str()) {
            return Err(invalid("method_unknown"));
        }
        if request.target_scheme.as_deref().is_some_and(|scheme| scheme != "https") {
            return Err(invalid("scheme_unknown"));
        }
        // RFC 9112 §3.2.2: where the target is a whole URL, its authority is the host, and what the field says is of no account.
        let host = request.target_authority.as_deref().or_else(|| request.single("host")).unwrap_or_default(); // Default: none, which is not ours.
        if !self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(name(host))) {
            let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, code::MISDIRECTED);
            return Err(refuse("host_unknown", problem));
        }
        canonical(request)?;
        // RFC 9110 §9.3.1: content of these has no meaning, so somebody else may take it for the next request.
        let bodyless = [Method::GET.as_str(), Method::HEAD.as_str()].contains(&request.method.as_str());
        let announced = request.single("content-length").is_some_and(|length| length != "0");
        if bodyless && (announced || request.headers.contains_key(header::TRANSFER_ENCODING)) {
            return Err(invalid("body_not_expected"));
        }
        // What is compressed is unpacked by nobody here, and by nobody before us. `identity` is what is not (RFC 9110 §8.4.1).
        let plain = request.single("content-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("identity"));
        if !plain && request.headers.contains_key(header::CONTENT_ENCODING) {
            return Err(refuse("content_encoded", Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)));
        }
        let address = match request.peer {
            None => None,
            Some(peer) => {
                Some(self.hops.address(peer, &request.headers).map_err(|_| invalid("forwarded_for_malformed"))?)
            }
        };
        Ok(Facts { address, waf_score: self.waf_score(request)?, ..Facts::default() })
    }

    /// What the edge found. Anybody can write such a field: from whoever is no proxy of ours it is not even looked at, as with the address. A proxy
    /// of ours that writes none has no rules; what ours never writes is refused.
    fn waf_score(&self, request: &Inbound) -> Result<Option<u16>, Verdict> {
        let said = Single::of(&request.headers, api::header::WAF_SCORE);
        if said == Single::Absent || !request.peer.is_some_and(|peer| self.hops.trusts(peer)) {
            return Ok(None);
        }
        let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let score = said.one().filter(digits).and_then(|text| text.parse().ok());
        score.map(Some).ok_or_else(|| invalid("waf_score_malformed"))
    }
}

/// Our paths are plain: whoever reads one that is not, in front of us or behind, may find another one in it (RFC 3986 §6.2.2).
fn canonical(request: &Inbound) -> Result<(), Verdict> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~:@".contains(&byte);
    let dotted = request.path.split('/').any(|segment| [".", ".."].contains(&segment));
    let doubled = request.path.contains("//");
    if !request.path.bytes().all(plain) || dotted || doubled {
        return Err(invalid("path_not_plain"));
    }
    // Default: there is none. What a browser brings is judged by the page, which can say so to a person.
    let query = request.query.as_deref().filter(|_| request.class.is_attested()).unwrap_or_default();
    if !query.bytes().all(|byte| byte.is_ascii_graphic()) || !is_well_escaped(query) {
        return Err(invalid("query_malformed"));
    }
    Ok(())
}

/// RFC 3986 §2.1; and no NUL, at which some readers end.
fn is_well_escaped(query: &str) -> bool {
    query.split('%').skip(1).all(|after| {
        let hexadecimal = after.as_bytes().get(..2);
        hexadecimal.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit) && two != b"00")
    })
}

/// An authority without its port (RFC 3986 §3.2), and without the dot of a name that is written in full (RFC 1034 §3.1).
fn name(authority: &str) -> &str {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    // Default: there is none.
    name.strip_suffix('.').unwrap_or(name)
}

fn invalid(reason: &'static str) -> Verdict {
    refuse(reason, Problem::of_status(StatusCode::BAD_REQUEST))
}

fn refuse(reason: &'static str, problem: Problem) -> Verdict {
    LayerId::Host.refuse_with(reason, problem)
}

impl Layer for HostLayer {
    fn id(&self) -> LayerId {
        LayerId::Host
    }

    fn examine<'a>(&'a self, request: &'a Inbound, _: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(ready(Finding::of(self.check(request))))
    }

    #[cfg(any(test, feature = "ablation"))]
    fn assume<'a>(&'a self, request: &'a Inbound) -> LocalBoxFuture<'a, Facts> {
        Box::pin(ready(Facts { address: request.peer, ..Facts::default() }))
    }
}
