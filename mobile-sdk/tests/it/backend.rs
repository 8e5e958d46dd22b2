//! Attestation, authorization and API behind one address, with the checks that the real ones make and switches for a test.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use api::Id;
use crypto::p256::SigningKey;
use crypto::{SecretBytes, b64, random};
use identity::attestation_token::{self, AudienceKeys, Master};
use identity::message_signature::{RequestParts, ResponseParts, parse, sign_response};
use identity::{Thumbprint, client_attestation, dpop, jose};
use mobile_sdk::{Clock as _, SystemClock};
use serde_json::{Value, json};
use url::Url;

use super::on_the_way::OnTheWay;
use super::server::{Reply, Request};
pub(crate) use super::switches::{Fault, Signed, Switches};

const MASTER: &[u8] = b"a master key of tests";
pub(super) const CLIENT: &str = "redoubt-mobile";

pub(super) fn master() -> Master {
    Master::new(1, SecretBytes::new(MASTER.to_vec()))
}

/// What the backend knows and how it shall behave.
#[derive(Default)]
pub(crate) struct BackendState {
    pub(super) challenges: Mutex<HashSet<String>>,
    pub(super) session_keys: Mutex<HashMap<String, SecretBytes>>,
    pushed: Mutex<HashMap<String, HashMap<String, String>>>,
    codes: Mutex<HashMap<String, HashMap<String, String>>>,
    /// By the thumbprint of the instance that they are bound to.
    access_tokens: Mutex<HashMap<String, String>>,
    /// Tokens of approved payments, and the payment of each.
    pub(super) approved: Mutex<HashMap<String, Id>>,
    /// What was pushed last.
    pub(crate) last_push: Mutex<HashMap<String, String>>,
    /// With the thumbprint that they are bound to.
    refresh_tokens: Mutex<HashMap<String, String>>,
    /// Thumbprints of the instances that are believed; the others get decoys, which nobody accepts. Everybody is when `None`.
    pub(crate) believed: Mutex<Option<Vec<String>>>,
    /// Nobody has attested, says whoever answers renewals.
    pub(crate) forgets_instances: AtomicBool,
    /// This one is not, whoever else is.
    pub(crate) disbelieved: Mutex<Option<String>>,
    pub(crate) refuses_new_instances: AtomicBool,
    pub(crate) last_support_id: Mutex<String>,
    pub(crate) on_the_way: Mutex<OnTheWay>,
    /// Requests with this path get no answer, and are not carried out before the connection ends, or are.
    pub(crate) silent: Mutex<Option<(&'static str, bool)>>,
    /// Requests with this path come at a bad moment.
    pub(crate) busy: Mutex<Option<&'static str>>,
    pub(crate) attestations: AtomicUsize,
    /// The nonce that proofs must have now; none is asked for when `None`.
    pub(crate) nonce: Mutex<Option<String>>,
    jtis: Mutex<HashSet<String>>,
    /// Answers `use_fresh_attestation` that many times.
    pub(crate) stale_attestations: AtomicUsize,
    pub(crate) replayed_proofs: AtomicUsize,
    pub(crate) assertions: AtomicUsize,
    pub(crate) refreshes: AtomicUsize,
    /// Refreshes are counted, but not answered before this is `false` again.
    pub(crate) refreshes_wait: AtomicBool,
    /// Idempotency keys of posted transfers, with every attempt.
    pub(crate) attempts: Mutex<BTreeMap<String, usize>>,
    pub(crate) posted: Mutex<HashSet<String>>,
    /// How many accounts the person has.
    pub(crate) accounts: AtomicUsize,
    /// What happens to the next API requests instead of their answer.
    pub(crate) faults: Mutex<Vec<Fault>>,
    /// So many requests to the API are still to come before the first of them is answered.
    pub(crate) together: AtomicUsize,
    pub(crate) traces: Mutex<Vec<String>>,
    pub(crate) last_api_request: Mutex<Request>,
    /// Seconds by which time has gone on.
    pub(crate) elapsed: AtomicI64,
    pub(crate) switches: Switches,
}

impl BackendState {
    pub(crate) fn new(switches: Switches) -> Self {
        Self { on_the_way: Mutex::new(switches.on_the_way), switches, ..Self::default() }
    }

    pub(super) fn now(&self) -> i64 {
        SystemClock.unix() + self.elapsed.load(Ordering::SeqCst)
    }

    /// All access tokens are refused from now on.
    pub(crate) fn revoke(&self) {
        self.access_tokens.lock().unwrap().clear();
    }

    /// Only these instances are believed from now on.
    pub(crate) fn believe_only(&self, thumbprints: &[String]) {
        *self.believed.lock().unwrap() = Some(thumbprints.to_vec());
    }

    fn believes(&self, jkt: &Thumbprint) -> bool {
        if self.disbelieved.lock().unwrap().as_deref() == Some(jkt.as_str()) {
            return false;
        }
        self.believed.lock().unwrap().as_ref().is_none_or(|believed| believed.iter().any(|it| it == jkt.as_str()))
    }

    pub(crate) fn handle(&self, request: &Request) -> Reply {
        if *self.busy.lock().unwrap() == Some(request.path()) {
            return Reply::problem(503, "server.busy");
        }
        let silent = self.silent.lock().unwrap().filter(|(path, _)| *path == request.path());
        match silent {
            Some((_, false)) => Reply::Hang,
            Some((_, true)) => {
                self.answer(request);
                Reply::Hang
            }
            None => self.answer(request),
        }
    }

    fn answer(&self, request: &Request) -> Reply {
        self.traces.lock().unwrap().extend(request.header("traceparent").map(str::to_owned));
        let date = chrono::DateTime::from_timestamp(self.now(), 0).unwrap().format("%a, %d %b %Y %H:%M:%S GMT");
        let reply = match request.path() {
            "/.well-known/openid-configuration" => self.metadata(request),
            "/v1/challenges" => self.challenge(&request.json()),
            "/v1/attestations" => self.attest(&request.json()),
            "/v1/assertions" => self.assert(&request.json()),
            "/par" => self.oauth(request, |jkt| self.push(request, jkt)),
            "/token" => self.oauth(request, |jkt| self.token(request, jkt)),
            _ => self.api(request),
        };
        reply.with("date", &date.to_string())
    }

    fn metadata(&self, request: &Request) -> Reply {
        let issuer = format!("https://{}", request.header("host").unwrap());
        let document = json!({
            "issuer": self.switches.metadata_issuer.unwrap_or(&issuer),
            "pushed_authorization_request_endpoint": format!("{issuer}/par"),
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
        });
        Reply::json(200, &document)
    }

    /// Client attestation, proof and nonce; then what the endpoint does.
    fn oauth(&self, request: &Request, then: impl FnOnce(&Thumbprint) -> Reply) -> Reply {
        let keys = AudienceKeys::derive(&[master()], "ledger", self.now());
        let attested =
            client_attestation::verify(request.header("oauth-client-attestation").unwrap(), &keys, self.now());
        let Some(proof) = self.proof(request, None) else {
            let nonce = self.nonce.lock().unwrap().clone().unwrap();
            return Reply::json(400, &json!({"error": "use_dpop_nonce"})).with("dpop-nonce", &nonce);
        };
        assert_eq!(proof.jkt, attested.unwrap().cnf.jwk.thumbprint(), "combined mode: one key");
        if !self.believes(&proof.jkt) {
            return Reply::json(401, &json!({"error": "invalid_client_attestation"}));
        }
        let stale = &self.stale_attestations;
        if stale.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Reply::json(401, &json!({"error": "use_fresh_attestation"}));
        }
        then(&proof.jkt)
    }

    /// The proof, unless it lacks the nonce that is asked for.
    fn proof(&self, request: &Request, access_token: Option<&str>) -> Option<dpop::Verified> {
        let htu = format!("https://{}{}", request.header("host").unwrap(), request.path());
        let expect = dpop::Expect { htm: &request.method, htu: &htu, access_token, now: self.now() };
        let proof = dpop::verify(request.header("dpop").unwrap(), &expect).unwrap();
        let nonce = self.nonce.lock().unwrap().clone();
        if nonce.is_some() && proof.nonce != nonce {
            return None;
        }
        if !self.jtis.lock().unwrap().insert(proof.jti.clone()) {
            self.replayed_proofs.fetch_add(1, Ordering::SeqCst);
        }
        Some(proof)
    }

    fn push(&self, request: &Request, jkt: &Thumbprint) -> Reply {
        assert_eq!(request.form("code_challenge_method").as_deref(), Some("S256"));
        let mut parameters: HashMap<_, _> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        self.last_push.lock().unwrap().clone_from(&parameters);
        parameters.insert("dpop_jkt".into(), jkt.to_string());
        let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", random::token(16));
        self.pushed.lock().unwrap().insert(request_uri.clone(), parameters);
        Reply::json(201, &json!({"request_uri": request_uri, "expires_in": 60}))
    }

    /// A person who agrees at the authorization endpoint.
    pub(crate) fn agree(&self, url: &Url, redirect_uri: &Url, issuer: &str) -> Url {
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(query.len(), 2, "client_id and request_uri, nothing else: {query:?}");
        let pushed = self.pushed.lock().unwrap().remove(&query["request_uri"]).unwrap();
        let (code, state) = (random::token(16), pushed["state"].clone());
        self.codes.lock().unwrap().insert(code.clone(), pushed);
        let mut back = redirect_uri.clone();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &state).append_pair("iss", issuer);
        back
    }

    fn token(&self, request: &Request, jkt: &Thumbprint) -> Reply {
        let mut answer = json!({
            "access_token": random::token(32),
            "token_type": self.switches.token_type.unwrap_or("DPoP"),
            "expires_in": 300,
            "refresh_token": random::token(32),
        });
        if request.form("grant_type").as_deref() == Some("refresh_token") {
            self.refreshes.fetch_add(1, Ordering::SeqCst);
            pause();
            while self.refreshes_wait.load(Ordering::SeqCst) {
                pause();
            }
            let bound_to = self.refresh_tokens.lock().unwrap().get(&request.form("refresh_token").unwrap()).cloned();
            let is_foreign = bound_to.is_some_and(|bound_to| bound_to != jkt.as_str());
            if let Some(error) = self.switches.refresh_error.or(is_foreign.then_some("invalid_grant")) {
                return Reply::json(400, &json!({"error": error}));
            }
        } else {
            let pushed = self.codes.lock().unwrap().remove(&request.form("code").unwrap()).unwrap();
            assert_eq!(pushed["dpop_jkt"], jkt.as_str());
            let verifier = request.form("code_verifier").unwrap();
            assert_eq!(pushed["code_challenge"], b64::encode(&crypto::hash::sha256(verifier.as_bytes())));
            if let Some(details) = pushed.get("authorization_details") {
                return self.approval(details);
            }
            answer["id_token"] = self.id_token(request, &pushed["nonce"]);
        }
        if self.switches.no_refresh_token {
            answer.as_object_mut().unwrap().remove("refresh_token");
        }
        let token = |name: &str| answer[name].as_str().map(str::to_owned);
        self.access_tokens.lock().unwrap().insert(jkt.to_string(), token("access_token").unwrap());
        self.refresh_tokens.lock().unwrap().extend(token("refresh_token").map(|token| (token, jkt.to_string())));
        Reply::json(200, &answer)
    }

    fn id_token(&self, request: &Request, nonce: &str) -> Value {
        let issuer = format!("https://{}", request.header("host").unwrap());
        let nonce = self.switches.id_token_nonce.unwrap_or(nonce);
        let claims = json!({"iss": issuer, "sub": "alice", "aud": CLIENT, "exp": self.now() + 60, "nonce": nonce});
        let key = SigningKey::generate();
        jose::sign_es256(&key, &jose::Header::new("JWT"), &claims).unwrap().into()
    }

    fn wait_for_the_others(&self) {
        let still_to_come = |left: usize| left.checked_sub(1);
        if self.together.fetch_update(Ordering::SeqCst, Ordering::SeqCst, still_to_come).is_ok() {
            while self.together.load(Ordering::SeqCst) > 0 {
                pause();
            }
        }
    }

    /// The layers of the API in their order, then the operation.
    fn api(&self, request: &Request) -> Reply {
        *self.last_api_request.lock().unwrap() = request.clone();
        self.wait_for_the_others();
        let fault = self.faults.lock().unwrap().pop();
        match fault {
            Some(Fault::Busy) => return Reply::problem(503, "server.busy").with("retry-after", "0"),
            Some(Fault::BusyForLong) => return Reply::problem(503, "server.busy").with("retry-after", "3600"),
            Some(Fault::Unauthorized) => return unauthorized(),
            Some(Fault::Problem(status, code)) => return Reply::problem(status, code),
            Some(Fault::Text(status)) => return Reply::Answer(status, vec![], b"<html>".to_vec()),
            _ => {}
        }
        let keys = AudienceKeys::derive(&[master()], "ledger", self.now());
        let attested =
            attestation_token::verify(request.header("attestation-token").unwrap(), &keys, "ledger", self.now());
        let attested = attested.unwrap();
        if !self.believes(&attested.cnf.jkt) {
            return unauthorized();
        }
        let key = self.session_keys.lock().unwrap()[&attested.jti].clone();
        let parsed = parse(request.header("signature-input").unwrap(), request.header("signature").unwrap()).unwrap();
        assert_eq!(parsed.keyid(), attested.jti);
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let (path, query) = request.target.split_once('?').map_or((&*request.target, None), |(a, b)| (a, Some(b)));
        let parts = RequestParts {
            method: &request.method,
            authority: request.header("host").unwrap(),
            path,
            query,
            headers: &headers,
            body: &request.body,
        };
        parsed.verify(key.expose(), &parts, self.now()).unwrap();
        let sign = |reply| self.signed(reply, self.switches.signed, key.expose(), request);
        if let Some(Fault::SignedBusy(seconds)) = fault {
            return sign(Reply::problem(503, "server.busy").with("retry-after", seconds));
        }
        let token = request.header("authorization").unwrap().strip_prefix("DPoP ").unwrap();
        let approved = self.approved.lock().unwrap().contains_key(token);
        let current = self.access_tokens.lock().unwrap().get(attested.cnf.jkt.as_str()).is_some_and(|it| it == token);
        if !current && !approved {
            return unauthorized();
        }
        let Some(proof) = self.proof(request, Some(token)) else {
            let nonce = self.nonce.lock().unwrap().clone().unwrap();
            return unauthorized()
                .with("www-authenticate", r#"DPoP algs="ES256""#)
                .with("dpop-nonce", &nonce)
                .with("www-authenticate", r#"DPoP error="use_dpop_nonce", algs="ES256""#);
        };
        assert_eq!(proof.jkt, attested.cnf.jkt);
        let reply = self.operation(request);
        let (reply, how) = match fault {
            Some(Fault::HangAfter) => return Reply::Hang,
            Some(Fault::SignedProblem(status, code)) => (Reply::problem(status, code), Signed::Yes),
            Some(Fault::SignedText) => (Reply::Answer(201, vec![], b"<html>".to_vec()), Signed::Yes),
            Some(Fault::Sign(how)) => (reply, how),
            _ => (reply, self.switches.signed),
        };
        self.signed(reply, how, key.expose(), request)
    }

    fn operation(&self, request: &Request) -> Reply {
        let Some(key) = request.header("idempotency-key") else {
            return Reply::json(200, &self.account_page(request));
        };
        *self.attempts.lock().unwrap().entry(key.to_owned()).or_default() += 1;
        if let Some(reply) = (request.path() == "/v1/transfers").then(|| self.asks(request)).flatten() {
            return reply;
        }
        let is_new = self.posted.lock().unwrap().insert(key.to_owned());
        if request.path() == "/v1/payees" {
            return Reply::json(201, &super::sealed::added(&request.json()));
        }
        let body: api::transfers::PostTransfer = request.json();
        if body.amount.amount == "1000000.00" {
            return Reply::problem(409, api::problem::code::INSUFFICIENT_FUNDS);
        }
        let transfer = api::transfers::Transfer {
            id: uuid::Uuid::nil().into(),
            sequence: 1,
            from_account: body.from_account,
            to_account: body.to_account,
            amount: body.amount,
            reference: body.reference,
            posted_at: "2026-11-23T12:00:00Z".into(),
        };
        let reply = Reply::json(201, &transfer);
        if is_new { reply } else { reply.with("idempotent-replayed", "true") }
    }

    /// Of so many accounts, at most 100 a page; the cursor is the number of the page.
    fn account_page(&self, request: &Request) -> api::accounts::AccountPage {
        let number = request.target.split_once("after=").map_or(0, |(_, cursor)| cursor.parse::<usize>().unwrap());
        let left = self.accounts.load(Ordering::SeqCst).saturating_sub(number * 100);
        let account = |n| api::accounts::Account {
            id: uuid::Uuid::from_u128(n as u128).into(),
            name: "Main".into(),
            balance: api::Amount::new("0.00", "EUR"),
            version: 0,
            opened_at: "2026-11-23T12:00:00Z".into(),
        };
        let accounts = (number * 100..number * 100 + left.min(100)).map(account).collect();
        api::accounts::AccountPage { accounts, next: (left > 100).then(|| (number + 1).to_string()) }
    }

    fn signed(&self, reply: Reply, how: Signed, key: &[u8], request: &Request) -> Reply {
        let Reply::Answer(status, headers, mut body) = reply else { return reply };
        if how == Signed::No {
            return Reply::Answer(status, headers, body);
        }
        let content_type = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
        let parts = ResponseParts { status, content_type, body: &body };
        let made = sign_response(key, &parts, request.header("signature").unwrap(), self.now()).unwrap();
        if how == Signed::Forged {
            body.push(b' ');
        }
        let unsigned = Reply::Answer(status, headers, body);
        made.into_iter().fold(unsigned, |reply, (name, value)| reply.with(name, &value))
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread of the test server, slow on purpose")]
pub(super) fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(50));
}

fn unauthorized() -> Reply {
    Reply::problem(401, api::problem::code::UNAUTHORIZED)
}
