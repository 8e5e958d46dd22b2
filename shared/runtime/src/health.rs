//! Health: what the routes `GET /health/live` and `GET /health/ready` of the internal listener answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use storage::Pool;

use crate::{Problem, Refusal};

/// A service's own readiness check; the error says in one sentence what is missing.
pub type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What "ready" means for this process.
pub struct Readiness {
    draining: AtomicBool,
    database: Option<Database>,
    check: Option<Check>,
}

/// The pool, and the version that the database must have.
pub(crate) struct Database {
    pub(crate) pool: Pool,
    pub(crate) version: Option<String>,
}

impl Readiness {
    pub(crate) fn new(database: Option<Database>, check: Option<Check>) -> Self {
        Self { draining: AtomicBool::new(false), database, check }
    }

    /// From now on this process wants no new requests.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    async fn ready(&self) -> Result<(), String> {
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
        match &self.check {
            Some(check) => check().await,
            None => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// `GET /health/live`: the process runs.
pub fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "live" })
}

/// `GET /health/ready`: it can do its work. The refusal says in one sentence what is missing.
pub async fn ready(readiness: web::Data<Readiness>) -> Result<HttpResponse, Refusal> {
    let reason = match tokio::time::timeout(Duration::from_secs(3), readiness.ready()).await {
        Ok(Ok(())) => return Ok(HttpResponse::Ok().json(Health { status: "ready" })),
        Ok(Err(reason)) => reason,
        Err(_) => "the readiness check takes too long".to_owned(),
    };
    Err(Refusal::unrecorded(Problem::busy(1).detail(reason)))
}
