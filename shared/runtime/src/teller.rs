//! Tells the behavior analytics what has happened: one batch, and what became of it. What there is to tell, and when to tell it again, is up to whoever has it.

use std::collections::HashSet;

use api::Id;
use api::behavior::{Event, EventOutcome, EventResult, EventResults, Events};
use api::problem::code;
use reqwest::{Client, StatusCode};

use crate::http;

/// Where they are told.
#[derive(Debug, Clone)]
pub struct Teller {
    client: Client,
    url: String,
}

/// What became of what was told.
#[derive(Debug, Default)]
pub struct Told {
    /// Those that are refused by themselves: to tell of them again is of no use.
    pub refused: Vec<EventResult>,
    /// Those that are not known to have been taken: they are to be told of again, and each is learned once.
    pub untold: HashSet<Id>,
    /// Why not, of one of those.
    pub said: Option<String>,
}

/// Why nothing of a batch is known to have been taken.
struct Failed {
    /// What was asked is none that behavior can read, and one part of it may be to blame.
    unread: bool,
    said: String,
}

impl Teller {
    /// `client` shows our certificate and demands behavior's ([`crate::Clients::internal`]); `url` is behavior's internal one.
    pub fn new(client: Client, url: &str) -> Self {
        Self { client, url: format!("{}/internal/v1/events", url.trim_end_matches('/')) }
    }

    /// Tells of these, [`api::behavior::BATCH`] at most; of none it tells nobody. What lies ahead of behavior's clock is untold: that passes. A batch that behavior
    /// cannot read, because of a kind that it does not know yet, is told one by one, so that one event holds up no other.
    pub async fn tell(&self, events: Vec<Event>) -> Told {
        let mut told = Told::default();
        match self.batch(&events, &mut told).await {
            Err(Failed { unread: true, .. }) if events.len() > 1 => self.one_by_one(&events, &mut told).await,
            Err(Failed { said, .. }) => told.not(&events, said),
            Ok(()) => (),
        }
        told
    }

    /// Until behavior is away: then it is not asked for each.
    async fn one_by_one(&self, events: &[Event], told: &mut Told) {
        for (place, event) in events.iter().enumerate() {
            let one = std::slice::from_ref(event);
            match self.batch(one, told).await {
                Err(Failed { unread: true, said }) => told.not(one, said),
                Err(Failed { said, .. }) => return told.not(events.get(place..).unwrap_or_default(), said), // Default: cannot be, it is one of their places
                Ok(()) => (),
            }
        }
    }

    async fn batch(&self, events: &[Event], told: &mut Told) -> Result<(), Failed> {
        if events.is_empty() {
            return Ok(());
        }
        let EventResults { results } = self.ask(events).await?;
        if results.len() != events.len() {
            let said = format!("{} results of {} events", results.len(), events.len());
            return Err(Failed { unread: false, said });
        }
        for result in results.into_iter().filter(|result| result.outcome == EventOutcome::Refused) {
            if result.code.as_deref() == Some(code::FROM_FUTURE) {
                told.said = Some(format!("{} is from the future", result.id));
                told.untold.insert(result.id);
            } else {
                told.refused.push(result);
            }
        }
        Ok(())
    }

    async fn ask(&self, events: &[Event]) -> Result<EventResults, Failed> {
        let cause = |error: reqwest::Error| Failed { unread: false, said: http::cause(&error) };
        let events = Events { events: events.to_vec() };
        let response = http::send(self.client.post(&self.url).json(&events)).await.map_err(cause)?;
        let status = response.status();
        if !status.is_success() {
            let said = match response.json::<api::Problem>().await {
                Ok(problem) => format!("{status} {}", problem.code),
                Err(error) => format!("{status}: {}", http::cause(&error)),
            };
            return Err(Failed { unread: status == StatusCode::BAD_REQUEST, said });
        }
        response.json().await.map_err(cause)
    }
}

impl Told {
    fn not(&mut self, events: &[Event], said: String) {
        self.untold.extend(events.iter().map(Event::id));
        self.said = Some(said);
    }
}
