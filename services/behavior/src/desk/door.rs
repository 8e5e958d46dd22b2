//! What happened at a user's door, in words: what it was, from where, and where the user was before.

use chrono::{DateTime, TimeDelta, Utc};

use super::{store, words};
use crate::events::{Change, KeyProtection, What};
use crate::places;

/// Something that happened there, as a page shows it.
pub(super) struct Happened {
    pub(super) at: String,
    /// As programs read it.
    pub(super) datetime: String,
    pub(super) says: String,
    /// Not before the payment, but after it.
    pub(super) after: bool,
}

/// All of it in words, in its order, the newest first.
pub(super) fn told(door: &[store::Happened], paid_at: DateTime<Utc>) -> Vec<Happened> {
    let told = |(place, happened): (usize, &store::Happened)| Happened {
        at: words::time(&happened.at),
        datetime: happened.at.to_rfc3339(),
        // Default: it is the oldest that is known.
        says: says(happened, door.get(place + 1..).unwrap_or_default()),
        after: happened.at > paid_at,
    };
    door.iter().enumerate().map(told).collect()
}

/// What it was, from where, and from which country the user's was before.
fn says(happened: &store::Happened, before: &[store::Happened]) -> String {
    let what = what(&happened.what);
    let Some(place) = happened.place else { return what };
    let here = format!("{what}, from {}", places::name(place.country));
    // Where somebody has failed, the user need not have been.
    let mut been = before.iter().filter(|other| !matches!(other.what, What::FailedLogin));
    let last = been.find_map(|other| other.place.map(|place| (other.at, place)));
    match last {
        Some((at, last)) if last.country != place.country => {
            let (name, ago) = (places::name(last.country), ago(happened.at - at));
            match places::least_distance(last.country, place.country) {
                away if away > 0.0 => {
                    format!("{here}, {away:.0} km at least from {name}, where the user was {ago} before")
                }
                _ => format!("{here}; the user was in {name} {ago} before"),
            }
        }
        Some((_, last)) if last.network != place.network => format!("{here}, in another network than before"),
        _ => here,
    }
}

/// A length of time in the largest unit that it fills.
fn ago(length: TimeDelta) -> String {
    let units = [(length.num_days(), "day"), (length.num_hours(), "hour"), (length.num_minutes(), "minute")];
    let filled = units.into_iter().find(|(count, _)| *count > 0);
    let (count, unit) = filled.unwrap_or((length.num_seconds().max(0), "second")); // Default: less than a minute
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// What happened at a user's door.
fn what(what: &What) -> String {
    match what {
        What::Login { known_device: true } => "logged in on a device that was known".to_owned(),
        What::Login { known_device: false } => "logged in".to_owned(),
        What::FailedLogin => "somebody failed to log in".to_owned(),
        What::Seen => "the app went on".to_owned(),
        What::Device { device, level } => {
            let kept = match level {
                KeyProtection::Software => "by the app alone",
                KeyProtection::Tee => "by the processor",
                KeyProtection::SecureElement => "by a chip of its own",
            };
            format!("device {} began to act for the user, its key kept {kept}", words::key(*device))
        }
        What::SecondFactor(Change::Added) => "a second factor was added".to_owned(),
        What::SecondFactor(Change::Removed) => "a second factor was removed".to_owned(),
        What::SecondFactor(Change::Recovered) => "a recovery code stood in for the second factor".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Place;

    fn happened(minute: i64, what: What, place: Option<(&str, u64)>) -> store::Happened {
        let at = DateTime::from_timestamp(1_790_000_000 + minute * 60, 0).unwrap();
        let place = place.map(|(country, network)| Place { country: country.parse().unwrap(), network: Some(network) });
        store::Happened { at, what, place }
    }

    #[test]
    fn another_country_is_told_with_the_one_before_and_a_failed_login_is_no_place_of_the_user() {
        let login = What::Login { known_device: false };
        let door = [
            happened(200, What::Seen, Some(("SG", 3))),
            happened(190, What::FailedLogin, Some(("BR", 9))),
            happened(180, What::Seen, Some(("FR", 2))),
            happened(150, What::Seen, Some(("DE", 2))),
            happened(100, login, Some(("DE", 1))),
            happened(0, login, None),
        ];
        let told: Vec<String> = told(&door, door[3].at).into_iter().map(|told| told.says).collect();
        assert!(
            told[0].starts_with("the app went on, from Singapore, ")
                && told[0].ends_with(" km at least from France, where the user was 20 minutes before"),
            "{}",
            told[0]
        );
        assert!(told[1].starts_with("somebody failed to log in, from Brazil, "), "{}", told[1]);
        assert_eq!(
            told[2..],
            [
                "the app went on, from France; the user was in Germany 30 minutes before",
                "the app went on, from Germany, in another network than before",
                "logged in, from Germany",
                "logged in",
            ]
        );
    }
}
