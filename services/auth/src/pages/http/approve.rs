//! `/approve`.

use actix_web::{HttpResponse, web};
use api::approvals::PaymentShown;
use chrono::DateTime;
use defense::Public;

use super::login::{come_back_in, too_many};
use super::{answered, factor, interaction, policy_of, shown, submitted, wrong};
use crate::authorizations::{Approval, Interaction, Known, Said, approve, deny, describe, show};
use crate::error::PageRefusal;
use crate::forms::{ApproveForm, PageAddress};
use crate::http::{Page, Submitted, Visit, html, html_under, page, see_other};
use crate::pages::{ApprovePage, Complaint, NothingPage, render};
use crate::paths;
use crate::people;
use crate::provider::Provider;
use crate::second_factors::About;

/// What a payer is told whose payment is another one than the page had shown.
const CHANGED: &str = "This payment is not what was shown before, so nothing has been approved. Look at it again.";

/// Public: the interaction says who is logged in; nobody is sent to the login.
pub async fn get_approve(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async {
        let interaction = interaction(&provider, &visit.request).await?;
        let Some(payer) = payer(&interaction) else {
            return Ok(see_other(&interaction.handle.page(interaction.next()), &[]));
        };
        match show(&provider, &interaction, payer.user_id(), provider.clock.unix()).await? {
            Some(payment) => approve_page(&provider, &interaction, payer, &payment, None).await,
            None => nothing_page(&provider, &interaction, payer).await,
        }
    })
    .await
}

/// Public: the form is bound to the browser's authenticated interaction.
pub async fn post_approve(_: Public, provider: web::Data<Provider>, mut sent: Submitted<ApproveForm>) -> Page {
    page(async {
        let (interaction, form) = submitted(&provider, &mut sent).await?;
        let Some(payer) = payer(&interaction) else {
            return Ok(see_other(&interaction.handle.page(interaction.next()), &[]));
        };
        let now = provider.clock.unix();
        match form.get("decision") {
            Some("approve") => {
                if matches!(payer, Known::Awaiting(_)) {
                    interaction.attempt(&provider).await?;
                }
                let said = Said { mark: form.get("shown"), second: shown(&form) };
                let outcome = approve(&provider, &interaction, payer, &said, now).await?;
                approval(&provider, &interaction, payer, outcome, wrong(&said.second)).await
            }
            Some("refuse") => answered(&interaction, &deny(&provider, &interaction, payer.user_id(), now).await?),
            _ => Err(PageRefusal::Form),
        }
    })
    .await
}

async fn approval(
    provider: &Provider,
    interaction: &Interaction,
    payer: Known,
    approval: Approval,
    wrong: Complaint<'static>,
) -> Result<HttpResponse, PageRefusal> {
    match approval {
        Approval::Given(url) => answered(interaction, &url),
        Approval::Changed(payment) => {
            approve_page(provider, interaction, payer, &payment, Some((422, complaint(CHANGED, &[])))).await
        }
        Approval::Wrong(payment) => approve_page(provider, interaction, payer, &payment, Some((422, wrong))).await,
        Approval::Blocked(payment, seconds) => {
            let message = too_many(seconds);
            let error = complaint(&message, &[]);
            let page = approve_page(provider, interaction, payer, &payment, Some((429, error))).await?;
            Ok(come_back_in(seconds, page))
        }
        Approval::Nothing => nothing_page(provider, interaction, payer).await,
    }
}

fn complaint<'a>(text: &'a str, wrong: &'a [&'a str]) -> Complaint<'a> {
    Complaint { text, wrong, focus: "code" }
}

/// Who is asked to approve a payment.
fn payer(interaction: &Interaction) -> Option<Known> {
    interaction.known.filter(|_| interaction.request.payment.is_some())
}

async fn approve_page(
    provider: &Provider,
    interaction: &Interaction,
    payer: Known,
    payment: &PaymentShown,
    error: Option<(u16, Complaint<'_>)>,
) -> Result<HttpResponse, PageRefusal> {
    let ends = DateTime::parse_from_rfc3339(&payment.expires_at).map_err(|error| PageRefusal::internal(&error))?;
    let profile = people::profile(provider, payer.user_id()).await?.ok_or(PageRefusal::Interaction)?;
    let described = describe(payment)?;
    let factor = match payer {
        Known::Awaiting(user_id) => Some(factor(provider, interaction, user_id, About::Payment(&described)).await?),
        Known::Authenticated(_) => None,
    };
    let page = ApprovePage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::APPROVE),
        destination: &interaction.request.destination()?.origin().ascii_serialization(),
        csrf: &interaction.csrf(),
        shown: &interaction.mark(payment)?,
        name: &profile.name,
        payment,
        until: &ends.to_utc().format("%-d %B %Y, %H:%M UTC").to_string(),
        factor: factor.as_ref(),
        error: error.map(|(_, complaint)| complaint),
    };
    // Default: nothing is complained of.
    Ok(html_under(policy_of(factor.as_ref()), error.map_or(200, |(status, _)| status), &render(&page)?))
}

/// There is one answer to it, which the person gives: so nothing is decided by opening an address.
async fn nothing_page(
    provider: &Provider,
    interaction: &Interaction,
    payer: Known,
) -> Result<HttpResponse, PageRefusal> {
    let profile = people::profile(provider, payer.user_id()).await?.ok_or(PageRefusal::Interaction)?;
    let page = NothingPage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::APPROVE),
        csrf: &interaction.csrf(),
        name: &profile.name,
    };
    Ok(html(200, &render(&page)?))
}
