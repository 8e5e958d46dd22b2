//! `/second-factor/passkey`: where a passkey is made. The page's script asks the browser for it; without scripts there is the app.

use actix_web::{HttpResponse, web};
use api::text::Flaw;
use crypto::b64;
use defense::Public;

use super::login::typed;
use super::second_factor::{added, goes_on, not_since, person, still_to_confirm};
use super::{interaction, submitted};
use crate::authorizations::{Authenticated, Interaction};
use crate::error::PageRefusal;
use crate::form::Parameters;
use crate::forms::{PageAddress, PasskeyForm};
use crate::http::{Page, Submitted, Visit, html_under, page, see_other};
use crate::pages::{Complaint, PASSKEY_POLICY, PasskeyPage, render};
use crate::paths;
use crate::people::{self, is_fresh};
use crate::provider::Provider;
use crate::second_factors::{self, About, Added, Asked, LONGEST_NAME, MOST, SecondFactor, add, ask};
use crate::webauthn::Registration;

const NAMELESS: Complaint<'_> =
    Complaint { text: "Give it a name of at most 40 characters.", wrong: &["name"], focus: "name" };
const NOT_TAKEN: Complaint<'_> =
    Complaint { text: "This passkey was not taken. Please try again.", wrong: &[], focus: "" };
const TAKEN: Complaint<'_> =
    Complaint { text: "This passkey is in use already. Make another one.", wrong: &[], focus: "" };

/// Public: the interaction says who is logged in; nobody is sent to the login.
pub async fn get_passkey(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async {
        let interaction = interaction(&provider, &visit.request).await?;
        let Some(person) = person(&interaction) else { return Ok(goes_on(&interaction)) };
        let state = second_factors::state(&provider, person.user_id).await?;
        if state.is_some_and(|state| state.passkeys.len() >= MOST) {
            return Ok(see_other(&interaction.handle.page(paths::SECOND_FACTOR), &[]));
        }
        passkey_page(&provider, &interaction, person, "", None).await
    })
    .await
}

/// Public: the form is bound to the browser's authenticated interaction.
pub async fn post_passkey(_: Public, provider: web::Data<Provider>, mut sent: Submitted<PasskeyForm>) -> Page {
    page(async {
        let (interaction, form) = submitted(&provider, &mut sent).await?;
        let Some(person) = person(&interaction) else { return Ok(goes_on(&interaction)) };
        let name = typed(&form, "name").trim();
        let again = async |status, error: Complaint<'_>| {
            passkey_page(&provider, &interaction, person, name, Some((status, error))).await
        };
        if let Some(said) = still_to_confirm(&provider, &interaction, person, &form).await? {
            return said.page(again).await;
        }
        not_since(&provider, person).await?;
        if name.is_empty() || name.chars().count() > LONGEST_NAME || Flaw::of(name).is_some() {
            return again(422, NAMELESS).await;
        }
        let Some(said) = registration(&form) else { return again(422, NOT_TAKEN).await };
        let asked = asked(&interaction, person);
        match add(&provider, &asked, person.second, name, &said, provider.clock.unix()).await? {
            Added::Done(codes) => added(&provider, &interaction, person, SecondFactor::Passkey, codes).await,
            Added::Refused => again(422, NOT_TAKEN).await,
            Added::Taken => again(422, TAKEN).await,
            Added::Full => Ok(see_other(&interaction.handle.page(paths::SECOND_FACTOR), &[])),
            Added::SecondFactorMissing => Err(PageRefusal::SecondFactorMissing),
        }
    })
    .await
}

fn registration(form: &Parameters) -> Option<Registration> {
    let bytes = |field| form.get(field).and_then(|text| b64::decode(text).ok());
    Some(Registration { client_data: bytes("client_data")?, attestation_object: bytes("attestation_object")? })
}

fn asked(interaction: &Interaction, person: Authenticated) -> Asked<'_> {
    Asked { interaction: interaction.digest(), user: person.user_id, about: About::Enrolling }
}

async fn passkey_page(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    typed: &str,
    error: Option<(u16, Complaint<'_>)>,
) -> Result<HttpResponse, PageRefusal> {
    let now = provider.clock.unix();
    let profile = people::profile(provider, person.user_id).await?.ok_or(PageRefusal::Interaction)?;
    let page = PasskeyPage {
        action: &interaction.handle.page(paths::PASSKEY),
        back: &interaction.handle.page(paths::SECOND_FACTOR),
        csrf: &interaction.csrf(),
        ceremony: &ask(provider, &asked(interaction, person), now).await?,
        user: &b64::encode(person.user_id.as_bytes()),
        email: &profile.email,
        name: &profile.name,
        typed,
        longest: LONGEST_NAME,
        password: !is_fresh(person, now),
        error: error.map(|(_, complaint)| complaint),
    };
    // Default: nothing is complained of.
    Ok(html_under(PASSKEY_POLICY, error.map_or(200, |(status, _)| status), &render(&page)?))
}
