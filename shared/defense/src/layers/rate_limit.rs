//! Layer *rate limit*: is it too much? Of an address, of its network, of a device, of a user, of all together; of what was refused before; and of what is
//! under way at the same time.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use api::problem::code;
use futures_util::future::LocalBoxFuture;
use runtime::{Clock, Problem, Refusal};
use tokio::time::Instant;

use crate::config::Rates;
use crate::rate::{AddressPrefix, Allowance, Concurrency, Demand, Entry, Fields, Limit, LimitClass, Moment, Places};
use crate::stores::Counters;
use crate::{Facts, Finding, Inbound, Layer, LayerId, Needs, Outgoing, Verdict};

/// Requests of one user that are under way at the same time.
const AT_ONCE: Places = Places { name: "user", class: LimitClass::User, most: 64 };
/// Users of whom something is under way.
const USERS: usize = 100_000;

/// Counts, against the limits of the configuration.
pub struct RateLimitLayer {
    counters: Arc<dyn Counters>,
    under_way: Concurrency,
    limits: Limits,
    /// Limits are counted by a clock that nobody sets: one that was set back would shut everybody out.
    started: (i64, Instant),
}

struct Limits {
    host: Limit,
    network: Limit,
    failures: Limit,
    instance: Limit,
    user: Limit,
    class: Limit,
}

/// The keys that a request is counted under.
struct Keys {
    host: Option<AddressPrefix>,
    network: Option<AddressPrefix>,
}

impl Keys {
    fn of(facts: &Facts) -> Self {
        Self { host: facts.address.map(AddressPrefix::host), network: facts.address.map(AddressPrefix::network) }
    }
}

impl RateLimitLayer {
    /// Counts in `counters`.
    ///
    /// # Errors
    ///
    /// A rate of the configuration is none.
    pub fn new(counters: Arc<dyn Counters>, rates: &Rates, clock: &dyn Clock) -> Result<Self, &'static str> {
        let started = (clock.unix_millis(), Instant::now());
        let limits = Limits {
            host: Limit::new("address", LimitClass::AddressHost, rates.address.quota()?),
            network: Limit::new("network", LimitClass::AddressNetwork, rates.network.quota()?),
            failures: Limit::new("failures", LimitClass::AddressHost, rates.failures.quota()?).hidden(),
            instance: Limit::new("device", LimitClass::Instance, rates.instance.quota()?),
            user: Limit::new("user", LimitClass::User, rates.user.quota()?),
            class: Limit::new("all", LimitClass::RouteClass, rates.class.quota()?),
        };
        Ok(Self { counters, under_way: Concurrency::new(USERS), limits, started })
    }

    fn now(&self) -> Moment {
        let (then, started) = self.started;
        // Default: what no clock shows.
        let since = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Moment::unix_millis(then.saturating_add(since))
    }

    /// What the address has left, before anything costs us more.
    async fn look(&self, request: &Inbound, facts: &Facts) -> Finding {
        let keys = Keys::of(facts);
        let demands = self.of_address(&keys, request.class.cost);
        self.judged(facts, self.counters.examine(&demands, self.now()).await)
    }

    fn of_address<'a>(&'a self, keys: &'a Keys, cost: u32) -> Vec<Demand<'a>> {
        let mut demands = Vec::with_capacity(6);
        if let (Some(host), Some(network)) = (&keys.host, &keys.network) {
            demands.push(Demand::left(&self.limits.failures, host.as_bytes()));
            demands.push(Demand::units(&self.limits.host, host.as_bytes(), cost));
            demands.push(Demand::units(&self.limits.network, network.as_bytes(), cost));
        }
        demands
    }

    /// All at once, or nothing: whoever is refused for one of them has paid for none.
    async fn take(&self, request: &Inbound, facts: &Facts) -> Finding {
        let (keys, class) = (Keys::of(facts), request.class);
        let mut demands = self.of_address(&keys, class.cost);
        demands.push(Demand::units(&self.limits.class, class.name.as_bytes(), class.cost));
        if let Some(attested) = &facts.attestation {
            demands.push(Demand::units(&self.limits.instance, attested.cnf.jkt.as_str().as_bytes(), class.cost));
        }
        let mut permit = None;
        if let Some(access) = &facts.access {
            demands.push(Demand::units(&self.limits.user, access.sub.as_bytes(), class.cost));
            match self.under_way.enter(&[(&AT_ONCE, access.sub.as_bytes())]) {
                Entry::Permitted(place) => permit = Some(place),
                Entry::Full => {
                    return refuse("too_many_at_once", &Fields { retry_after: Some(1), ..Fields::default() }).into();
                }
                Entry::Unknown(reason) => return Verdict::Unknown(reason).into(),
            }
        }
        let mut finding = self.judged(facts, self.counters.take(&demands, self.now()).await);
        finding.facts.permit = permit;
        finding
    }

    fn judged(&self, facts: &Facts, allowance: Allowance) -> Finding {
        match allowance {
            Allowance::Within(_) => Finding::of(Ok(Facts { limits: Some(allowance), ..Facts::default() })),
            Allowance::Exceeded(ref readings) => {
                let failures =
                    readings.iter().any(|reading| reading.is_exceeded() && reading.limit == self.limits.failures);
                let mut told = Fields::of(&allowance);
                if facts.access.is_none() {
                    // Of a caller who is not known yet, no more than when to come back.
                    (told.policy, told.limit) = (None, None);
                }
                refuse(if failures { "too_many_failures" } else { "rate_exceeded" }, &told).into()
            }
            Allowance::Unknown(reason) => Verdict::Unknown(reason).into(),
        }
    }

    /// What was refused is charged to its address; and whoever may see it sees what is left.
    async fn charge(&self, facts: &Facts, mut answer: Outgoing) -> Outgoing {
        let status = answer.response.status();
        let reached_too_far =
            [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status);
        let failed = (answer.refused && !answer.challenged) || (facts.access.is_some() && reached_too_far);
        // What is our fault, or what an honest app is told, is nobody's failure: many share an address.
        let honest = [StatusCode::REQUEST_TIMEOUT, StatusCode::UPGRADE_REQUIRED, StatusCode::TOO_MANY_REQUESTS];
        let theirs = status.is_client_error() && !honest.contains(&status);
        if let (true, Some(host)) = (failed && theirs, Keys::of(facts).host) {
            let demand = [Demand::units(&self.limits.failures, host.as_bytes(), 1)];
            if let Err(reason) = self.counters.charge(&demand, self.now()).await {
                runtime::tracing::warn!(reason, "a failure was not counted");
            }
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

fn refuse(reason: &'static str, fields: &Fields) -> Verdict {
    let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, code::RATE_LIMITED, "Too many requests");
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

    fn needs(&self) -> Needs {
        Needs::Head
    }

    fn examine<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(self.look(request, facts))
    }

    fn claim<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(self.take(request, facts))
    }

    fn answered<'a>(
        &'a self,
        _: &'a Inbound,
        facts: &'a Facts,
        answer: Outgoing,
    ) -> LocalBoxFuture<'a, Result<Outgoing, Refusal>> {
        Box::pin(async { Ok(self.charge(facts, answer).await) })
    }
}
