//! Layer *client version*: is this build still let in? An honest app says which one it is, and is told to update before anything else is asked of it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::UPGRADE;
use api::attestation::App;
use api::problem::code;
use api::user_agent;
use futures_util::future::{LocalBoxFuture, ready};
use runtime::Problem;

use crate::apps::{RegisterFile, Standing};
use crate::{Facts, Finding, Inbound, Layer, LayerId, Verdict};

/// Reads `User-Agent` as the SDK writes it. Whether a caller has to be an app at all, its API key says: who has one, has a build.
pub struct ClientVersionLayer {
    register: Arc<RegisterFile>,
}

impl ClientVersionLayer {
    /// For the builds of `register`.
    pub fn new(register: Arc<RegisterFile>) -> Self {
        Self { register }
    }

    fn check(&self, request: &Inbound, facts: &Facts) -> Result<Facts, Verdict> {
        let Some(keyed) = &facts.keyed_app else { return Ok(Facts::default()) };
        let app = request.single("user-agent").and_then(user_agent::parse).ok_or_else(|| unknown("build_not_named"))?;
        if (&app.id, app.platform) != (&keyed.app, keyed.platform) {
            return Err(unknown("key_of_another_app"));
        }
        match self.register.current().standing(&app) {
            Standing::Current => Ok(Facts::default()),
            Standing::Outdated { minimum } => Err(outdated(&app, &minimum)),
            Standing::Unknown => Err(unknown("app_unknown")),
        }
    }
}

fn unknown(reason: &'static str) -> Verdict {
    LayerId::ClientVersion.refuse_client(reason)
}

/// RFC 9110 §15.5.22: what to change to stands in `Upgrade`, as name and version.
fn outdated(app: &App, minimum: &api::Build) -> Verdict {
    let problem = Problem::new(StatusCode::UPGRADE_REQUIRED, code::CLIENT_OUTDATED);
    let problem = problem.header(UPGRADE, &format!("{}/{minimum}", app.id));
    LayerId::ClientVersion.refuse_with("build_outdated", problem)
}

impl Layer for ClientVersionLayer {
    fn id(&self) -> LayerId {
        LayerId::ClientVersion
    }

    fn examine<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(ready(Finding::of(self.check(request, facts))))
    }
}
