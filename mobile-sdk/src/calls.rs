//! The API's operations with their types. One line each: whatever has a rule in it belongs to the server.

use api::Id;
use api::accounts::{Account, AccountPage, EntryPage, OpenAccount};
use api::exchanges::{Exchange, PostExchange};
use api::page::{MAX_LIMIT, PageQuery};
use api::payees::{Payee, PayeePage, PostPayee, PostSealedPayee};
use api::payouts::{Payout, PostPayout};
use api::transfers::{PostTransfer, Transfer};
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::call::{Body, Call, IdempotencyKey};
use crate::client::Client;
use crate::trace::Trace;

/// Pages that [`Client::accounts`] and [`Client::payees`] read: as many accounts as a service may let one owner have, and more payees.
const MOST_PAGES: usize = 10;

impl Client {
    /// All of the caller's accounts, oldest first: usually one page and one request. More than a thousand are
    /// [`Error::Malformed`] rather than cut off; [`Self::account_page`] reads any number.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        let parts = |page: AccountPage| (page.accounts, page.next);
        self.all("accounts", "/v1/accounts", parts, "more accounts than an owner may have").await
    }

    /// A page of the caller's accounts, oldest first.
    pub async fn account_page(&self, query: &PageQuery) -> Result<AccountPage, Error> {
        self.page("accounts", "/v1/accounts", query).await
    }

    /// One of the caller's accounts.
    pub async fn account(&self, id: Id) -> Result<Account, Error> {
        self.read("account", &format!("/v1/accounts/{id}")).await
    }

    /// A page of an account's statement, newest first.
    pub async fn entries(&self, account: Id, query: &PageQuery) -> Result<EntryPage, Error> {
        self.page("entries", &format!("/v1/accounts/{account}/entries"), query).await
    }

    /// Opens an account in a currency, once per key.
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

    /// Adds a payee at another bank. Of the IBAN nobody between this phone and the ledger reads anything but its length.
    pub async fn add_payee(&self, payee: &PostPayee, key: &IdempotencyKey) -> Result<Payee, Error> {
        let mut call = self.call(Method::POST, "/v1/payees", None::<&()>, Some(key))?;
        call.body = Body::Sealed(Box::new(move |session| {
            let sealed: PostSealedPayee = payee.clone().try_map(|iban| session.seal(&iban, key.as_str()))?;
            serde_json::to_vec(&sealed).map_err(|_| Error::Malformed("body"))
        }));
        self.finish("add_payee", call).await
    }

    /// All of the caller's payees that are not removed, oldest first.
    pub async fn payees(&self) -> Result<Vec<Payee>, Error> {
        let parts = |page: PayeePage| (page.payees, page.next);
        self.all("payees", "/v1/payees", parts, "more payees than an owner may have").await
    }

    /// A page of them.
    pub async fn payee_page(&self, query: &PageQuery) -> Result<PayeePage, Error> {
        self.page("payees", "/v1/payees", query).await
    }

    /// One of the caller's payees, also one that is removed.
    pub async fn payee(&self, id: Id) -> Result<Payee, Error> {
        self.read("payee", &format!("/v1/payees/{id}")).await
    }

    /// Removes a payee: nothing is paid to it any more. Asked again, the answer is the same.
    pub async fn remove_payee(&self, id: Id) -> Result<Payee, Error> {
        let mut call = self.call(Method::POST, &format!("/v1/payees/{id}/removal"), None::<&()>, None)?;
        call.idempotent = true;
        self.finish("remove_payee", call).await
    }

    /// Orders a payment out of the house, to one of the caller's payees.
    pub async fn payout(&self, payout: &PostPayout, key: &IdempotencyKey) -> Result<Payout, Error> {
        self.write("payout", "/v1/payouts", payout, key).await
    }

    /// Where a payout stands.
    pub async fn payout_status(&self, id: Id) -> Result<Payout, Error> {
        self.read("payout_status", &format!("/v1/payouts/{id}")).await
    }

    /// Takes back a payout that is held. Asked again, the answer is the same.
    pub async fn cancel_payout(&self, id: Id) -> Result<Payout, Error> {
        let mut call = self.call(Method::POST, &format!("/v1/payouts/{id}/cancellation"), None::<&()>, None)?;
        call.idempotent = true;
        self.finish("cancel_payout", call).await
    }

    /// A whole list: page after page until there is no next one. Too many are an error rather than cut off.
    async fn all<P: DeserializeOwned, T>(
        &self,
        name: &'static str,
        path: &str,
        parts: fn(P) -> (Vec<T>, Option<String>),
        too_many: &'static str,
    ) -> Result<Vec<T>, Error> {
        let (mut lines, mut query) = (Vec::new(), PageQuery { limit: Some(MAX_LIMIT), after: None });
        for _ in 0..MOST_PAGES {
            let (more, next) = parts(self.page(name, path, &query).await?);
            lines.extend(more);
            match next {
                None => return Ok(lines),
                next => query.after = next,
            }
        }
        Err(Error::Malformed(too_many))
    }

    async fn page<T: DeserializeOwned>(&self, name: &'static str, path: &str, query: &PageQuery) -> Result<T, Error> {
        let query = serde_urlencoded::to_string(query).map_err(|_| Error::Malformed("query"))?;
        let separator = if query.is_empty() { "" } else { "?" };
        self.read(name, &format!("{path}{separator}{query}")).await
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
        self.finish(name, self.call(method, path, body, key)?).await
    }

    async fn finish<T: DeserializeOwned>(&self, name: &'static str, mut call: Call<'_>) -> Result<T, Error> {
        let trace = Trace::start();
        call.accepts = |body| serde_json::from_slice::<T>(body).is_ok();
        let response = self.record(name, &trace, self.execute(&trace, &call)).await?;
        serde_json::from_slice(&response.body).map_err(|_| Error::Malformed("not the JSON of this call"))
    }
}
