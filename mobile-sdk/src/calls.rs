//! The API's operations with their types. One line each: whatever has a rule in it belongs to the server.

use api::accounts::{Account, AccountList, EntryPage, EntryQuery, OpenAccount};
use api::exchanges::{Exchange, PostExchange};
use api::payouts::{Payout, PostPayout};
use api::transfers::{PostTransfer, Transfer};
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::Error;
use crate::client::Client;
use crate::request::IdempotencyKey;
use crate::trace::Trace;

impl Client {
    /// The caller's accounts.
    pub async fn accounts(&self) -> Result<AccountList, Error> {
        self.read("accounts", "/v1/accounts").await
    }

    /// One of the caller's accounts.
    pub async fn account(&self, id: Uuid) -> Result<Account, Error> {
        self.read("account", &format!("/v1/accounts/{id}")).await
    }

    /// A page of an account's statement, newest first.
    pub async fn entries(&self, account: Uuid, query: &EntryQuery) -> Result<EntryPage, Error> {
        let query = serde_urlencoded::to_string(query).map_err(|_| Error::Malformed("query"))?;
        let separator = if query.is_empty() { "" } else { "?" };
        self.read("entries", &format!("/v1/accounts/{account}/entries{separator}{query}")).await
    }

    /// Opens an account.
    pub async fn create_account(&self, account: &OpenAccount, key: &IdempotencyKey) -> Result<Account, Error> {
        self.write("create_account", "/v1/accounts", account, key).await
    }

    /// Moves money to another account in the house.
    pub async fn transfer(&self, transfer: &PostTransfer, key: &IdempotencyKey) -> Result<Transfer, Error> {
        self.write("transfer", "/v1/transfers", transfer, key).await
    }

    /// Changes one currency into another.
    pub async fn exchange(&self, exchange: &PostExchange, key: &IdempotencyKey) -> Result<Exchange, Error> {
        self.write("exchange", "/v1/exchanges", exchange, key).await
    }

    /// Orders a payment out of the house.
    pub async fn payout(&self, payout: &PostPayout, key: &IdempotencyKey) -> Result<Payout, Error> {
        self.write("payout", "/v1/payouts", payout, key).await
    }

    /// Where a payout stands.
    pub async fn payout_status(&self, id: Uuid) -> Result<Payout, Error> {
        self.read("payout_status", &format!("/v1/payouts/{id}")).await
    }

    async fn read<T: DeserializeOwned>(&self, name: &'static str, path: &str) -> Result<T, Error> {
        self.typed(name, Method::GET, path, None::<&()>, None).await
    }

    async fn write<T: DeserializeOwned>(
        &self,
        name: &'static str,
        path: &str,
        body: &impl Serialize,
        key: &IdempotencyKey,
    ) -> Result<T, Error> {
        self.typed(name, Method::POST, path, Some(body), Some(key)).await
    }

    async fn typed<T: DeserializeOwned>(
        &self,
        name: &'static str,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        key: Option<&IdempotencyKey>,
    ) -> Result<T, Error> {
        let trace = Trace::start();
        let mut call = self.call(method, path, body, key)?;
        call.accepts = |body| serde_json::from_slice::<T>(body).is_ok();
        let response = self.record(name, &trace, self.execute(&trace, &call)).await?;
        serde_json::from_slice(&response.body).map_err(|_| Error::Malformed("not the JSON of this call"))
    }
}
