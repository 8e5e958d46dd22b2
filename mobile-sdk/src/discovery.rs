//! Fetches the authorization server's metadata, once, and believes it for its own origin only.

use serde::Deserialize;
use url::Url;

use crate::Error;
use crate::client::Client;
use crate::metadata::Metadata;
use crate::trace::Trace;

#[derive(Deserialize)]
struct MetadataDocument {
    issuer: String,
    pushed_authorization_request_endpoint: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

impl Client {
    /// The metadata, fetched once.
    pub(crate) async fn metadata(&self, trace: &Trace) -> Result<&Metadata, Error> {
        self.metadata.get_or_try_init(|| self.fetch_metadata(trace)).await
    }

    async fn fetch_metadata(&self, trace: &Trace) -> Result<Metadata, Error> {
        let issuer = self.config.auth_issuer.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{issuer}/.well-known/openid-configuration"))
            .map_err(|_| Error::Config("auth_issuer"))?;
        let make = || {
            let request = self.transport.request(reqwest::Method::GET, url.clone());
            Ok(request.header(api::header::TRACEPARENT, trace.traceparent()))
        };
        let answer = self.send_repeatedly(true, make).await?;
        if !answer.is_success() {
            return Err(answer.into_refusal());
        }
        let document: MetadataDocument = answer.json()?;
        // RFC 8414 §3.3.
        if document.issuer.trim_end_matches('/') != issuer {
            return Err(Error::Malformed("the metadata is of another issuer"));
        }
        Ok(Metadata {
            pushed_authorization_request_endpoint: self.endpoint(&document.pushed_authorization_request_endpoint)?,
            authorization_endpoint: self.endpoint(&document.authorization_endpoint)?,
            token_endpoint: self.endpoint(&document.token_endpoint)?,
            issuer: document.issuer,
        })
    }

    /// An endpoint must be where the issuer is, and so where its pins are.
    fn endpoint(&self, text: &str) -> Result<Url, Error> {
        let url = Url::parse(text).ok().filter(|url| url.origin() == self.config.auth_issuer.origin());
        url.ok_or(Error::Malformed("an endpoint is not the issuer's"))
    }
}
