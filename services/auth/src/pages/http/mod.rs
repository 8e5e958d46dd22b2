//! The handlers of all pages, the files that they load, and what every page that belongs to an interaction begins with.

pub mod approve;
pub mod assets;
pub mod authorize;
pub mod captcha;
pub mod code;
pub mod consent;
pub mod login;
pub mod passkey;
pub mod second_factor;

use actix_web::{HttpRequest, HttpResponse};
use crypto::b64;
use runtime::Cookies;
use url::Url;

use crate::authorizations::Interaction;
use crate::error::PageRefusal;
use crate::form::Parameters;
use crate::forms::{Form, PageAddress};
use crate::http::{Submitted, from_our_page, onward, query};
use crate::ids::UserId;
use crate::pages::{Complaint, FactorAsked, OnwardPage, PASSKEY_POLICY, POLICY};
use crate::provider::Provider;
use crate::second_factors::{self, About, Asked, Shown, ask};
use crate::webauthn::Assertion;

/// Which of the two, we do not say.
const WRONG_CODE: &str = "This code is not right, or it has been used. Wait for the next one; and see that your phone sets its time by itself.";

/// Why it was not, we do not say: each try has a page of its own, and this is the next one.
const WRONG_PASSKEY: &str = "This passkey was not taken. Try it again, or type a code.";

/// What somebody shows beside the password: a passkey, or what they typed.
fn shown(form: &Parameters) -> Shown<'_> {
    let bytes = |field| form.get(field).and_then(|text| b64::decode(text).ok());
    if form.get("credential").is_none() {
        // Default: a field that was left empty, which is nobody's code.
        return Shown::Typed(form.get("code").unwrap_or_default());
    }
    let read = || {
        Some(Assertion {
            credential_id: bytes("credential")?,
            client_data: bytes("client_data")?,
            authenticator_data: bytes("authenticator_data")?,
            signature: bytes("signature")?,
        })
    };
    Shown::Passkey(read())
}

/// What is said of it that is not right.
fn wrong(shown: &Shown<'_>) -> Complaint<'static> {
    match shown {
        Shown::Typed(_) => Complaint { text: WRONG_CODE, wrong: &["code"], focus: "code" },
        Shown::Passkey(_) => Complaint { text: WRONG_PASSKEY, wrong: &[], focus: "" },
    }
}

/// What a page of this interaction asks that person for, with a challenge of its own if there are passkeys.
async fn factor(
    provider: &Provider,
    interaction: &Interaction,
    user: UserId,
    about: About<'_>,
) -> Result<FactorAsked, PageRefusal> {
    let state = second_factors::state(provider, user).await?;
    let passkey = if state.as_ref().is_some_and(|state| !state.passkeys.is_empty()) {
        let asked = Asked { interaction: interaction.digest(), user, about };
        Some(ask(provider, &asked, provider.clock.unix()).await?)
    } else {
        None
    };
    // Whoever has removed it all meanwhile is asked as before, and logs in anew.
    Ok(FactorAsked { app: state.is_none_or(|state| state.app.is_some()), passkey })
}

/// The policy of a page that asks for it.
fn policy_of(factor: Option<&FactorAsked>) -> &'static str {
    if factor.is_some_and(|factor| factor.passkey.is_some()) { PASSKEY_POLICY } else { POLICY }
}

/// The interaction that a page's address and the browser's cookie name.
async fn interaction(provider: &Provider, request: &HttpRequest) -> Result<Interaction, PageRefusal> {
    let (address, cookies) = (query::<PageAddress>(request)?, Cookies::of(request)?);
    let loaded = Interaction::load(provider, &address, &cookies, provider.clock.unix()).await?;
    Ok(loaded.at(provider.places.of(defense::address(request))))
}

/// A form that was sent from one of our pages by the browser that the interaction belongs to.
async fn submitted<F: Form>(
    provider: &Provider,
    Submitted(posted): &mut Submitted<F>,
) -> Result<(Interaction, Parameters), PageRefusal> {
    from_our_page(provider, posted.request.headers())?;
    let form = posted.parameters().await?;
    let interaction = interaction(provider, &posted.request).await?;
    interaction.check_csrf(&form)?;
    Ok((interaction, form))
}

/// The end of an interaction that has been answered: on to the client.
fn answered(interaction: &Interaction, url: &Url) -> Result<HttpResponse, PageRefusal> {
    let page = OnwardPage {
        client: &interaction.client.name,
        destination: &url.origin().ascii_serialization(),
        location: url.as_str(),
    };
    onward(&page, &interaction.handle)
}
