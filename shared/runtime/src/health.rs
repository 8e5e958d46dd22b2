//! Health: what the routes `GET /health/live` and `GET /health/ready` of the internal listener answer.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::web;
use schemars::JsonSchema;
use serde::Serialize;
use storage::Pool;
use tokio::time::{Instant, timeout_at};

use crate::{Problem, Refusal};

/// A service's own readiness check; the error says in one sentence what is missing.
pub type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// Something beside the database without which some of the routes do not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    There,
    /// It was there since this process began, and is away now, for this reason.
    Away(String),
    /// It has not been there since this process began, for this reason.
    NeverThere(String),
}

/// Says how it stands.
type Ask = Box<dyn Fn() -> Standing + Send + Sync>;

/// All that a service leans on in this way. Cheap to clone.
///
/// What is away now is away for all processes of the service alike, or will be in a moment: to take them out of rotation would end also what goes on
/// without it, and help nobody. So the process stays ready and says that it is degraded, with the cause, and each route answers for itself. A process that
/// has never reached it is another matter: its configuration is wrong, or its network, and it must not take the place of one that has.
#[derive(Clone, Default)]
pub struct LeansOn(Arc<Mutex<Vec<Ask>>>);

impl LeansOn {
    /// Adds one.
    pub fn add(&self, ask: impl Fn() -> Standing + Send + Sync + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(ask));
    }

    /// What is away; an error, if one was never there.
    fn away(&self) -> Result<Vec<String>, String> {
        let mut away = Vec::new();
        for ask in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            match ask() {
                Standing::There => (),
                Standing::Away(why) => away.push(why),
                Standing::NeverThere(why) => return Err(why),
            }
        }
        Ok(away)
    }
}

/// How long all that is asked may take together.
const PATIENCE: Duration = Duration::from_secs(3);

/// A service's own readiness check, and what it asks.
#[derive(Clone)]
pub struct Named {
    /// What is asked, as it is named to people, e.g. `the database, as the poster`.
    pub what: &'static str,
    /// Asks it.
    pub check: Check,
}

/// What "ready" means for this process.
pub struct Readiness {
    draining: AtomicBool,
    database: Option<Database>,
    check: Option<Named>,
    leans_on: LeansOn,
    /// Why each of those that are asked was not there, the last time that it said so.
    causes: Mutex<HashMap<&'static str, String>>,
}

/// The pool, and the version that the database must have.
pub(crate) struct Database {
    pub(crate) pool: Pool,
    pub(crate) version: Option<String>,
}

impl Readiness {
    pub(crate) fn new(database: Option<Database>, check: Option<Named>, leans_on: LeansOn) -> Self {
        Self { draining: AtomicBool::new(false), database, check, leans_on, causes: Mutex::default() }
    }

    /// From now on this process wants no new requests.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// What is away without which it goes on; an error says what it cannot do without.
    async fn ready(&self) -> Result<Vec<String>, String> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("the process is stopping".to_owned());
        }
        let deadline = Instant::now() + PATIENCE;
        if let Some(Database { pool, version }) = &self.database {
            let asking = async {
                let asked = match version {
                    Some(version) => storage::ready(pool, version).await,
                    None => storage::ping(pool).await,
                };
                asked.map_err(|error| error.to_string())
            };
            self.ask("the database", deadline, asking).await?;
        }
        if let Some(Named { what, check }) = &self.check {
            self.ask(what, deadline, check()).await?;
        }
        self.leans_on.away()
    }

    /// One that it cannot do without. The error names it, with its cause; of one that says nothing in time, the cause is what it said last.
    async fn ask(
        &self,
        what: &'static str,
        deadline: Instant,
        asking: impl Future<Output = Result<(), String>>,
    ) -> Result<(), String> {
        let answer = timeout_at(deadline, asking).await;
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(Ok(())) => {
                causes.remove(what);
                Ok(())
            }
            Ok(Err(cause)) => {
                causes.insert(what, cause.clone());
                Err(format!("{what}: {cause}"))
            }
            Err(_elapsed) => {
                // Default: it has never said anything.
                let before = causes.get(what).map_or_else(String::new, |cause| format!("; before that: {cause}"));
                Err(format!("{what}: no answer in time{before}"))
            }
        }
    }
}

/// What a process says of itself.
#[derive(Serialize, JsonSchema)]
pub struct Health {
    /// `live`; of its readiness `ready`, or `degraded` while it goes on without what is missing.
    status: &'static str,
    /// What is away, in one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

/// `GET /health/live`: the process runs.
pub fn live() -> web::Json<Health> {
    web::Json(Health { status: "live", missing: Vec::new() })
}

/// `GET /health/ready`: it can do its work, or as much of it as goes on without what is `missing` ([`LeansOn`]). The refusal names what it
/// cannot do without and why that is not there.
pub async fn ready(readiness: web::Data<Readiness>) -> Result<web::Json<Health>, Refusal> {
    match readiness.ready().await {
        Ok(missing) => {
            let status = if missing.is_empty() { "ready" } else { "degraded" };
            Ok(web::Json(Health { status, missing }))
        }
        Err(reason) => Err(Refusal::unrecorded(Problem::busy(1).detail(reason))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_waited_for_is_named_and_one_that_falls_silent_with_its_last_cause() {
        let readiness = Readiness::new(None, None, LeansOn::default());
        let soon = || Instant::now() + Duration::from_millis(20);
        let silent = || std::future::pending::<Result<(), String>>();
        let refused = async { Err("connection refused".to_owned()) };
        let late = Instant::now() + Duration::from_mins(1);
        assert_eq!(readiness.ask("the keys", soon(), silent()).await, Err("the keys: no answer in time".to_owned()));
        assert_eq!(readiness.ask("the keys", late, refused).await, Err("the keys: connection refused".to_owned()));
        let told = readiness.ask("the keys", soon(), silent()).await;
        assert_eq!(told, Err("the keys: no answer in time; before that: connection refused".to_owned()));
        // Another one's cause is no answer, nor is one of before it was there.
        let other = readiness.ask("the database", soon(), silent()).await;
        assert_eq!(other, Err("the database: no answer in time".to_owned()));
        assert_eq!(readiness.ask("the keys", late, async { Ok(()) }).await, Ok(()));
        assert_eq!(readiness.ask("the keys", soon(), silent()).await, Err("the keys: no answer in time".to_owned()));
    }
}
