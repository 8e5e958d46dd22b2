//! `/code`.

use actix_web::{HttpResponse, web};
use defense::Public;

use super::login::{come_back_in, goes_on, too_many};
use super::{factor, interaction, policy_of, shown, submitted, wrong};
use crate::authorizations::{Authenticated, Interaction, Known};
use crate::error::PageRefusal;
use crate::forms::{CodeForm, PageAddress};
use crate::http::{Page, Submitted, Visit, html_under, page, see_other};
use crate::ids::UserId;
use crate::pages::{CodePage, Complaint, render};
use crate::paths;
use crate::people::{self, LoggedIn};
use crate::provider::Provider;
use crate::second_factors::{About, Asked, Verdict, verify};

/// Public: the interaction says whose second factor is still to come; nobody is sent to the login.
pub async fn get_code(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async {
        let interaction = interaction(&provider, &visit.request).await?;
        match awaited(&interaction) {
            Some(user_id) => code_page(&provider, &interaction, user_id, 200, None).await,
            None => Ok(see_other(&interaction.handle.page(interaction.next()), &[])),
        }
    })
    .await
}

/// Public: the form is bound to the browser's interaction.
pub async fn post_code(_: Public, provider: web::Data<Provider>, mut sent: Submitted<CodeForm>) -> Page {
    page(async {
        let (interaction, form) = submitted(&provider, &mut sent).await?;
        let Some(user_id) = awaited(&interaction) else {
            return Ok(see_other(&interaction.handle.page(interaction.next()), &[]));
        };
        interaction.attempt(&provider).await?;
        let now = provider.clock.unix();
        let device = interaction.known_device(&provider, Some(user_id)).await?;
        let asked = Asked { interaction: interaction.digest(), user: user_id, about: About::LogIn };
        let shown = shown(&form);
        match verify(&provider, &asked, device, &shown, interaction.place.as_ref(), now).await? {
            Verdict::Right(second, factor_since) => {
                let person = Authenticated { user_id, at: now, second: Some(second), factor_since };
                let logs_in = LoggedIn { at: now, known_device: interaction.is_known_way(device) };
                let cookie = people::advance(&provider, &interaction, person, Some(logs_in)).await?;
                let client_id = interaction.client.id.as_str();
                runtime::audit!("logged_in", outcome = "ok", subject = %user_id, client_id, second = second.as_ref());
                Ok(goes_on(&interaction, interaction.next_of(&Known::Authenticated(person)), &cookie))
            }
            Verdict::Wrong => code_page(&provider, &interaction, user_id, 422, Some(wrong(&shown))).await,
            Verdict::Blocked(seconds) => {
                let message = too_many(seconds);
                let complaint = Complaint { text: &message, wrong: &[], focus: "code" };
                Ok(come_back_in(seconds, code_page(&provider, &interaction, user_id, 429, Some(complaint)).await?))
            }
        }
    })
    .await
}

/// Whose second factor is asked for here.
fn awaited(interaction: &Interaction) -> Option<UserId> {
    match interaction.known {
        Some(Known::Awaiting(user_id)) if interaction.next() == paths::CODE => Some(user_id),
        _ => None,
    }
}

async fn code_page(
    provider: &Provider,
    interaction: &Interaction,
    user_id: UserId,
    status: u16,
    error: Option<Complaint<'_>>,
) -> Result<HttpResponse, PageRefusal> {
    let factor = factor(provider, interaction, user_id, About::LogIn).await?;
    let page = CodePage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::CODE),
        other: &interaction.handle.page(paths::LOGIN),
        csrf: &interaction.csrf(),
        factor: &factor,
        error,
    };
    Ok(html_under(policy_of(Some(&factor)), status, &render(&page)?))
}
