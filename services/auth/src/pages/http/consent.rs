//! `/consent`.

use actix_web::{HttpResponse, web};
use defense::Public;

use super::{answered, interaction, submitted};
use crate::authorizations::{Authenticated, ConsentDecision, Interaction, answer};
use crate::error::{Invariant, PageRefusal};
use crate::forms::{ConsentForm, PageAddress};
use crate::http::{Page, Submitted, Visit, html, page, see_other};
use crate::pages::{Choice, ConsentPage, TICKED, render};
use crate::paths;
use crate::people::{self, Profile};
use crate::provider::Provider;
use crate::scopes;

/// Public: the interaction says who is logged in; nobody is sent to the login.
pub async fn get_consent(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async {
        let interaction = interaction(&provider, &visit.request).await?;
        match interaction.authenticated() {
            // There it says what is asked.
            _ if interaction.request.payment.is_some() => Ok(see_other(&interaction.handle.page(paths::APPROVE), &[])),
            Some(person) => consent_page(&provider, &interaction, person).await,
            None => Ok(see_other(&interaction.handle.page(interaction.next()), &[])),
        }
    })
    .await
}

/// Public: the form is bound to the browser's authenticated interaction.
pub async fn post_consent(_: Public, provider: web::Data<Provider>, mut sent: Submitted<ConsentForm>) -> Page {
    page(async {
        let (interaction, form) = submitted(&provider, &mut sent).await?;
        let Some(person) = interaction.authenticated() else {
            return Ok(see_other(&interaction.handle.page(interaction.next()), &[]));
        };
        let decision = match form.get("decision") {
            // No page of ours asks that of whoever is to approve a payment.
            _ if interaction.request.payment.is_some() => return Err(PageRefusal::Form),
            Some("allow") => {
                ConsentDecision::allow(&interaction.request.scope, |field| form.get(field) == Some(TICKED))
            }
            Some("deny") => ConsentDecision::Deny,
            _ => return Err(PageRefusal::Form),
        };
        let url = answer(&provider, &interaction, person, &decision, provider.clock.unix()).await?;
        answered(&interaction, &url)
    })
    .await
}

async fn consent_page(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
) -> Result<HttpResponse, PageRefusal> {
    let profile = people::profile(provider, person.user_id).await?.ok_or(PageRefusal::Interaction)?;
    let (mut permissions, mut choices) = (Vec::new(), Vec::new());
    for (scope, words) in scopes::ALL {
        if !scopes::contains(&interaction.request.scope, scope) {
            continue;
        }
        match scopes::choice(scope) {
            Some(field) => choices.push(Choice { field, words, value: value(scope, &profile)? }),
            None => permissions.push(words),
        }
    }
    let page = ConsentPage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::CONSENT),
        destination: &interaction.request.destination()?.origin().ascii_serialization(),
        csrf: &interaction.csrf(),
        name: &profile.name,
        permissions: &permissions,
        choices: &choices,
        second_factor: &interaction.handle.page(paths::SECOND_FACTOR),
    };
    Ok(html(200, &render(&page)?))
}

/// What the client would learn under that scope: the person sees it before they give it.
fn value<'a>(scope: &str, profile: &'a Profile) -> Result<&'a str, Invariant> {
    match scope {
        scopes::PROFILE => Ok(&profile.name),
        scopes::EMAIL => Ok(&profile.email),
        _ => Err(Invariant("a scope that releases nothing is up for choice")),
    }
}
