//! `/login` and `/register`.

use std::borrow::Cow;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use crypto::SecretString;
use defense::Public;
use defense::captcha::{Outcome, Tried, Widget};

use super::{interaction, submitted};
use crate::authorizations::Interaction;
use crate::error::PageRefusal;
use crate::form::Parameters;
use crate::forms::{LoginForm, PageAddress, RegisterForm};
use crate::http::{Page, SetCookie, Submitted, Visit, html_under, page, see_other};
use crate::pages::{CHALLENGE_POLICY, Complaint, LoginPage, POLICY, RegisterPage, render};
use crate::paths;
use crate::people::{LogIn, MIN_CHARACTERS, Registered, Registration, log_in, register};
use crate::provider::Provider;

/// Which of the two, we do not say; more often it is the password.
const WRONG: Complaint<'_> = Complaint {
    text: "The e-mail address or the password is not right.",
    wrong: &["email", "password"],
    focus: "password",
};

/// Public: nobody is logged in yet.
pub async fn get_login(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async { login_page(&interaction(&provider, &visit.request).await?, 200, "", None, None) }).await
}

/// Public: the form is bound to the browser's interaction.
pub async fn post_login(_: Public, provider: web::Data<Provider>, mut sent: Submitted<LoginForm>) -> Page {
    page(async {
        let (interaction, form) = submitted(&provider, &mut sent).await?;
        interaction.attempt(&provider).await?;
        let email = typed(&form, "email");
        let outcome = log_in(&provider, &interaction, email, &password(&form), provider.clock.unix()).await?;
        let widget = settle(&provider, &sent.0.request, matches!(outcome, LogIn::Done { .. })).await;
        match outcome {
            LogIn::Done { cookie, path } => Ok(goes_on(&interaction, path, &cookie)),
            LogIn::Wrong => login_page(&interaction, 422, email, Some(WRONG), widget.as_ref()),
            LogIn::Blocked(seconds) => blocked(&interaction, email, seconds, widget.as_ref()),
        }
    })
    .await
}

/// Public: nobody has a login before.
pub async fn get_register(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async { register_page(&interaction(&provider, &visit.request).await?, 200, &Parameters::empty(), None, None) })
        .await
}

/// Public: the form is bound to the browser's interaction.
pub async fn post_register(_: Public, provider: web::Data<Provider>, mut sent: Submitted<RegisterForm>) -> Page {
    page(async {
        let (interaction, form) = submitted(&provider, &mut sent).await?;
        interaction.attempt(&provider).await?;
        let typed =
            Registration { name: typed(&form, "name"), email: typed(&form, "email"), password: &password(&form) };
        let outcome = register(&provider, &interaction, &typed, provider.clock.unix()).await?;
        let widget = settle(&provider, &sent.0.request, matches!(outcome, Registered::Done { .. })).await;
        match outcome {
            Registered::Done { cookie, path } => Ok(goes_on(&interaction, path, &cookie)),
            Registered::Refused { message, field } => {
                let complaint = Complaint { text: &message, wrong: &[field], focus: field };
                register_page(&interaction, 422, &form, Some(complaint), widget.as_ref())
            }
        }
    })
    .await
}

/// Counts what has become of a try; what is shown for the next one, if it is asked for a captcha.
async fn settle(provider: &Provider, request: &HttpRequest, passed: bool) -> Option<Widget> {
    let tried = request.extensions().get::<Tried>().cloned();
    let outcome = if passed { Outcome::Passed } else { Outcome::Failed };
    provider.captcha.settle(&tried?, outcome, provider.clock.unix()).await
}

pub(super) fn typed<'a>(form: &'a Parameters, field: &str) -> &'a str {
    form.get(field).unwrap_or_default() // Default: a field that was left empty says nothing.
}

pub(super) fn password(form: &Parameters) -> SecretString {
    // Default: a field that was left empty, which is nobody's password.
    form.secret("password").cloned().unwrap_or_else(|| SecretString::from(""))
}

/// Who has logged in goes on under a new cookie of the same name.
pub(super) fn goes_on(interaction: &Interaction, path: &str, cookie: &str) -> HttpResponse {
    let handle = &interaction.handle;
    see_other(&handle.page(path), &[SetCookie::Keep(handle, cookie)])
}

pub(super) fn login_page(
    interaction: &Interaction,
    status: u16,
    email: &str,
    error: Option<Complaint<'_>>,
    widget: Option<&Widget>,
) -> Result<HttpResponse, PageRefusal> {
    let page = LoginPage {
        client: &interaction.client.name,
        pays: interaction.request.payment.is_some(),
        action: &interaction.handle.page(paths::LOGIN),
        other: &interaction.handle.page(paths::REGISTER),
        csrf: &interaction.csrf(),
        email,
        error,
        widget,
    };
    Ok(html_under(&policy(widget), status, &render(&page)?))
}

pub(super) fn register_page(
    interaction: &Interaction,
    status: u16,
    form: &Parameters,
    error: Option<Complaint<'_>>,
    widget: Option<&Widget>,
) -> Result<HttpResponse, PageRefusal> {
    let page = RegisterPage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::REGISTER),
        other: &interaction.handle.page(paths::LOGIN),
        csrf: &interaction.csrf(),
        name: typed(form, "name"),
        email: typed(form, "email"),
        error,
        min_password: MIN_CHARACTERS,
        widget,
    };
    Ok(html_under(&policy(widget), status, &render(&page)?))
}

/// A page with a widget needs its scripts; no other page has any.
fn policy(widget: Option<&Widget>) -> Cow<'static, str> {
    match widget {
        None => POLICY.into(),
        Some(Widget::Work(_)) => CHALLENGE_POLICY.into(),
        Some(Widget::Vendor { vendor, .. }) => format!("{POLICY}; {}", vendor.sources).into(),
    }
}

fn blocked(
    interaction: &Interaction,
    email: &str,
    seconds: i64,
    widget: Option<&Widget>,
) -> Result<HttpResponse, PageRefusal> {
    let message = too_many(seconds);
    let status = StatusCode::TOO_MANY_REQUESTS.as_u16();
    let complaint = Complaint { text: &message, wrong: &[], focus: "password" };
    Ok(come_back_in(seconds, login_page(interaction, status, email, Some(complaint), widget)?))
}

/// What somebody reads who has failed too often.
pub(super) fn too_many(seconds: i64) -> String {
    format!("Too many failed tries. Try again in {}.", duration(seconds))
}

/// The same for programs.
pub(super) fn come_back_in(seconds: i64, mut page: HttpResponse) -> HttpResponse {
    page.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    page
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..=90 => format!("{seconds} seconds"),
        91..=5400 => format!("{} minutes", (seconds + 59) / 60),
        _ => format!("{} hours", (seconds + 3599) / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_told_as_people_do_and_never_too_short() {
        assert_eq!([30, 91, 3600, 86_400].map(duration), ["30 seconds", "2 minutes", "60 minutes", "24 hours"]);
    }
}
