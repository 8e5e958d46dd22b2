//! `/second-factor`: what a person has beside the password; and where an app is set up.
//!
//! It is reached from a sign-in, because there is no session beyond that. What changes anything asks for a login of the last five minutes, or for the password.

use actix_web::{HttpResponse, web};
use api::Id;
use crypto::SecretString;
use defense::Public;

use super::login::{come_back_in, password, too_many, typed};
use super::{WRONG_CODE, interaction, submitted};
use crate::authorizations::{Authenticated, Interaction};
use crate::error::PageRefusal;
use crate::form::Parameters;
use crate::forms::{EnrollForm, PageAddress, SecondFactorForm};
use crate::http::{Page, SetCookie, Submitted, Visit, html, page, see_other, with_cookie};
use crate::ids::PasskeyId;
use crate::pages::{Complaint, EnrollPage, RecoveryCodesPage, SecondFactorPage, Sure, SurePage, TICKED, render};
use crate::paths;
use crate::people::{self, Confirmed, confirm, is_fresh};
use crate::provider::Provider;
use crate::second_factors::{self, Enrolled, Enrolling, MOST, Proposed, SecondFactor, State, enroll};

const WRONG_PASSWORD: Complaint<'_> =
    Complaint { text: "The password is not right.", wrong: &["password"], focus: "password" };

/// Public: the interaction says who is logged in; nobody is sent to the login.
pub async fn get_second_factor(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async {
        let interaction = interaction(&provider, &visit.request).await?;
        match person(&interaction) {
            Some(person) => list_page(&provider, &interaction, person).await,
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
        let change = Change::of(&form).ok_or(PageRefusal::Form)?;
        if person.second.is_none() {
            // Whoever has an app has set it up since this login, and somebody else may sit here.
            return Err(PageRefusal::SecondFactorMissing);
        }
        if form.get("sure") != Some(TICKED) {
            return sure_page(&provider, &interaction, person, change, None).await;
        }
        if let Some(said) = still_to_confirm(&provider, &interaction, person, &form).await? {
            return said
                .page(async |status, error| {
                    sure_page(&provider, &interaction, person, change, Some((status, error))).await
                })
                .await;
        }
        let (list, here) = (interaction.handle.page(paths::SECOND_FACTOR), interaction.digest());
        let codes = match change {
            Change::Renew => second_factors::renew(&provider, here, person.user_id).await?,
            Change::RemoveApp => {
                second_factors::remove(&provider, here, person.user_id).await?;
                None
            }
            Change::RemovePasskey(id) => {
                second_factors::remove_passkey(&provider, here, person.user_id, id).await?;
                None
            }
        };
        match codes {
            Some(codes) => codes_page(&list, &codes),
            None => Ok(see_other(&list, &[])),
        }
    })
    .await
}

/// What shall become of what there is.
#[derive(Clone, Copy)]
enum Change {
    Renew,
    RemoveApp,
    RemovePasskey(PasskeyId),
}

impl Change {
    /// One of them, and one only.
    fn of(form: &Parameters) -> Option<Self> {
        match (form.get("decision"), form.get("passkey")) {
            (Some("renew"), None) => Some(Self::Renew),
            (Some("remove"), None) => Some(Self::RemoveApp),
            (None, Some(id)) => id.parse::<Id>().ok().map(|id| Self::RemovePasskey(id.uuid().into())),
            _ => None,
        }
    }

    /// What a person is asked before it happens; nothing where it cannot.
    fn asked_of(self, state: &State) -> Option<Sure> {
        let of = |name, value: &str, removes| Sure { name, value: value.to_owned(), removes, last: state.count() == 1 };
        match self {
            Self::Renew => Some(of("decision", "renew", None)),
            Self::RemoveApp => state.app.map(|_| of("decision", "remove", Some("the authenticator app".to_owned()))),
            Self::RemovePasskey(id) => {
                let passkey = state.passkeys.iter().find(|passkey| passkey.id == id)?;
                Some(of("passkey", &id.to_string(), Some(format!("the passkey {}", passkey.name))))
            }
        }
    }
}

/// Public: the interaction says who is logged in; nobody is sent to the login.
pub async fn get_enroll(_: Public, provider: web::Data<Provider>, visit: Visit<PageAddress>) -> Page {
    page(async {
        let interaction = interaction(&provider, &visit.request).await?;
        let Some(person) = person(&interaction) else { return Ok(goes_on(&interaction)) };
        let state = second_factors::state(&provider, person.user_id).await?;
        if state.is_some_and(|state| state.app.is_some()) {
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
        not_since(&provider, person).await?;
        let known_device = interaction.known_device(&provider, Some(person.user_id)).await?;
        let code = typed(&form, "code");
        let (here, user) = (interaction.digest(), person.user_id);
        let proposed = Proposed { interaction: here, user, shown: person.second, known_device, typed: code };
        match enroll(&provider, &enrolling, &proposed, provider.clock.unix()).await? {
            Enrolled::Done(codes) => added(&provider, &interaction, person, SecondFactor::Otp, codes).await,
            Enrolled::SecondFactorMissing => Err(PageRefusal::SecondFactorMissing),
            Enrolled::Wrong => again(422, Complaint { text: WRONG_CODE, wrong: &["code"], focus: "code" }).await,
            Enrolled::Blocked(seconds) => Unconfirmed::Blocked(seconds).page(again).await,
            Enrolled::Taken => Ok(see_other(&list, &[])),
            Enrolled::Ended => Err(PageRefusal::Interaction),
        }
    })
    .await
}

/// Refuses whoever has logged in without a second factor and has one since: somebody else may sit here. It is looked at again where it is written down.
pub(super) async fn not_since(provider: &Provider, person: Authenticated) -> Result<(), PageRefusal> {
    if person.second.is_none() && second_factors::state(provider, person.user_id).await?.is_some() {
        return Err(PageRefusal::SecondFactorMissing);
    }
    Ok(())
}

/// What follows on a new second factor. It has just been shown, so whoever has logged in without one goes on with it.
pub(super) async fn added(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    shown: SecondFactor,
    codes: Option<Vec<SecretString>>,
) -> Result<HttpResponse, PageRefusal> {
    // Whoever came in with an older one has shown that, too.
    let factor_since = person.factor_since.or_else(|| Some(provider.clock.unix()));
    let person = Authenticated { second: Some(shown), factor_since, ..person };
    let cookie = people::advance(provider, interaction, person, None).await?;
    let (list, keep) = (interaction.handle.page(paths::SECOND_FACTOR), SetCookie::Keep(&interaction.handle, &cookie));
    match codes {
        Some(codes) => with_cookie(codes_page(&list, &codes)?, keep),
        None => Ok(see_other(&list, &[keep])),
    }
}

/// Why nothing is changed yet.
pub(super) enum Unconfirmed {
    Wrong,
    Blocked(i64),
}

impl Unconfirmed {
    /// The page again, that says so.
    pub(super) async fn page(
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
pub(super) async fn still_to_confirm(
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
pub(super) fn person(interaction: &Interaction) -> Option<Authenticated> {
    interaction.authenticated().filter(|_| interaction.request.payment.is_none())
}

pub(super) fn goes_on(interaction: &Interaction) -> HttpResponse {
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
) -> Result<HttpResponse, PageRefusal> {
    let state = second_factors::state(provider, person.user_id).await?;
    let full = state.as_ref().is_some_and(|state| state.passkeys.len() >= MOST);
    let add = (!full).then(|| interaction.handle.page(paths::PASSKEY));
    let has_app = state.as_ref().is_some_and(|state| state.app.is_some());
    let enroll = (!has_app).then(|| interaction.handle.page(paths::ENROLL));
    let page = SecondFactorPage {
        client: &interaction.client.name,
        action: &interaction.handle.page(paths::SECOND_FACTOR),
        enroll: enroll.as_deref(),
        add: add.as_deref(),
        back: &interaction.handle.page(interaction.next()),
        csrf: &interaction.csrf(),
        has: state.as_ref(),
    };
    Ok(html(200, &render(&page)?))
}

/// Asks once more, and for the password where the login is not new. What is not there any more leads back to what is.
async fn sure_page(
    provider: &Provider,
    interaction: &Interaction,
    person: Authenticated,
    change: Change,
    error: Option<(u16, Complaint<'_>)>,
) -> Result<HttpResponse, PageRefusal> {
    let list = interaction.handle.page(paths::SECOND_FACTOR);
    let state = second_factors::state(provider, person.user_id).await?;
    let Some(asked) = state.as_ref().and_then(|state| change.asked_of(state)) else { return Ok(see_other(&list, &[])) };
    let page = SurePage {
        action: &list,
        csrf: &interaction.csrf(),
        asked: &asked,
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
