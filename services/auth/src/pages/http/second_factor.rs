//! `/second-factor`: what a person has beside the password; and where an app is set up.
//!
//! It is reached from a sign-in, because there is no session beyond that. What changes anything asks for a login of the last five minutes, or for the password.

use actix_web::{HttpResponse, web};
use crypto::SecretString;
use defense::Public;

use super::login::{come_back_in, password, too_many, typed};
use super::{WRONG_CODE, interaction, submitted};
use crate::authorizations::{Authenticated, Interaction};
use crate::error::PageRefusal;
use crate::form::Parameters;
use crate::forms::{EnrollForm, PageAddress, SecondFactorForm};
use crate::http::{Page, SetCookie, Submitted, Visit, html, page, see_other, with_cookie};
use crate::pages::{Complaint, EnrollPage, RecoveryCodesPage, SecondFactorPage, render};
use crate::paths;
use crate::people::{self, Confirmed, confirm, is_fresh};
use crate::provider::Provider;
use crate::second_factors::{self, Enrolled, Enrolling, SecondFactor, enroll};

const WRONG_PASSWORD: Complaint<'_> =
    Complaint { text: "The password is not right.", wrong: &["password"], focus: "password" };

/// Public: the interaction says who is logged in; nobody is sent to the login.
pub async fn get_second_factor(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async {
        let interaction = interaction(&provider, &visit.request).await?;
        match person(&interaction) {
            Some(person) => list_page(&provider, &interaction, person, None).await,
            None => Ok(goes_on(&interaction)),
        }
    })
    .await
}

/// Public: the form is bound to the browser's authenticated interaction.
pub async fn post_second_factor(
    _: Public,
    provider: web::Data<Provider>,
    mut sent: Submitted<SecondFactorForm>,
) -> Page {
    page(async {
        let (interaction, form) = submitted(&provider, &mut sent).await?;
        let Some(person) = person(&interaction) else { return Ok(goes_on(&interaction)) };
        let decision = form.get("decision").filter(|decision| ["renew", "remove"].contains(decision));
        let decision = decision.ok_or(PageRefusal::Form)?;
        if person.second.is_none() {
            // Whoever has an app has set it up since this login, and somebody else may sit here.
            return Err(PageRefusal::SecondFactorMissing);
        }
        if let Some(said) = still_to_confirm(&provider, &interaction, person, &form).await? {
            return said
                .page(async |status, error| list_page(&provider, &interaction, person, Some((status, error))).await)
                .await;
        }
        let list = interaction.handle.page(paths::SECOND_FACTOR);
        if decision == "remove" {
            second_factors::remove(&provider, person.user_id).await?;
            return Ok(see_other(&list, &[]));
        }
        match second_factors::renew(&provider, person.user_id).await? {
            Some(codes) => codes_page(&list, &codes),
            None => Ok(see_other(&list, &[])),
        }
    })
    .await
}

/// Public: the interaction says who is logged in; nobody is sent to the login.
pub async fn get_enroll(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async {
        let interaction = interaction(&provider, &visit.request).await?;
        let Some(person) = person(&interaction) else { return Ok(goes_on(&interaction)) };
        if second_factors::state(&provider, person.user_id).await?.is_some() {
            return Ok(see_other(&interaction.handle.page(paths::SECOND_FACTOR), &[]));
        }
        let enrolling = match &interaction.enrolling {
            // Whoever loads it again may have let their app read it before.
            Some(sealed) => Enrolling::open(&provider, interaction.digest(), sealed)?,
            None => begin(&provider, &interaction).await?,
        };
        enroll_page(&provider, &interaction, person, &enrolling, None).await
    })
    .await
}

/// Public: the form is bound to the browser's authenticated interaction.
pub async fn post_enroll(_: Public, provider: web::Data<Provider>, mut sent: Submitted<EnrollForm>) -> Page {
    page(async {
        let (interaction, form) = submitted(&provider, &mut sent).await?;
        let Some(person) = person(&interaction) else { return Ok(goes_on(&interaction)) };
        let Some(sealed) = &interaction.enrolling else {
            return Ok(see_other(&interaction.handle.page(paths::ENROLL), &[]));
        };
        let enrolling = Enrolling::open(&provider, interaction.digest(), sealed)?;
        let again = async |status, error: Complaint<'_>| {
            enroll_page(&provider, &interaction, person, &enrolling, Some((status, error))).await
        };
        if let Some(said) = still_to_confirm(&provider, &interaction, person, &form).await? {
            return said.page(again).await;
        }
        let list = interaction.handle.page(paths::SECOND_FACTOR);
        if person.second.is_none() && second_factors::state(&provider, person.user_id).await?.is_some() {
            // Set up since this login, and somebody else may sit here.
            return Err(PageRefusal::SecondFactorMissing);
        }
        let (user, now) = (person.user_id, provider.clock.unix());
        let device = interaction.known_device(&provider, Some(user)).await?;
        match enroll(&provider, &enrolling, user, device, typed(&form, "code"), now).await? {
            Enrolled::Done(codes) => {
                // It has just been shown, so whoever has logged in without it goes on with it.
                let person = Authenticated { second: Some(SecondFactor::Otp), ..person };
                let cookie = people::advance(&provider, &interaction, person).await?;
                with_cookie(codes_page(&list, &codes)?, SetCookie::Keep(&interaction.handle, &cookie))
            }
            Enrolled::Wrong => again(422, Complaint { text: WRONG_CODE, wrong: &["code"], focus: "code" }).await,
            Enrolled::Blocked(seconds) => Unconfirmed::Blocked(seconds).page(again).await,
            Enrolled::Taken => Ok(see_other(&list, &[])),
        }
    })
    .await
}

/// Why nothing is changed yet.
enum Unconfirmed {
    Wrong,
    Blocked(i64),
}

impl Unconfirmed {
    /// The page again, that says so.
    async fn page(
        self,
        again: impl AsyncFnOnce(u16, Complaint<'_>) -> Result<HttpResponse, PageRefusal>,
    ) -> Result<HttpResponse, PageRefusal> {
        match self {
            Self::Wrong => again(422, WRONG_PASSWORD).await,
            Self::Blocked(seconds) => {
                let message = too_many(seconds);
                let complaint = Complaint { text: &message, wrong: &[], focus: "" };
                Ok(come_back_in(seconds, again(429, complaint).await?))
            }
        }
    }
}

/// Whether the login is too old to change anything, and the password in the form is not right.
async fn still_to_confirm(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    form: &Parameters,
) -> Result<Option<Unconfirmed>, PageRefusal> {
    interaction.attempt(provider).await?;
    Ok(match confirm(provider, interaction, person, &password(form), provider.clock.unix()).await? {
        Confirmed::Yes => None,
        Confirmed::Wrong => Some(Unconfirmed::Wrong),
        Confirmed::Blocked(seconds) => Some(Unconfirmed::Blocked(seconds)),
    })
}

/// Who has logged in here. Not to pay: what a payment is approved with is not set up on the way.
fn person(interaction: &Interaction) -> Option<Authenticated> {
    interaction.authenticated().filter(|_| interaction.request.payment.is_none())
}

fn goes_on(interaction: &Interaction) -> HttpResponse {
    see_other(&interaction.handle.page(interaction.next()), &[])
}

async fn begin(provider: &Provider, interaction: &Interaction) -> Result<Enrolling, PageRefusal> {
    let (enrolling, sealed) = second_factors::begin(provider, interaction.digest())?;
    if interaction.keep_enrolling(provider, &sealed).await? { Ok(enrolling) } else { Err(PageRefusal::Interaction) }
}

async fn list_page(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    error: Option<(u16, Complaint<'_>)>,
) -> Result<HttpResponse, PageRefusal> {
    let state = second_factors::state(provider, person.user_id).await?;
    let since = state.as_ref().map(|state| state.since.format("%-d %B %Y").to_string());
    let page = SecondFactorPage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::SECOND_FACTOR),
        enroll: &interaction.handle.page(paths::ENROLL),
        back: &interaction.handle.page(interaction.next()),
        csrf: &interaction.csrf(),
        app: since.as_deref().zip(state.as_ref().map(|state| state.codes)),
        password: !is_fresh(person, provider.clock.unix()),
        error: error.map(|(_, complaint)| complaint),
    };
    // Default: nothing is complained of.
    Ok(html(error.map_or(200, |(status, _)| status), &render(&page)?))
}

async fn enroll_page(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    enrolling: &Enrolling,
    error: Option<(u16, Complaint<'_>)>,
) -> Result<HttpResponse, PageRefusal> {
    let profile = people::profile(provider, person.user_id).await?.ok_or(PageRefusal::Interaction)?;
    let page = EnrollPage {
        action: &interaction.handle.page(paths::ENROLL),
        back: &interaction.handle.page(paths::SECOND_FACTOR),
        csrf: &interaction.csrf(),
        secret: &enrolling.text(),
        uri: &enrolling.uri(&profile.email),
        picture: &enrolling.picture(&profile.email)?,
        password: !is_fresh(person, provider.clock.unix()),
        error: error.map(|(_, complaint)| complaint),
    };
    // Default: nothing is complained of.
    Ok(html(error.map_or(200, |(status, _)| status), &render(&page)?))
}

fn codes_page(back: &str, codes: &[SecretString]) -> Result<HttpResponse, PageRefusal> {
    Ok(html(200, &render(&RecoveryCodesPage { codes, back })?))
}
