//! `/login` and `/register`.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use crypto::SecretString;
use defense::Public;

use super::{interaction, submitted};
use crate::authorizations::Interaction;
use crate::error::PageRefusal;
use crate::form::Parameters;
use crate::http::{SetCookie, html, page, see_other};
use crate::pages::{LoginPage, RegisterPage, render};
use crate::paths;
use crate::people::{LogIn, MIN_CHARACTERS, Registered, Registration, log_in, register};
use crate::provider::Provider;

const WRONG: &str = "The e-mail address or the password is not right.";

/// Public: nobody is logged in yet.
pub async fn get_login(_: Public, provider: web::Data<Provider>, request: HttpRequest) -> HttpResponse {
    page(async { login_page(&interaction(&provider, &request).await?, 200, "", None) }).await
}

/// Public: the form is bound to the browser's interaction.
pub async fn post_login(
    _: Public,
    provider: web::Data<Provider>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    page(async {
        let (interaction, form) = submitted(&provider, &request, payload).await?;
        interaction.attempt(&provider).await?;
        let email = typed(&form, "email");
        let outcome = log_in(&provider, &interaction, email, &password(&form), provider.clock.unix()).await?;
        match outcome {
            LogIn::Done(cookie) => Ok(to_consent(&interaction, &cookie)),
            LogIn::Wrong => login_page(&interaction, 422, email, Some(WRONG)),
            LogIn::Blocked(seconds) => blocked(&interaction, email, seconds),
        }
    })
    .await
}

/// Public: nobody has a login before.
pub async fn get_register(_: Public, provider: web::Data<Provider>, request: HttpRequest) -> HttpResponse {
    page(async { register_page(&interaction(&provider, &request).await?, 200, &Parameters::empty(), None) }).await
}

/// Public: the form is bound to the browser's interaction.
pub async fn post_register(
    _: Public,
    provider: web::Data<Provider>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    page(async {
        let (interaction, form) = submitted(&provider, &request, payload).await?;
        interaction.attempt(&provider).await?;
        let typed =
            Registration { name: typed(&form, "name"), email: typed(&form, "email"), password: &password(&form) };
        match register(&provider, &interaction, &typed, provider.clock.unix()).await? {
            Registered::Done(cookie) => Ok(to_consent(&interaction, &cookie)),
            Registered::Refused(message) => register_page(&interaction, 422, &form, Some(&message)),
        }
    })
    .await
}

fn typed<'a>(form: &'a Parameters, field: &str) -> &'a str {
    form.get(field).unwrap_or_default() // Default: a field that was left empty says nothing.
}

fn password(form: &Parameters) -> SecretString {
    // Default: a field that was left empty, which is nobody's password.
    form.secret("password").cloned().unwrap_or_else(|| SecretString::from(""))
}

/// Who has logged in goes on under a new cookie of the same name.
fn to_consent(interaction: &Interaction, cookie: &str) -> HttpResponse {
    let handle = &interaction.handle;
    see_other(&handle.page(paths::CONSENT), &[SetCookie::Keep(handle, cookie)])
}

fn login_page(
    interaction: &Interaction,
    status: u16,
    email: &str,
    error: Option<&str>,
) -> Result<HttpResponse, PageRefusal> {
    let page = LoginPage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::LOGIN),
        other: &interaction.handle.page(paths::REGISTER),
        csrf: &interaction.csrf(),
        email,
        error,
    };
    Ok(html(status, &render(&page)?))
}

fn register_page(
    interaction: &Interaction,
    status: u16,
    form: &Parameters,
    error: Option<&str>,
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
    };
    Ok(html(status, &render(&page)?))
}

fn blocked(interaction: &Interaction, email: &str, seconds: i64) -> Result<HttpResponse, PageRefusal> {
    let message = format!("Too many failed tries. Try again in {}.", duration(seconds));
    let mut response = login_page(interaction, StatusCode::TOO_MANY_REQUESTS.as_u16(), email, Some(&message))?;
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    Ok(response)
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
