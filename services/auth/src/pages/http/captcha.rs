//! What the layer *captcha* asks of the pages: who tries what, and the page again with a challenge.

use actix_web::{HttpResponse, web};
use defense::Inbound;
use defense::captcha::{Action, Filled, Forms, Widget};
use futures_util::future::LocalBoxFuture;
use runtime::Cookies;

use super::login::{login_page, register_page, typed};
use crate::authorizations::Interaction;
use crate::error::PageRefusal;
use crate::form::{self, Parameters};
use crate::http::from_our_page;
use crate::pages::Complaint;
use crate::paths;
use crate::provider::Provider;

/// Nothing that was typed is wrong, but a password is not given back.
const ASK: Complaint<'_> = Complaint {
    text: "Before you go on, there is a short check below. Please type your password again.",
    wrong: &[],
    focus: "password",
};
const FORBIDDEN: u16 = 403;

/// The forms with which people log in and register.
pub struct LoginForms(web::Data<Provider>);

impl LoginForms {
    pub fn new(provider: web::Data<Provider>) -> Self {
        Self(provider)
    }

    /// What [`super::submitted`] makes of it; none where that refuses, for then nothing is tried.
    async fn submitted(&self, request: &Inbound) -> Result<Option<(Interaction, Parameters)>, &'static str> {
        let content_type = request.headers.get("content-type").and_then(|value| value.to_str().ok());
        if from_our_page(&self.0, &request.headers).is_err() || !content_type.is_some_and(form::is_form) {
            return Ok(None);
        }
        // Default: an address without a query names no interaction.
        let query = request.query.as_deref().unwrap_or_default();
        let (Ok(form), Ok(address), Ok(cookies)) =
            (Parameters::parse(&request.body), Parameters::parse(query.as_bytes()), Cookies::read(&request.headers))
        else {
            return Ok(None);
        };
        match Interaction::load(&self.0, &address, &cookies, request.now).await {
            Ok(interaction) if interaction.check_csrf(&form).is_ok() => Ok(Some((interaction, form))),
            // What cannot be read now may be read when the handler reads it.
            Err(PageRefusal::Unavailable | PageRefusal::Internal) => Err("interaction_unavailable"),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    async fn read(&self, request: &Inbound) -> Result<Option<Filled>, &'static str> {
        let Some((interaction, form)) = self.submitted(request).await? else { return Ok(None) };
        let instance = interaction.jkt.clone().filter(|_| interaction.client.is_attested());
        Ok(Some(Filled {
            action: action(request),
            identifier: self.0.directory.captcha(typed(&form, "email")),
            instance,
            answer: form.get(self.0.captcha.field()).map(str::to_owned),
        }))
    }

    async fn page(&self, request: &Inbound, widget: &Widget) -> Option<HttpResponse> {
        let (interaction, form) = self.submitted(request).await.ok()??;
        let (error, widget) = (Some(ASK), Some(widget));
        let page = match action(request) {
            Action::LogIn => login_page(&interaction, FORBIDDEN, typed(&form, "email"), error, widget),
            Action::Register => register_page(&interaction, FORBIDDEN, &form, error, widget),
        };
        page.ok()
    }
}

/// One path can be spelled in many ways. What is not spelled as our pages spell the one action counts as the other, and not as none.
fn action(request: &Inbound) -> Action {
    if request.path == paths::REGISTER { Action::Register } else { Action::LogIn }
}

impl Forms for LoginForms {
    fn most(&self) -> usize {
        form::LIMIT
    }

    fn read<'a>(&'a self, request: &'a Inbound) -> LocalBoxFuture<'a, Result<Option<Filled>, &'static str>> {
        Box::pin(self.read(request))
    }

    fn page<'a>(&'a self, request: &'a Inbound, widget: &'a Widget) -> LocalBoxFuture<'a, Option<HttpResponse>> {
        Box::pin(self.page(request, widget))
    }
}
