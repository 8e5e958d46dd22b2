//! Layer *API key*: which app is this meant to be? It identifies and proves nothing: the key is in every copy of the app. But an app that was
//! never registered has none, and one that leaked is switched off.

use std::sync::Arc;

use crypto::SecretBytes;
use futures_util::future::{LocalBoxFuture, ready};

use crate::apps::RegisterFile;
use crate::{ApiKey, Facts, Finding, Inbound, Layer, LayerId, Verdict};

/// Whether a request may come without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyed {
    /// Every caller is an app of ours.
    Always,
    /// There are callers that are none: browsers, servers of partners. They prove who they are in another way.
    Perhaps,
}

/// Looks `Api-Key` up in the register.
pub struct ApiKeyLayer {
    register: Arc<RegisterFile>,
    pepper: SecretBytes,
    service: &'static str,
    keyed: Keyed,
}

impl ApiKeyLayer {
    /// For the keys of `register` that may be sent to `service`.
    pub fn new(register: Arc<RegisterFile>, pepper: SecretBytes, service: &'static str, keyed: Keyed) -> Self {
        Self { register, pepper, service, keyed }
    }

    fn check(&self, request: &Inbound) -> Result<Facts, Verdict> {
        let Some(value) = request.headers.get(api::header::API_KEY) else {
            return if self.keyed == Keyed::Perhaps { Ok(Facts::default()) } else { Err(refuse("key_missing")) };
        };
        // Twice is as bad as not readable.
        let text = request.single(api::header::API_KEY).filter(|text| value.as_bytes() == text.as_bytes());
        let key = text.and_then(ApiKey::parse).ok_or_else(|| refuse("key_malformed"))?;
        let found = self.register.current().keyed(&key, self.pepper.expose(), self.service, request.now);
        let app = found.map_err(|refusal| refuse(refusal.reason()))?;
        Ok(Facts { keyed_app: Some(app), ..Facts::default() })
    }
}

fn refuse(reason: &'static str) -> Verdict {
    LayerId::ApiKey.refuse_client(reason)
}

impl Layer for ApiKeyLayer {
    fn id(&self) -> LayerId {
        LayerId::ApiKey
    }

    fn examine<'a>(&'a self, request: &'a Inbound, _: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        Box::pin(ready(Finding::of(self.check(request))))
    }

    /// The app that the key's id names, whoever made the rest.
    #[cfg(any(test, feature = "ablation"))]
    fn assume<'a>(&'a self, request: &'a Inbound) -> LocalBoxFuture<'a, Facts> {
        let key = request.single(api::header::API_KEY).and_then(ApiKey::parse);
        let keyed_app = key.and_then(|key| self.register.current().named(&key));
        Box::pin(ready(Facts { keyed_app, ..Facts::default() }))
    }
}
