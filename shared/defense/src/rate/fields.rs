//! What a client is told of its limits: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11, §3 and §4) and `Retry-After`
//! (RFC 9110 §10.2.3).
//!
//! A hidden limit is in neither of the first two, and when it refuses, `Retry-After` is its whole window: the same whether much or little is missing.

use std::time::Duration;

use actix_web::http::header::HeaderName;

use super::{Allowance, Reading};

/// Values of the header fields of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// `RateLimit-Policy`: the limits.
    pub policy: Option<String>,
    /// `RateLimit`: what is left of them.
    pub limit: Option<String>,
    /// `Retry-After`, in seconds: of a refusal only.
    pub retry_after: Option<u64>,
}

impl Fields {
    /// `RateLimit-Policy` and `RateLimit` that there are, with their names.
    pub fn shown(&self) -> impl Iterator<Item = (HeaderName, &str)> {
        let both = [(api::header::RATE_LIMIT_POLICY, &self.policy), (api::header::RATE_LIMIT, &self.limit)];
        both.into_iter().filter_map(|(name, value)| Some((HeaderName::from_static(name), value.as_deref()?)))
    }

    /// What may be told of an allowance.
    pub fn of(allowance: &Allowance) -> Self {
        match allowance {
            Allowance::Within(readings) => Self::of_shown(readings.iter()),
            // Those that refuse only: `Retry-After` is not to end before what the others say (§6).
            Allowance::Exceeded(readings) => {
                let exceeded = || readings.iter().filter(|reading| reading.is_exceeded());
                Self { retry_after: exceeded().map(retry_after).max(), ..Self::of_shown(exceeded()) }
            }
            Allowance::Unknown(_) => Self::default(),
        }
    }

    fn of_shown<'a>(readings: impl Iterator<Item = &'a Reading>) -> Self {
        let (policy, limit): (Vec<_>, Vec<_>) =
            readings.filter(|reading| reading.limit.is_shown()).map(|reading| (policy(reading), left(reading))).unzip();
        let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join(", "));
        Self { policy: list(policy), limit: list(limit), retry_after: None }
    }
}

fn policy(reading: &Reading) -> String {
    let (name, quota) = (reading.limit.name(), reading.limit.quota());
    format!("\"{name}\";q={};w={}", quota.units(), seconds(quota.window()))
}

/// `t` is the time in which no more than what is left should be used: at the quota's own pace, so that no client thinks it may be faster (§8.5).
fn left(reading: &Reading) -> String {
    let (left, quota) = (reading.left, reading.limit.quota());
    let pace = Duration::from_micros(quota.pace().unsigned_abs());
    let window = if reading.is_exceeded() { reading.wait } else { pace.saturating_mul(left.max(1)) };
    format!("\"{}\";r={left};t={}", reading.limit.name(), seconds(window))
}

fn retry_after(reading: &Reading) -> u64 {
    seconds(if reading.limit.is_shown() { reading.wait } else { reading.limit.quota().window() })
}

/// Whole seconds, rounded up: at least one.
fn seconds(duration: Duration) -> u64 {
    let (whole, rest) = (duration.as_secs(), duration.subsec_nanos());
    whole.saturating_add(u64::from(rest > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::{Demand, Limit, LimitClass, Quota, Taken};
    use super::*;

    const USER: Limit = Limit::new("reads", LimitClass::User, Quota::new(100, Duration::from_mins(1)));
    const HOST: Limit = Limit::new("host", LimitClass::AddressHost, Quota::new(7, Duration::from_mins(1)));
    const LOGIN: Limit = Limit::new("login", LimitClass::Identifier, Quota::new(5, Duration::from_mins(15)));

    fn reading(limit: &Limit, left: u32, wait: Duration) -> Reading {
        let full_in = limit.quota().all() - limit.quota().pace() * i64::from(left);
        Reading::new(&Demand::units(limit, b"", 1), full_in, i64::try_from(wait.as_micros()).unwrap(), Taken::default())
            .unwrap()
    }

    #[test]
    fn what_is_within_is_shown_limit_by_limit() {
        let within = Allowance::Within(vec![reading(&USER, 50, Duration::ZERO), reading(&HOST, 6, Duration::ZERO)]);
        let fields = Fields::of(&within);
        assert_eq!(fields.policy.unwrap(), r#""reads";q=100;w=60, "host";q=7;w=61"#);
        assert_eq!(fields.limit.unwrap(), r#""reads";r=50;t=30, "host";r=6;t=52"#);
        assert_eq!(fields.retry_after, None);
    }

    #[test]
    fn a_refusal_shows_what_refuses_and_nothing_that_ends_after_retry_after() {
        let exceeded = Allowance::Exceeded(vec![
            reading(&USER, 50, Duration::ZERO),
            reading(&HOST, 0, Duration::from_millis(1_001)),
        ]);
        let fields = Fields::of(&exceeded);
        assert_eq!(fields.policy.unwrap(), r#""host";q=7;w=61"#);
        assert_eq!(fields.limit.unwrap(), r#""host";r=0;t=2"#);
        assert_eq!(fields.retry_after, Some(2));
    }

    #[test]
    fn a_hidden_limit_tells_the_same_however_much_is_missing() {
        let fields = |wait| Fields::of(&Allowance::Exceeded(vec![reading(&LOGIN, 0, wait)]));
        assert_eq!(fields(Duration::from_secs(1)), fields(Duration::from_mins(14)));
        assert_eq!(fields(Duration::from_secs(1)), Fields { retry_after: Some(900), ..Fields::default() });
        let within =
            Allowance::Within(vec![reading(&LOGIN, 3, Duration::ZERO), reading(&USER.hidden(), 3, Duration::ZERO)]);
        assert_eq!(Fields::of(&within), Fields::default());
        assert_eq!(Fields::of(&Allowance::Unknown("store_away")), Fields::default());
    }

    #[test]
    fn the_fields_are_structured_fields() {
        let fields = Fields::of(&Allowance::Within(vec![reading(&USER, 50, Duration::ZERO)]));
        for (text, names) in [(fields.policy.unwrap(), ["q", "w"]), (fields.limit.unwrap(), ["r", "t"])] {
            let list: sfv::List = sfv::Parser::new(&text).parse().unwrap();
            let sfv::ListEntry::Item(item) = &list[0] else { unreachable!("{text}") };
            assert_eq!(item.bare_item.as_string().map(sfv::StringRef::as_str), Some("reads"));
            assert!(names.iter().all(|name| item.params[*name].as_integer().is_some()), "{text}");
        }
    }
}
