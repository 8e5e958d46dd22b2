//! The pages, with what stands in them. Templates are compiled, and escape by default.

use std::sync::LazyLock;

use api::behavior::{Reason, ReasonSource};
use askama::Template;
use money::Currency;
use runtime::pages::{Refused, own_style};

use super::plot::{Kind, Plot, Point};
use super::store::{self, Alert, Line, Word};
use super::{door, words};
use crate::action::Action;
use crate::decisions::Found;
use crate::dry_run::store::{Count, Differing};
use crate::error::Error;
use crate::features::{self, Feature};
use crate::input::Paid;

/// Of every page, in the page: who is refused may be refused a file, too.
const STYLE: &str = include_str!("../../assets/desk.css");

/// Nothing loads, nothing runs, forms go to us, and nobody frames it.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src {}; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        own_style(STYLE)
    )
});

/// A payment, in words.
pub(super) struct Shown {
    at: String,
    /// As programs read it.
    datetime: String,
    amount: String,
    currency: &'static str,
    // Text: as it is shown.
    user: String,
    payee: String,
}

impl<P: Into<Paid>> From<P> for Shown {
    fn from(paid: P) -> Self {
        let paid = paid.into();
        Self {
            at: words::time(&paid.at),
            datetime: paid.at.to_rfc3339(),
            amount: paid.money.to_string(),
            currency: paid.money.currency().code(),
            user: words::key(paid.user),
            payee: words::key(paid.payee),
        }
    }
}

/// A line of a list.
struct Row {
    paid: Shown,
    /// The case, if there is one.
    case: Option<String>,
    is_case: bool,
    made: bool,
    score: Option<String>,
    action: Option<Action>,
    says: Option<String>,
    label: Option<String>,
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct Alerts {
    rows: Vec<Row>,
    /// Whether it is not the first page.
    later: bool,
    /// The address of the next page.
    older: Option<String>,
}

/// The list of alerts. `older` is where it goes on, if it does.
pub(super) fn alerts(alerts: Vec<Alert>, later: bool, older: Option<String>) -> Result<String, Error> {
    let rows = alerts.into_iter().map(|alert| Row {
        paid: alert.paid.into(),
        case: Some(alert.id.to_string()),
        is_case: false,
        made: true,
        score: Some(words::likely(alert.score)),
        action: Some(alert.action.0),
        says: alert.says,
        label: alert.label,
    });
    page(&Alerts { rows: rows.collect(), later, older })
}

#[derive(Template)]
#[template(path = "case.html")]
struct Case {
    // Text: as it is shown.
    id: String,
    paid: Shown,
    made: bool,
    decided_at: String,
    score: String,
    action: Action,
    reasons: Vec<Why>,
    /// The last word.
    label: Option<String>,
    said: Vec<Said>,
    plot: Option<Plot>,
    /// The picture in a sentence.
    summary: String,
    /// Payments in another currency, which the picture has not.
    elsewhere: usize,
    rows: Vec<Row>,
    /// What happened at the user's door.
    door: Vec<door::Happened>,
    /// What it looked like: name and sentence.
    features: Vec<(String, String)>,
    request: Option<String>,
    learned: i64,
    model: String,
    rules: String,
    tried: Option<Beside>,
}

/// What was tried on it.
struct Beside {
    action: Action,
    score: String,
    model: String,
    rules: String,
}

/// A reason, in words.
struct Why {
    says: String,
    source: &'static str,
    name: String,
    /// By how much it multiplies the odds.
    times: String,
}

impl From<&Reason> for Why {
    fn from(reason: &Reason) -> Self {
        Self {
            says: reason.says.clone(),
            source: match reason.source {
                ReasonSource::Model => "model",
                ReasonSource::Rule => "rule",
            },
            name: reason.name.clone(),
            times: words::short(reason.log_odds.exp()),
        }
    }
}

/// A word on it.
struct Said {
    label: String,
    by: String,
    at: String,
}

/// One case, among the payments of its user and what happened at the user's door.
pub(super) fn case(found: Found, said: Vec<Word>, around: &[Line], door: &[store::Happened]) -> Result<String, Error> {
    let Found { decision, names, .. } = found;
    let id = decision.id;
    let currency = decision.paid.money.currency();
    let rows: Vec<Row> = around.iter().map(|line| row(line, line.decision == Some(id))).collect();
    let points: Vec<Point> =
        around.iter().filter_map(|line| point(line, currency, line.decision == Some(id))).collect();
    let page_of = Case {
        id: id.to_string(),
        door: door::told(door, decision.paid.at),
        paid: decision.paid.into(),
        made: rows.iter().any(|row| row.is_case && row.made),
        decided_at: words::time(&decision.decided_at),
        score: words::likely(decision.said.score),
        action: decision.said.action,
        reasons: decision.said.reasons.iter().map(Why::from).collect(),
        label: said.first().map(|word| word.label.clone()),
        said: said
            .into_iter()
            .map(|word| Said { label: word.label, by: word.said_by, at: words::time(&word.known_at) })
            .collect(),
        summary: summary(&points, currency),
        elsewhere: rows.len() - points.len(),
        plot: Plot::of(points),
        rows,
        features: names
            .into_iter()
            .zip(&decision.features)
            .map(|(name, value)| looked(decision.features_version, name, *value))
            .collect(),
        request: decision.request.map(|request| request.to_string()),
        learned: decision.learned,
        model: decision.said.model,
        rules: decision.said.rules,
        tried: decision.dry_run.map(|tried| Beside {
            action: tried.action,
            score: words::likely(tried.score),
            model: tried.model,
            rules: tried.rules,
        }),
    };
    page(&page_of)
}

/// A feature in words. What another version calls by this name may mean something else: of it the figure is shown.
fn looked(version: u32, name: String, value: f64) -> (String, String) {
    let known = Feature::named(&name).filter(|_| version == features::VERSION);
    let says = known.map_or_else(|| value.to_string(), |feature| feature.say(value)); // Default: the figure.
    (name, says)
}

fn row(line: &Line, is_case: bool) -> Row {
    Row {
        paid: line.paid.into(),
        case: line.decision.map(|id| id.to_string()),
        is_case,
        made: line.made,
        score: line.score.map(words::likely),
        action: line.action.map(|action| action.0),
        says: None,
        label: line.label.clone(),
    }
}

/// A payment in the picture: of the case's currency only.
fn point(line: &Line, currency: Currency, is_case: bool) -> Option<Point> {
    let paid: Paid = line.paid.into();
    let kind = match (is_case, line.made) {
        (true, _) => Kind::Case,
        (false, true) => Kind::Made,
        (false, false) => Kind::Asked,
    };
    let says = format!("{}: {} {}", words::time(&paid.at), paid.money, currency.code());
    let fraud = line.label.as_deref() == Some("fraud");
    let point = Point { at: paid.at, amount: paid.figures().amount, kind, fraud, says };
    (paid.money.currency() == currency).then_some(point)
}

/// What the picture shows, for whoever does not see it.
fn summary(points: &[Point], currency: Currency) -> String {
    let amounts = |is_case: bool| {
        let mut amounts: Vec<f64> =
            points.iter().filter(|point| (point.kind == Kind::Case) == is_case).map(|point| point.amount).collect();
        amounts.sort_by(f64::total_cmp);
        amounts
    };
    let (case, others) = (amounts(true), amounts(false));
    let code = currency.code();
    let case =
        case.first().map_or_else(String::new, |amount| format!("This payment is {} {code}. ", words::short(*amount))); // Default: it is of another currency.
    match (others.first(), others.get(others.len().saturating_sub(1) / 2), others.last()) {
        (Some(least), Some(middle), Some(most)) => format!(
            "{case}The {} others are from {} to {} {code}, half of them at most {} {code}.",
            others.len(),
            words::short(*least),
            words::short(*most),
            words::short(*middle),
        ),
        _ => format!("{case}No other payment of this user is known."),
    }
}

/// A payment on which what is tried differs.
struct Otherwise {
    case: String,
    decided: Action,
    action: Action,
    score: String,
    says: Option<String>,
}

/// What was said of so many payments, and by what is tried.
struct Counted {
    decided: Action,
    /// In the order of [`Action::ALL`], and whether that is what was said.
    tried: Vec<(i64, bool)>,
}

#[derive(Template)]
#[template(path = "dry_run.html")]
struct DryRun<'a> {
    /// Model and rules of what judges, and of what is tried; none, where nothing is.
    names: Option<[(&'a str, &'a str); 2]>,
    payments: i64,
    same: i64,
    counts: Vec<Counted>,
    rows: Vec<Otherwise>,
}

/// That nothing is tried.
pub(super) fn no_dry_run() -> Result<String, Error> {
    page(&DryRun { names: None, payments: 0, same: 0, counts: Vec::new(), rows: Vec::new() })
}

/// What `tried` would have said beside `judges`.
pub(super) fn dry_run(
    judges: (&str, &str),
    tried: (&str, &str),
    counts: &[Count],
    differing: Vec<Differing>,
) -> Result<String, Error> {
    let of = |decided: Action, action: Action| {
        let found = counts.iter().find(|count| (count.decided.0, count.action.0) == (decided, action));
        found.map_or(0, |count| count.payments) // Default: a pair that did not occur.
    };
    let rows = differing.into_iter().map(|differing| Otherwise {
        case: differing.decision_id.to_string(),
        decided: differing.decided.0,
        action: differing.action.0,
        score: words::likely(differing.score),
        says: differing.says,
    });
    page(&DryRun {
        names: Some([judges, tried]),
        payments: counts.iter().map(|count| count.payments).sum(),
        same: Action::ALL.iter().map(|action| of(*action, *action)).sum(),
        counts: Action::ALL
            .map(|decided| Counted {
                decided,
                tried: Action::ALL.map(|action| (of(decided, action), action == decided)).into(),
            })
            .into(),
        rows: rows.collect(),
    })
}

fn page(page: &impl Template) -> Result<String, Error> {
    page.render().map_err(|error| Error::Page(error.to_string()))
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Refusal<'a> {
    message: &'static str,
    // Text: it is shown, and nothing else.
    request_id: &'a str,
}

/// The page of a refusal, whoever refused.
pub(super) fn refusal(refused: &Refused<'_>) -> String {
    let message = match refused.status.as_u16() {
        403 => {
            "The desk is for analysts, and what it takes comes from its own pages. Open the case again from the list."
        }
        404 => "There is no such case or page.",
        421 => "The desk is not served under this address.",
        503 | 429 => "The desk cannot answer just now. Try again in a moment.",
        500..=599 => "Something went wrong here. Try again later.",
        _ => "What your browser sent cannot be read. Begin again at the list.",
    };
    let page_of = Refusal { message, request_id: refused.request_id };
    // Default: what the page would say, without the page.
    page(&page_of).unwrap_or_else(|_| message.to_owned())
}
