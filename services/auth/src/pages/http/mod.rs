//! The handlers of all pages, the files that they load, and what every page that belongs to an interaction begins with.

pub mod approve;
pub mod assets;
pub mod authorize;
pub mod captcha;
pub mod code;
pub mod consent;
pub mod login;
pub mod second_factor;

use actix_web::{HttpRequest, HttpResponse};
use runtime::Cookies;
use url::Url;

use crate::authorizations::Interaction;
use crate::error::PageRefusal;
use crate::form::Parameters;
use crate::forms::{Form, PageAddress};
use crate::http::{Submitted, from_our_page, onward, query};
use crate::pages::OnwardPage;
use crate::provider::Provider;

/// Which of the two, we do not say.
const WRONG_CODE: &str = "This code is not right, or it has been used. Wait for the next one; and see that your phone sets its time by itself.";

/// The interaction that a page's address and the browser's cookie name.
async fn interaction(provider: &Provider, request: &HttpRequest) -> Result<Interaction, PageRefusal> {
    Interaction::load(provider, &query::<PageAddress>(request)?, &Cookies::of(request)?, provider.clock.unix()).await
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
