//! `/approve`.

use actix_web::{HttpResponse, web};
use api::approvals::PaymentShown;
use chrono::DateTime;
use defense::Public;

use super::{answered, interaction, submitted};
use crate::authorizations::{Approval, Authenticated, ConsentDecision, Interaction, answer, approve, show};
use crate::error::PageRefusal;
use crate::forms::{ApproveForm, PageAddress};
use crate::http::{Page, Submitted, Visit, html, page, see_other};
use crate::pages::{ApprovePage, NothingPage, render};
use crate::paths;
use crate::people;
use crate::provider::Provider;

/// What a payer is told whose payment is another one than the page had shown.
const CHANGED: &str = "This payment is not what was shown before, so nothing has been approved. Look at it again.";

/// Public: the interaction says who is logged in; nobody is sent to the login.
pub async fn get_approve(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async {
        let interaction = interaction(&provider, &visit.request).await?;
        let person = match payer(&interaction) {
            Ok(person) => person,
            Err(path) => return Ok(see_other(&interaction.handle.page(path), &[])),
        };
        match show(&provider, &interaction, person, provider.clock.unix()).await? {
            Some(payment) => approve_page(&provider, &interaction, person, &payment, None).await,
            None => nothing_page(&provider, &interaction, person).await,
        }
    })
    .await
}

/// Public: the form is bound to the browser's authenticated interaction.
pub async fn post_approve(_: Public, provider: web::Data<Provider>, mut sent: Submitted<ApproveForm>) -> Page {
    page(async {
        let (interaction, form) = submitted(&provider, &mut sent).await?;
        let person = match payer(&interaction) {
            Ok(person) => person,
            Err(path) => return Ok(see_other(&interaction.handle.page(path), &[])),
        };
        let now = provider.clock.unix();
        match form.get("decision") {
            Some("approve") => match approve(&provider, &interaction, person, form.get("shown"), now).await? {
                Approval::Given(url) => answered(&interaction, &url),
                Approval::Changed(payment) => {
                    approve_page(&provider, &interaction, person, &payment, Some(CHANGED)).await
                }
                Approval::Nothing => nothing_page(&provider, &interaction, person).await,
            },
            Some("refuse") => {
                let url = answer(&provider, &interaction, person, &ConsentDecision::Deny, now).await?;
                answered(&interaction, &url)
            }
            _ => Err(PageRefusal::Form),
        }
    })
    .await
}

/// Who is asked to approve a payment; else the path where this interaction goes on.
fn payer(interaction: &Interaction) -> Result<Authenticated, &'static str> {
    match (interaction.request.payment, interaction.authenticated) {
        (None, _) => Err(paths::CONSENT),
        (_, None) => Err(paths::LOGIN),
        (Some(_), Some(person)) => Ok(person),
    }
}

async fn approve_page(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    payment: &PaymentShown,
    error: Option<&str>,
) -> Result<HttpResponse, PageRefusal> {
    let ends = DateTime::parse_from_rfc3339(&payment.expires_at).map_err(|error| PageRefusal::internal(&error))?;
    let profile = people::profile(provider, person.user_id).await?.ok_or(PageRefusal::Interaction)?;
    let page = ApprovePage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::APPROVE),
        destination: &interaction.request.destination()?.origin().ascii_serialization(),
        csrf: &interaction.csrf(),
        shown: &interaction.mark(payment)?,
        name: &profile.name,
        payment,
        until: &ends.to_utc().format("%-d %B %Y, %H:%M UTC").to_string(),
        error,
    };
    Ok(html(if error.is_some() { 422 } else { 200 }, &render(&page)?))
}

/// There is one answer to it, which the person gives: so nothing is decided by opening an address.
async fn nothing_page(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
) -> Result<HttpResponse, PageRefusal> {
    let profile = people::profile(provider, person.user_id).await?.ok_or(PageRefusal::Interaction)?;
    let page = NothingPage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::APPROVE),
        csrf: &interaction.csrf(),
        name: &profile.name,
    };
    Ok(html(200, &render(&page)?))
}
