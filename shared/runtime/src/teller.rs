//! Tells the behavior analytics what has happened: one batch, and what became of it. What there is to tell, and when to tell it again, is whose who has it.

use api::behavior::{EventOutcome, EventResult, EventResults, Events};
use api::problem::code;
use reqwest::Client;

use crate::http;

/// Where they are told.
#[derive(Debug, Clone)]
pub struct Teller {
    client: Client,
    url: String,
}

impl Teller {
    /// `client` shows our certificate and demands behavior's ([`crate::Clients::internal`]); `url` is behavior's internal one.
    pub fn new(client: Client, url: &str) -> Self {
        Self { client, url: format!("{}/internal/v1/events", url.trim_end_matches('/')) }
    }

    /// Tells of these, [`api::behavior::BATCH`] at most. Answers which of them are refused by themselves: to tell of those again is of no use.
    ///
    /// # Errors
    ///
    /// Why not all of them are known to have been taken; they are to be told of again, and each is learned once. What lies ahead of behavior's clock is one of the
    /// reasons: that passes.
    pub async fn tell(&self, events: Events) -> Result<Vec<EventResult>, String> {
        let count = events.events.len();
        let EventResults { results } = self.ask(events).await?;
        if results.len() != count {
            return Err(format!("{} results of {count} events", results.len()));
        }
        if let Some(ahead) = results.iter().find(|result| result.code.as_deref() == Some(code::FROM_FUTURE)) {
            return Err(format!("{} is from the future", ahead.id));
        }
        Ok(results.into_iter().filter(|result| result.outcome == EventOutcome::Refused).collect())
    }

    async fn ask(&self, events: Events) -> Result<EventResults, String> {
        let cause = |error: reqwest::Error| http::cause(&error);
        let response = http::send(self.client.post(&self.url).json(&events)).await.map_err(cause)?;
        let status = response.status();
        if !status.is_success() {
            let said = response.json::<api::Problem>().await.map_err(|error| format!("{status}: {}", cause(error)))?;
            return Err(format!("{status} {}", said.code));
        }
        response.json().await.map_err(cause)
    }
}
