//! `/code`.

use actix_web::{HttpResponse, web};
use defense::Public;

use super::login::{come_back_in, goes_on, too_many, typed};
use super::{WRONG_CODE, interaction, submitted};
use crate::authorizations::{Authenticated, Interaction, Known};
use crate::error::PageRefusal;
use crate::forms::{CodeForm, PageAddress};
use crate::http::{Page, Submitted, Visit, html, page, see_other};
use crate::pages::{CodePage, Complaint, render};
use crate::paths;
use crate::people;
use crate::provider::Provider;
use crate::second_factors::{Verdict, verify};

/// Public: the interaction says whose second factor is still to come; nobody is sent to the login.
pub async fn get_code(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async {
        let interaction = interaction(&provider, &visit.request).await?;
        if interaction.next() != paths::CODE {
            return Ok(see_other(&interaction.handle.page(interaction.next()), &[]));
        }
        code_page(&interaction, 200, None)
    })
    .await
}

/// Public: the form is bound to the browser's interaction.
pub async fn post_code(_: Public, provider: web::Data<Provider>, mut sent: Submitted<CodeForm>) -> Page {
    page(async {
        let (interaction, form) = submitted(&provider, &mut sent).await?;
        let user_id = match interaction.known {
            Some(Known::Awaiting(user_id)) if interaction.next() == paths::CODE => user_id,
            _ => return Ok(see_other(&interaction.handle.page(interaction.next()), &[])),
        };
        interaction.attempt(&provider).await?;
        let now = provider.clock.unix();
        let device = interaction.known_device(&provider, Some(user_id)).await?;
        match verify(&provider, user_id, device, typed(&form, "code"), now).await? {
            Verdict::Right(second) => {
                let person = Authenticated { user_id, at: now, second: Some(second) };
                let cookie = people::advance(&provider, &interaction, person).await?;
                let client_id = interaction.client.id.as_str();
                runtime::audit!("logged_in", outcome = "ok", subject = %user_id, client_id, second = second.as_ref());
                Ok(goes_on(&interaction, interaction.next_of(&Known::Authenticated(person)), &cookie))
            }
            Verdict::Wrong => {
                code_page(&interaction, 422, Some(Complaint { text: WRONG_CODE, wrong: &["code"], focus: "code" }))
            }
            Verdict::Blocked(seconds) => {
                let message = too_many(seconds);
                let complaint = Complaint { text: &message, wrong: &[], focus: "code" };
                Ok(come_back_in(seconds, code_page(&interaction, 429, Some(complaint))?))
            }
        }
    })
    .await
}

fn code_page(
    interaction: &Interaction,
    status: u16,
    error: Option<Complaint<'_>>,
) -> Result<HttpResponse, PageRefusal> {
    let page = CodePage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::CODE),
        csrf: &interaction.csrf(),
        error,
    };
    Ok(html(status, &render(&page)?))
}
