//! Layer *rate limit*: is it too much? Of a device, of a user, of all together; where nobody is known, of an address and of its network; of what was refused before;
//! and of what is under way at the same time.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use api::problem::code;
use futures_util::future::LocalBoxFuture;
use runtime::{Clock, Problem, Refusal};

use crate::config::Rates;
use crate::policy::{Charged, Class};
use crate::rate::{
    AddressPrefix, Allowance, Concurrency, Demand, Entry, Fields, Limit, LimitClass, Places, SteadyClock,
};
use crate::stores::Counters;
use crate::{Facts, Finding, Inbound, Layer, LayerId, Outgoing, Verdict};

/// Requests of one user that are under way at the same time.
const AT_ONCE: Places = Places { name: "user", class: LimitClass::User, most: 64 };
/// Users of whom something is under way.
const USERS: usize = 100_000;

/// Counts, against the limits of the configuration.
pub struct RateLimitLayer {
    counters: Arc<dyn Counters>,
    under_way: Concurrency,
    limits: Limits,
    clock: SteadyClock,
}

struct Limits {
    host: Limit,
    network: Limit,
    failures_of_address: Limit,
    failures_of_device: Limit,
    device: Limit,
    user: Limit,
    class: Limit,
}

/// The keys that a request is counted under. Whoever has proven to be a device and a user is counted as these, and never by an address, which many
/// share; of all others the address is all that is known.
struct Keys {
    host: Option<AddressPrefix>,
    network: Option<AddressPrefix>,
    /// Address and API key, where failures are theirs: whoever fails without the app's key takes nothing from those who have it.
    failing: Option<Vec<u8>>,
}

impl Keys {
    fn of(facts: &Facts, class: &Class) -> Self {
        let (host, network) = (facts.address.map(AddressPrefix::host), facts.address.map(AddressPrefix::network));
        let failing = host.as_ref().filter(|_| class.charged == Charged::Address).map(|host| {
            let key = facts.keyed_app.as_ref().map(|keyed| keyed.key.as_str().as_bytes());
            // Default: of whoever has no key.
            [host.as_bytes(), key.unwrap_or_default()].concat()
        });
        Self { host, network, failing }
    }
}

impl RateLimitLayer {
    /// Counts in `counters`.
    ///
    /// # Errors
    ///
    /// A rate of the configuration is none.
    pub fn new(counters: Arc<dyn Counters>, rates: &Rates, clock: &dyn Clock) -> Result<Self, &'static str> {
        let limits = Limits {
            host: Limit::new("address", LimitClass::AddressHost, rates.address.quota()?),
            network: Limit::new("network", LimitClass::AddressNetwork, rates.network.quota()?),
            failures_of_address: Limit::new("failures", LimitClass::AddressHost, rates.failures.quota()?),
            failures_of_device: Limit::new("failures", LimitClass::Instance, rates.failures.quota()?),
            device: Limit::new("device", LimitClass::Instance, rates.instance.quota()?),
            user: Limit::new("user", LimitClass::User, rates.user.quota()?),
            class: Limit::new("all", LimitClass::RouteClass, rates.class.quota()?),
        };
        Ok(Self { counters, under_way: Concurrency::new(USERS), limits, clock: SteadyClock::of(clock) })
    }

    /// What an address has left, before anything costs us more. Whoever is to prove more than an address is let prove it: that costs less than to count.
    async fn look(&self, request: &Inbound, facts: &Facts) -> Finding {
        if request.class.is_attested() {
            return Verdict::Pass.into();
        }
        let keys = Keys::of(facts, request.class);
        let demands = self.of_address(&keys, request.class);
        self.judged(facts, self.examine(&demands, request.class).await)
    }

    /// What a request costs its address.
    fn price<'a>(&'a self, keys: &'a Keys, class: &Class) -> Vec<Demand<'a>> {
        let (host, network) = (&self.limits.host, &self.limits.network);
        let host = keys.host.as_ref().map(|key| Demand::units(host, key.as_bytes(), class.cost));
        let network = keys.network.as_ref().map(|key| Demand::units(network, key.as_bytes(), class.cost));
        host.into_iter().chain(network).collect()
    }

    fn of_address<'a>(&'a self, keys: &'a Keys, class: &Class) -> Vec<Demand<'a>> {
        let mut demands = self.price(keys, class);
        demands.extend(keys.failing.as_ref().map(|key| Demand::left(&self.limits.failures_of_address, key)));
        demands
    }

    fn of_caller<'a>(&'a self, facts: &'a Facts, class: &Class) -> Vec<Demand<'a>> {
        let mut demands = Vec::with_capacity(4);
        if let Some(device) = facts.device() {
            demands.push(Demand::units(&self.limits.device, device, class.cost));
            if class.charged == Charged::Device {
                demands.push(Demand::left(&self.limits.failures_of_device, device));
            }
        }
        if let Some(access) = &facts.access {
            demands.push(Demand::units(&self.limits.user, access.sub.as_bytes(), class.cost));
        }
        demands
    }

    /// What device and user have left, before what is good once is remembered: a device that is over its rate has as many proofs as it likes, and
    /// they take up room. Nothing is taken, because a request that is a copy of another costs nobody's rate.
    async fn look_at_caller(&self, request: &Inbound, facts: &Facts) -> Finding {
        let demands = self.of_caller(facts, request.class);
        self.judged(facts, self.examine(&demands, request.class).await)
    }

    /// All at once, or nothing: whoever is refused for one of them has paid for none.
    async fn take(&self, request: &Inbound, facts: &Facts) -> Finding {
        let class = request.class;
        let keys = Keys::of(facts, class);
        let mut demands =
            if class.is_attested() { self.of_caller(facts, class) } else { self.of_address(&keys, class) };
        demands.push(Demand::units(&self.limits.class, class.name.as_bytes(), class.cost));
        let mut permit = None;
        if let Some(access) = &facts.access {
            match self.under_way.enter(&[(&AT_ONCE, access.sub.as_bytes())]) {
                Entry::Permitted(place) => permit = Some(place),
                Entry::Full => {
                    return refuse("too_many_at_once", &Fields { retry_after: Some(1), ..Fields::default() }).into();
                }
                Entry::Unknown(reason) => return Verdict::Unknown(reason).into(),
            }
        }
        let mut finding = self.judged(facts, self.counted(&demands, class).await);
        finding.facts.permit = permit;
        finding
    }

    async fn examine(&self, demands: &[Demand<'_>], class: &Class) -> Allowance {
        let (counters, now) = (&self.counters, self.clock.now());
        if class.goes_on_alone() { counters.examine_alone(demands, now) } else { counters.examine(demands, now) }.await
    }

    async fn counted(&self, demands: &[Demand<'_>], class: &Class) -> Allowance {
        let (counters, now) = (&self.counters, self.clock.now());
        if class.goes_on_alone() { counters.take_alone(demands, now) } else { counters.take(demands, now) }.await
    }

    fn judged(&self, facts: &Facts, allowance: Allowance) -> Finding {
        match allowance {
            Allowance::Within(_) => Finding::of(Ok(Facts { limits: Some(allowance), ..Facts::default() })),
            Allowance::Exceeded(ref readings) => {
                let failures = [self.limits.failures_of_address, self.limits.failures_of_device];
                let failed = readings.iter().any(|reading| reading.is_exceeded() && failures.contains(&reading.limit));
                let mut told = Fields::of(&allowance);
                if facts.access.is_none() {
                    // Of a caller who is not known yet, no more than when to come back.
                    (told.policy, told.limit) = (None, None);
                }
                refuse(if failed { "too_many_failures" } else { "rate_exceeded" }, &told).into()
            }
            Allowance::Unknown(reason) => Verdict::Unknown(reason).into(),
        }
    }

    /// Charges a failure to whom the class says; and whoever may see it sees what is left.
    async fn charge(&self, request: &Inbound, facts: &Facts, mut answer: Outgoing) -> Outgoing {
        if is_failure(&answer) {
            let keys = Keys::of(facts, request.class);
            let demand = match request.class.charged {
                Charged::Nobody => None,
                Charged::Address => keys.failing.as_deref().map(|key| (&self.limits.failures_of_address, key)),
                // What a layer refuses, a replay among it, somebody else may have sent: it is not the device's.
                Charged::Device if answer.refused => None,
                Charged::Device => facts.device().map(|device| (&self.limits.failures_of_device, device)),
            };
            if let Some((limit, key)) = demand
                && let Err(reason) = self.counters.charge(&[Demand::units(limit, key, 1)], self.clock.now()).await
            {
                runtime::tracing::warn!(reason, "a failure was not counted");
            }
        }
        if answer.refused && !request.class.is_attested() && answer.response.status() != StatusCode::TOO_MANY_REQUESTS {
            self.pay(request, facts).await;
        }
        // Whoever is not known yet is told nothing: how many others tried here is none of their business.
        if let (Some(allowance), Some(_)) = (&facts.limits, &facts.access) {
            for (name, value) in Fields::of(allowance).shown() {
                if let Ok(value) = HeaderValue::from_str(value) {
                    answer.response.headers_mut().insert(name, value);
                }
            }
        }
        answer
    }
}

impl RateLimitLayer {
    /// What a layer has refused costs its address what it would have cost had it been let in, as far as that is there: nothing that strangers send
    /// is without end, such as answers to a captcha that are none.
    async fn pay(&self, request: &Inbound, facts: &Facts) {
        let keys = Keys::of(facts, request.class);
        let demands = self.price(&keys, request.class);
        if let Allowance::Unknown(reason) = self.counted(&demands, request.class).await {
            runtime::tracing::warn!(reason, "a refused request was not counted");
        }
    }
}

/// Whether a caller did what a good one does not: is refused, or names what is not there or is another's. What is our fault, what an honest app is
/// told, and what it can answer with its next request is nobody's failure.
fn is_failure(answer: &Outgoing) -> bool {
    let status = answer.response.status();
    let honest = [StatusCode::REQUEST_TIMEOUT, StatusCode::UPGRADE_REQUIRED, StatusCode::TOO_MANY_REQUESTS];
    let denied = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
    // A handler's own challenge (RFC 9449 §9).
    let asks =
        answer.response.headers().get_all(WWW_AUTHENTICATE).any(|value| contains(value.as_bytes(), b"use_dpop_nonce"));
    let failed = denied.contains(&status) || (answer.refused && status.is_client_error());
    failed && !honest.contains(&status) && !answer.challenged && !asks
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part == word)
}

fn refuse(reason: &'static str, fields: &Fields) -> Verdict {
    let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, code::RATE_LIMITED);
    for (name, value) in fields.shown() {
        problem = problem.header(name, value);
    }
    // Default: a second, where nothing says how long.
    let seconds = fields.retry_after.unwrap_or(1);
    LayerId::RateLimit.refuse_with(reason, problem.header(RETRY_AFTER, &seconds.to_string()))
}

impl Layer for RateLimitLayer {
    fn id(&self) -> LayerId {
        LayerId::RateLimit
    }

    fn examine<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(self.look(request, facts))
    }

    fn weigh<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> Option<LocalBoxFuture<'a, Finding>> {
        let attested = request.class.is_attested();
        attested.then(|| -> LocalBoxFuture<'a, Finding> { Box::pin(self.look_at_caller(request, facts)) })
    }

    fn claim<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(self.take(request, facts))
    }

    fn answered<'a>(
        &'a self,
        request: &'a Inbound,
        facts: &'a Facts,
        answer: Outgoing,
    ) -> LocalBoxFuture<'a, Result<Outgoing, Refusal>> {
        Box::pin(async { Ok(self.charge(request, facts, answer).await) })
    }
}
