//! Health: what the routes `GET /health/live` and `GET /health/ready` of the internal listener answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::web;
use schemars::JsonSchema;
use serde::Serialize;
use storage::Pool;

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

/// What "ready" means for this process.
pub struct Readiness {
    draining: AtomicBool,
    database: Option<Database>,
    check: Option<Check>,
    leans_on: LeansOn,
}

/// The pool, and the version that the database must have.
pub(crate) struct Database {
    pub(crate) pool: Pool,
    pub(crate) version: Option<String>,
}

impl Readiness {
    pub(crate) fn new(database: Option<Database>, check: Option<Check>, leans_on: LeansOn) -> Self {
        Self { draining: AtomicBool::new(false), database, check, leans_on }
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
        if let Some(Database { pool, version }) = &self.database {
            let asked = match version {
                Some(version) => storage::ready(pool, version).await,
                None => storage::ping(pool).await,
            };
            asked.map_err(|error| error.to_string())?;
        }
        if let Some(check) = &self.check {
            check().await?;
        }
        self.leans_on.away()
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

/// `GET /health/ready`: it can do its work, or as much of it as goes on without what is `missing` ([`LeansOn`]). The refusal says in one sentence what it
/// cannot do without.
pub async fn ready(readiness: web::Data<Readiness>) -> Result<web::Json<Health>, Refusal> {
    let reason = match tokio::time::timeout(Duration::from_secs(3), readiness.ready()).await {
        Ok(Ok(missing)) => {
            let status = if missing.is_empty() { "ready" } else { "degraded" };
            return Ok(web::Json(Health { status, missing }));
        }
        Ok(Err(reason)) => reason,
        Err(_) => "the readiness check takes too long".to_owned(),
    };
    Err(Refusal::unrecorded(Problem::busy(1).detail(reason)))
}
