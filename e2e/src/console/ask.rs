//! Questions to those who run: each has a deadline, and one that is not answered is answered by why.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::internal::Invariants;
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use super::{Console, edge};
use crate::receipt::{self, Receipt};
use crate::stack::Service;
use crate::trace::{Begun, Span};

/// How long anybody may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The ledger counts for up to three seconds, and then says how far it has come.
const COUNTING: Duration = Duration::from_secs(5);
/// Bytes of an answer: a trace of the collector's most spans is smaller.
const LARGEST: usize = 16 * 1024 * 1024;

/// What a service says of itself.
pub(super) struct Health {
    pub(super) name: String,
    /// Its public one, if it has any.
    pub(super) url: Option<String>,
    /// `ready`, `degraded`, `not ready`, `no answer`.
    pub(super) word: &'static str,
    /// What it waits for or goes on without, or why there is no answer.
    pub(super) notes: Vec<String>,
}

/// A trace in a list.
#[derive(Deserialize)]
pub(super) struct Summary {
    pub(super) trace_id: String,
    pub(super) name: String,
    pub(super) start_ns: u64,
    pub(super) length_ns: u64,
    /// Of all its answers, each once.
    pub(super) statuses: Vec<String>,
    pub(super) error: bool,
    pub(super) spans: usize,
    pub(super) services: Vec<String>,
}

/// What spans know of requests, by their ids.
pub(super) type Attributes = BTreeMap<String, Map<String, Value>>;

#[derive(Deserialize)]
struct Ready {
    status: String,
    #[serde(default)]
    missing: Vec<String>,
}

#[derive(Deserialize)]
struct Problem {
    title: String,
    detail: Option<String>,
}

impl Console {
    /// Of each service, all asked at once.
    pub(super) async fn health(&self) -> Vec<Health> {
        let asking = |service: &Service| {
            let (service, operator) = (service.clone(), self.operator.clone());
            tokio::spawn(async move {
                health(&service, operator.get(format!("{}/health/ready", service.internal_url))).await
            })
        };
        let asked: Vec<_> = self.stack.services.iter().map(asking).collect();
        let mut all = Vec::new();
        for (service, asked) in self.stack.services.iter().zip(asked) {
            all.push(asked.await.unwrap_or_else(|lost| said(service, "no answer", vec![lost.to_string()])));
        }
        all
    }

    pub(super) async fn invariants(&self) -> Result<Invariants, String> {
        let asking = self.operator.get(format!("{}/internal/v1/invariants", self.stack.ledger_internal_url));
        of_json(within(COUNTING, asking).await?)
    }

    pub(super) async fn spans_of_requests(&self) -> Result<Attributes, String> {
        json(self.plain.get(format!("{}/requests", self.stack.collector_url))).await
    }

    pub(super) async fn search(&self, search: &[(&str, &str)]) -> Result<Vec<Summary>, String> {
        let url = Url::parse_with_params(&format!("{}/traces", self.stack.collector_url), search);
        json(self.plain.get(url.map_err(|error| error.to_string())?)).await
    }

    pub(super) async fn spans(&self, trace_id: &str) -> Result<Vec<Span>, String> {
        json(self.plain.get(format!("{}/traces/{trace_id}", self.stack.collector_url))).await
    }

    /// The service's signed word on a request; none, if it keeps none.
    pub(super) async fn receipt(&self, service: &str, request_id: &str) -> Result<Option<Receipt>, String> {
        // What the edge refused, no service has seen.
        if service == edge::NAME {
            return Ok(None);
        }
        let known = self.stack.services.iter().find(|known| known.name == service);
        let known = known.ok_or_else(|| format!("there is no service {service}"))?;
        let url = format!("{}{}{request_id}", known.internal_url, receipt::PATH);
        let asking = self.operator.get(url).header("traceparent", Begun::now().traceparent());
        match within(PATIENCE, asking).await? {
            (404, _) => Ok(None),
            (200, body) => {
                let jws = String::from_utf8_lossy(&body);
                let read = receipt::verified(service, &self.pki, request_id, &jws);
                read.map(Some).map_err(|error| format!("{error:#}"))
            }
            (status, body) => Err(refused(status, &body)),
        }
    }
}

async fn health(service: &Service, asking: RequestBuilder) -> Health {
    match within(PATIENCE, asking).await {
        Ok((200, body)) => match serde_json::from_slice::<Ready>(&body) {
            Ok(ready) if ready.status == "ready" => said(service, "ready", ready.missing),
            Ok(ready) if ready.status == "degraded" => said(service, "degraded", ready.missing),
            Ok(other) => said(service, "not ready", vec![other.status]),
            Err(error) => said(service, "no answer", vec![format!("its answer cannot be read: {error}")]),
        },
        Ok((status, body)) => said(service, "not ready", vec![refused(status, &body)]),
        Err(cause) => said(service, "no answer", vec![cause]),
    }
}

fn said(service: &Service, word: &'static str, notes: Vec<String>) -> Health {
    Health { name: service.name.clone(), url: service.public_url.clone(), word, notes }
}

fn refused(status: u16, body: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(body) {
        Ok(Problem { title, detail: None }) => format!("{status}: {title}"),
        Ok(Problem { detail: Some(detail), .. }) => format!("{status}: {detail}"),
        Err(error) => format!("{status}, with an answer that cannot be read ({error})"),
    }
}

async fn json<T: DeserializeOwned>(asking: RequestBuilder) -> Result<T, String> {
    of_json(within(PATIENCE, asking).await?)
}

fn of_json<T: DeserializeOwned>(answer: (u16, Vec<u8>)) -> Result<T, String> {
    match answer {
        (200, body) => serde_json::from_slice(&body).map_err(|error| format!("its answer cannot be read: {error}")),
        (status, body) => Err(refused(status, &body)),
    }
}

/// Status and body, in time.
async fn within(patience: Duration, asking: RequestBuilder) -> Result<(u16, Vec<u8>), String> {
    let answer = tokio::time::timeout(patience, read(asking)).await;
    let answer = answer.map_err(|_elapsed| format!("no answer within {} s", patience.as_secs()))?;
    answer.map_err(|error| format!("{error:#}"))
}

async fn read(asking: RequestBuilder) -> Result<(u16, Vec<u8>)> {
    let mut answer = asking.send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.context("in the middle of the answer")? {
        ensure!(body.len() + chunk.len() <= LARGEST, "an answer of more than {LARGEST} bytes");
        body.extend_from_slice(&chunk);
    }
    Ok((answer.status().as_u16(), body))
}
