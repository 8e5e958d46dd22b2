//! The pages: plain HTML, no third party, one style sheet, and no scripts but where somebody is asked for a captcha or a passkey.
//!
//! Templates are compiled and escape by default. Every page has one policy, under which nothing but our style sheet and our mark load and
//! forms go only to us; with a passkey, one script of ours; with a captcha, the scripts that answer it: files of ours, or where the operator wants a vendor's captcha, the vendor's. On to the client leads no redirect but a page ([`OnwardPage`]).

pub mod http;

use std::sync::LazyLock;

use api::approvals::PaymentShown;
use api::payees::NameCheck;
use askama::Template;
use chrono::{DateTime, Utc};
use crypto::SecretString;
use defense::captcha::Widget;
use runtime::pages::{Refused, own_style};

use crate::error::PageRefusal;
use crate::second_factors::{Ceremony, State};

/// Why a form comes back.
#[derive(Debug, Clone, Copy)]
pub struct Complaint<'a> {
    pub text: &'a str,
    /// The fields in which something has to be mended, by their names; it may be neither.
    pub wrong: &'a [&'a str],
    /// The field in which the person goes on.
    pub focus: &'a str,
}

/// The day of a time that the ledger has told; what is no time, as it came.
fn day_told(at: &str) -> String {
    match DateTime::parse_from_rfc3339(at) {
        Ok(moment) => day(&moment.to_utc()),
        Err(_) => at.to_owned(),
    }
}

/// What the tag of a field says of a complaint and of its hint. Words of the templates and nothing that anybody has typed.
fn attributes(complaint: Option<&Complaint<'_>>, field: &'static str, hint: &'static str) -> String {
    let wrong = complaint.is_some_and(|complaint| complaint.wrong.contains(&field));
    let focus = complaint.is_some_and(|complaint| complaint.focus == field);
    let described = [Some(hint).filter(|hint| !hint.is_empty()), (wrong || focus).then_some("error")];
    let described: Vec<_> = described.into_iter().flatten().collect();
    let mut tag =
        if described.is_empty() { String::new() } else { format!(" aria-describedby=\"{}\"", described.join(" ")) };
    tag.push_str(if wrong { " aria-invalid=\"true\"" } else { "" });
    tag.push_str(if focus { " autofocus" } else { "" });
    tag
}

#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage<'a> {
    pub client: &'a str,
    /// Whether it is to approve a payment.
    pub pays: bool,
    /// Where the form goes.
    pub action: &'a str,
    /// The other way to log in.
    pub other: &'a str,
    pub csrf: &'a str,
    /// What was typed before.
    pub email: &'a str,
    /// Why it did not work.
    pub error: Option<Complaint<'a>>,
    /// A captcha that is to be answered with the next try.
    pub widget: Option<&'a Widget>,
}

#[derive(Template)]
#[template(path = "register.html")]
pub struct RegisterPage<'a> {
    pub client: &'a str,
    /// Where the form goes.
    pub action: &'a str,
    /// The other way to log in.
    pub other: &'a str,
    pub csrf: &'a str,
    /// What was typed before.
    pub name: &'a str,
    /// What was typed before.
    pub email: &'a str,
    /// Why it did not work.
    pub error: Option<Complaint<'a>>,
    /// Characters that a password needs.
    pub min_password: usize,
    /// A captcha that is to be answered with the next try.
    pub widget: Option<&'a Widget>,
}

#[derive(Template)]
#[template(path = "consent.html")]
pub struct ConsentPage<'a> {
    pub client: &'a str,
    /// Where the form goes.
    pub action: &'a str,
    /// Where the answer goes.
    pub destination: &'a str,
    pub csrf: &'a str,
    pub name: &'a str,
    /// What is allowed or denied as a whole, in words.
    pub permissions: &'a [&'a str],
    /// What is given by a tick for each.
    pub choices: &'a [Choice<'a>],
    /// Where the second factor is set up or removed.
    pub second_factor: &'a str,
}

/// The approval of one payment: all of it is the ledger's word.
#[derive(Template)]
#[template(path = "approve.html")]
pub struct ApprovePage<'a> {
    pub client: &'a str,
    /// Where the form goes.
    pub action: &'a str,
    /// Where the answer goes.
    pub destination: &'a str,
    pub csrf: &'a str,
    /// Which payment this page shows, for the form to say.
    pub shown: &'a str,
    pub name: &'a str,
    pub payment: &'a PaymentShown,
    /// Its end, in words.
    pub until: &'a str,
    /// The second factor that is asked for, of whoever has one.
    pub factor: Option<&'a FactorAsked>,
    /// Why it is shown again.
    pub error: Option<Complaint<'a>>,
}

/// What a page asks whoever has a second factor for. A recovery code does in any case.
pub struct FactorAsked {
    /// Whether there is an app.
    pub app: bool,
    /// If there are passkeys.
    pub passkey: Option<Ceremony>,
}

/// The second factor is asked for.
#[derive(Template)]
#[template(path = "code.html")]
pub struct CodePage<'a> {
    pub client: &'a str,
    /// Where the form goes.
    pub action: &'a str,
    /// Where somebody else logs in.
    pub other: &'a str,
    pub csrf: &'a str,
    pub factor: &'a FactorAsked,
    pub error: Option<Complaint<'a>>,
}

/// What a person has beside the password.
#[derive(Template)]
#[template(path = "second_factor.html")]
pub struct SecondFactorPage<'a> {
    pub client: &'a str,
    /// Where the form goes.
    pub action: &'a str,
    /// Where an app is set up; none, where there is one.
    pub enroll: Option<&'a str>,
    /// Where a passkey is made; none, where there are enough.
    pub add: Option<&'a str>,
    /// Back to what the client asks.
    pub back: &'a str,
    pub csrf: &'a str,
    /// What there is; none, where there is none.
    pub has: Option<&'a State>,
}

/// Whether a person is sure, before something of that changes.
#[derive(Template)]
#[template(path = "sure.html")]
pub struct SurePage<'a> {
    /// Where the form goes, and where what there is stands.
    pub action: &'a str,
    pub csrf: &'a str,
    pub asked: &'a Sure,
    /// Whether the password is asked for, because the login is not new.
    pub password: bool,
    pub error: Option<Complaint<'a>>,
}

/// What a person is asked whether they are sure of it.
pub struct Sure {
    /// The field of the form that says it, and what it says.
    pub name: &'static str,
    // Text: of a form of ours.
    pub value: String,
    /// What goes, in words; none, where recovery codes are made anew.
    pub removes: Option<String>,
    /// Whether it is the only one.
    pub last: bool,
}

/// An authenticator app is being set up.
#[derive(Template)]
#[template(path = "enroll.html")]
pub struct EnrollPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// Back without an app.
    pub back: &'a str,
    pub csrf: &'a str,
    /// The secret, as people type it.
    pub secret: &'a str,
    /// The same, as apps read it.
    pub uri: &'a str,
    /// That as an SVG element of ours.
    pub picture: &'a str,
    /// Whether the password is asked for, because the login is not new.
    pub password: bool,
    pub error: Option<Complaint<'a>>,
}

/// A passkey is to be made.
#[derive(Template)]
#[template(path = "passkey.html")]
pub struct PasskeyPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// Back without one.
    pub back: &'a str,
    pub csrf: &'a str,
    pub ceremony: &'a Ceremony,
    /// Whose it is, in base64url: the same for all of a person's.
    // Text: as the browser is told.
    pub user: &'a str,
    /// Their address and their name, for whatever lists passkeys.
    pub email: &'a str,
    pub name: &'a str,
    /// What was typed before.
    pub typed: &'a str,
    pub longest: usize,
    /// Whether the password is asked for, because the login is not new.
    pub password: bool,
    pub error: Option<Complaint<'a>>,
}

/// Recovery codes, this once.
#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub struct RecoveryCodesPage<'a> {
    pub codes: &'a [SecretString],
    /// Back to what the person has.
    pub back: &'a str,
}

/// No payment of this person waits.
#[derive(Template)]
#[template(path = "nothing.html")]
pub struct NothingPage<'a> {
    pub client: &'a str,
    /// Where the form goes.
    pub action: &'a str,
    pub csrf: &'a str,
    pub name: &'a str,
}

/// Something that a client would like to know of the person.
pub struct Choice<'a> {
    pub field: &'a str,
    pub words: &'a str,
    /// What the client would learn.
    pub value: &'a str,
}

/// What a form says of a box that was ticked.
pub const TICKED: &str = "yes";

/// On to the client with the answer: by itself where the browser does that (meta refresh), else by a link.
///
/// Not a redirect, because browsers (Chromium) apply the `form-action` of the page with the form to the whole chain of redirects that
/// its answer begins. The client's callback may send the browser on to wherever it likes, and nobody can list that in a policy.
#[derive(Template)]
#[template(path = "onward.html")]
pub struct OnwardPage<'a> {
    pub client: &'a str,
    /// The client's origin, for the person to see.
    pub destination: &'a str,
    /// The client's redirect URI with the answer in it.
    pub location: &'a str,
}

/// The style sheet of all pages.
pub const STYLE: &str = include_str!("../../assets/style.css");

/// What refused says itself, or what its status means to a person; when to come back, and what to tell us.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    message: &'static str,
    /// When it is worth another try.
    again: Option<String>,
    /// Whether the way on is to open this address again, from which a form is shown anew.
    retry: bool,
    // Text: it is shown, and nothing else.
    request_id: &'a str,
    /// It brings this along: who is refused may be refused the file, too.
    style: &'static str,
}

/// A page as text.
pub fn render(page: &impl Template) -> Result<String, PageRefusal> {
    page.render().map_err(|error| PageRefusal::internal(&error))
}

/// The page of a refusal, whoever refused.
pub fn refusal(refused: &Refused<'_>) -> String {
    let &Refused { status, words, retry_after, request_id } = refused;
    // Default: whatever refuses without words of its own is told by its status.
    let message = words.unwrap_or_else(|| words_for(status.as_u16()));
    let again =
        retry_after.filter(|_| words.is_none()).map(|seconds| format!("Please try again in {}.", time(seconds)));
    // Every page has a way on: what can be mended here has a link, everything else begins in the app.
    let retry = !message.contains(IN_THE_APP);
    // Default: what the page would say, without the page.
    render(&ErrorPage { message, again, retry, request_id, style: STYLE }).unwrap_or_else(|_| message.to_owned())
}

/// What every page says whose way on is to begin anew.
const IN_THE_APP: &str = "o back to the app";

/// What a status means to a person.
const fn words_for(status: u16) -> &'static str {
    match status {
        403 => "This cannot be done from here. Go back to the app and start again.",
        404 => "There is no page at this address. Go back to the app and start again.",
        405 => "This address does not take what your browser has sent. Go back to the app and start again.",
        408 => "What your browser sent did not arrive in time. Please try again.",
        413 => "What your browser sent is too large. Go back to the app and start again.",
        414 | 431 => {
            "What your browser sent is too long. Delete the cookies of this site, go back to the app and start again."
        }
        421 => "This page is not served under this address. Go back to the app and start again.",
        429 => "There were too many tries from here.",
        503 => "We cannot answer just now.",
        500..=599 => "Something went wrong on our side. Please try again later.",
        _ => "What your browser sent cannot be read. Go back to the app and start again.",
    }
}

/// A time in words, rounded up.
fn time(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..=90 => (seconds, "second"),
        91..=5400 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3600), "hour"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// The `Content-Security-Policy` of every page.
pub const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; img-src 'self'";

/// The same for the page of a refusal, which loads no style sheet: after too many requests, or under an address that is not ours, there is nothing to load. The
/// style in it is allowed by its hash.
pub static REFUSAL_POLICY: LazyLock<String> =
    LazyLock::new(|| POLICY.replace("style-src 'self'", &format!("style-src {}", own_style(STYLE))));

/// The same for pages with a challenge of ours: the widget and its worker are files of ours (`assets/altcha/README.md`). Nothing is inline, nothing is fetched.
pub const CHALLENGE_POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
     img-src 'self'; script-src 'self'; worker-src 'self'";

/// The same for pages that ask for a passkey: one script of ours, which loads and fetches nothing.
pub const PASSKEY_POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
     img-src 'self'; script-src 'self'";

/// A day in words.
fn day(moment: &DateTime<Utc>) -> String {
    moment.format("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests;
