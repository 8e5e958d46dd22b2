//! What the ledger says of a payment that waits for its payer's approval. It is the only one who knows.

use std::time::Duration;

use anyhow::Context as _;
use api::Id;
use api::approvals::PaymentShown;
use url::Url;

use crate::error::PageRefusal;
use crate::ids::UserId;

/// How long the payer waits for it.
const PATIENCE: Duration = Duration::from_secs(3);
const NOT_FOUND: u16 = 404;

/// Why nobody can tell; for the log.
#[derive(Debug, thiserror::Error)]
enum LedgerError {
    #[error("{}", runtime::http::cause(.0))]
    Http(#[from] reqwest::Error),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
    #[error("it answers {0}")]
    Status(u16),
    #[error("it answers of another payment")]
    Another,
}

/// The ledger, on its internal listener.
pub struct Ledger {
    client: reqwest::Client,
    url: Url,
}

impl Ledger {
    /// `client` must show this service's certificate and demand the ledger's.
    pub fn new(client: reqwest::Client, url: &str) -> anyhow::Result<Self> {
        let url = format!("{}/internal/v1/approvals/", url.trim_end_matches('/'));
        Ok(Self { client, url: Url::parse(&url).with_context(|| format!("ledger_url: {url}"))? })
    }

    /// The payment of that name that this person has ordered and not yet approved; none if there is none.
    pub(crate) async fn payment(&self, id: Id, payer: UserId) -> Result<Option<PaymentShown>, PageRefusal> {
        // By the clock: an answer may also come slowly.
        let asked = match tokio::time::timeout(PATIENCE, self.ask(id, payer)).await {
            Ok(asked) => asked,
            Err(_) => Err(LedgerError::Late),
        };
        asked.map_err(|error| {
            tracing::error!(cause = %error, "the ledger does not say what is to be approved");
            PageRefusal::LedgerUnavailable
        })
    }

    /// `GET /internal/v1/approvals/{id}` with [`api::approvals::ApprovalQuery`].
    async fn ask(&self, id: Id, payer: UserId) -> Result<Option<PaymentShown>, LedgerError> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{id}", self.url.path()));
        url.query_pairs_mut().append_pair("subject", &payer.to_string());
        let answer = runtime::http::send(self.client.get(url)).await?;
        match answer.status().as_u16() {
            200 => (),
            NOT_FOUND => return Ok(None),
            status => return Err(LedgerError::Status(status)),
        }
        let payment: PaymentShown = answer.json().await?;
        if payment.id == id { Ok(Some(payment)) } else { Err(LedgerError::Another) }
    }
}
