//! The layers of one service, from its configuration.

mod captcha;

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use crypto::files;
use identity::TokenError;
use runtime::{Common, Context, metrics};

use crate::hops::TrustedHops;
use crate::mode::Modes;
use crate::sizes::Memories;
use crate::stores::redis::{RedisStore, Settings};
use crate::stores::{Beside, Counters, MemoryCounters, MemoryOnce, Once};
use crate::{
    AccessTokenLayer, ApiKeyLayer, AttestationLayer, AudienceKeySource, AuthorizationLayer, ClientVersionLayer,
    Defense, DefenseConfig, HostLayer, JwksSource, Keyed, Layer, LayerId, MessageSignatureLayer, Place, RateLimitLayer,
    Receipts, RegisterFile, WafLayer,
};

/// Keys of each class that are remembered.
const MEMORY: usize = 1 << 20;

/// The layers of a service in the making. All have *host*, *rate limit* and *WAF*.
pub struct Stack<'a> {
    config: &'a DefenseConfig,
    common: &'a Common,
    context: &'a Context,
    service: &'static str,
    used: Arc<dyn Once>,
    counters: Arc<dyn Counters>,
    memories: Memories,
    layers: Vec<Box<dyn Layer>>,
}

/// Whose tokens a service takes.
pub struct Tokens {
    /// Where its audience keys come from.
    pub audience_keys: Arc<AudienceKeySource>,
    /// Audience of attestation tokens.
    pub attestation_audience: &'static str,
    /// Issuer of access tokens.
    pub issuer: String,
    /// Where that issuer's public keys come from.
    pub jwks: Arc<JwksSource>,
    /// Audience of access tokens.
    pub resource: &'static str,
}

impl<'a> Stack<'a> {
    /// The layers that every service has.
    ///
    /// # Errors
    ///
    /// The configuration cannot be used.
    pub fn of(
        service: &'static str,
        config: &'a DefenseConfig,
        common: &'a Common,
        context: &'a Context,
    ) -> Result<Self> {
        let (used_here, counted_here) = (Arc::new(MemoryOnce::new(MEMORY)), Arc::new(MemoryCounters::new(MEMORY)));
        let memories = Memories::of(&used_here, &counted_here);
        let (used, counters) = stores(service, config, context, (used_here, counted_here))?;
        let urls = common.public.iter().map(|public| &public.url).chain([&common.internal.url]);
        let hosts = urls.map(|url| authority(url).to_owned()).chain(config.hosts.iter().cloned());
        let host = HostLayer::new(hosts, TrustedHops::new(config.trusted_proxies.clone()));
        let rates = RateLimitLayer::new(Arc::clone(&counters), &config.rates, &*context.clock);
        let rates = rates.map_err(|wrong| anyhow!("[defense.rates]: {wrong}"))?;
        Ok(Self {
            config,
            common,
            context,
            service,
            used,
            counters,
            memories,
            layers: vec![Box::new(host), Box::new(rates), Box::new(WafLayer)],
        })
    }

    /// What was used, as the layers remember it: for what a handler, too, lets be used once.
    pub fn used(&self) -> Arc<dyn Once> {
        Arc::clone(&self.used)
    }

    /// Where apps call: they have keys, and builds that are let in.
    ///
    /// # Errors
    ///
    /// The register of apps or its key cannot be read.
    pub fn apps(mut self, keyed: Keyed) -> Result<Self> {
        let path = self.config.apps_file.as_ref().context("the configuration has no defense.apps_file")?;
        let register = Arc::new(RegisterFile::open(path)?);
        let pepper = self.config.api_key_pepper_file.as_ref();
        let pepper = files::read_secret(pepper.context("the configuration has no defense.api_key_pepper_file")?)?;
        drop(tokio::spawn(Arc::clone(&register).keep_current(self.context.shutdown.clone())));
        self.layers.push(Box::new(ApiKeyLayer::new(Arc::clone(&register), pepper, self.service, keyed)));
        self.layers.push(Box::new(ClientVersionLayer::new(register)));
        Ok(self)
    }

    /// Where users call: *what* calls, is it unaltered, *who* calls, and may they.
    ///
    /// # Errors
    ///
    /// The service has no public origin for which a request could be signed.
    pub fn tokens(mut self, tokens: Tokens) -> Result<Self> {
        let Tokens { audience_keys, attestation_audience, issuer, jwks, resource } = tokens;
        let (origin, used) = (self.common.public_origin()?, &self.used);
        let attestation = AttestationLayer::new(attestation_audience, audience_keys);
        let signature = MessageSignatureLayer::new(Arc::clone(used), self.context.clock.unix());
        let access_token = AccessTokenLayer::new(issuer, resource, origin, jwks, Arc::clone(used));
        self.layers.push(Box::new(attestation));
        self.layers.push(Box::new(signature));
        self.layers.push(Box::new(access_token));
        self.layers.push(Box::new(AuthorizationLayer));
        metrics::alarm_may_come(LayerId::Attestation.name(), TokenError::Decoy.reason());
        Ok(self)
    }

    /// The layers.
    ///
    /// # Errors
    ///
    /// There are modes that this program does not have.
    pub fn build(self) -> Result<Defense> {
        let internal = &self.common.internal;
        let receipts = Receipts::new(self.service, internal.certificate.clone(), internal.key.clone());
        // Whom the world does not reach is reached under its internal URL and no other.
        let origin = self.common.public.as_ref().map_or(&internal.url, |public| &public.url); // Default: as said
        let mut place = Place::new(origin, Arc::clone(&self.context.clock), receipts);
        self.memories.observe(place.receipts.clone());
        place.modes = Modes::new(&self.config.modes)?;
        Ok(Defense::new(self.layers, place))
    }
}

/// What is remembered of used keys and of rates: in this process, or with the others of the service.
fn stores(
    service: &'static str,
    config: &DefenseConfig,
    context: &Context,
    (used, counters): (Arc<MemoryOnce>, Arc<MemoryCounters>),
) -> Result<(Arc<dyn Once>, Arc<dyn Counters>)> {
    let Some(shared) = &config.shared_store else { return Ok((used, counters)) };
    let tls = shared.ca_file.as_ref().map(|file| runtime::tls::public_client(file).map(Arc::new)).transpose()?;
    let settings = Settings {
        url: files::read_secret_text(&shared.url_file)?,
        tls,
        service,
        name_key: files::read_secret(&shared.name_key_file)?,
        capacity: MEMORY,
    };
    let store = Arc::new(RedisStore::open(&settings).context("[defense.shared_store]")?);
    let asked = Arc::clone(&store);
    context.leans_on.add(move || asked.standing());
    let beside = Arc::new(Beside::new(store, used, counters));
    Ok((Arc::<Beside>::clone(&beside), beside))
}

/// `https://host:port/` without what stands around the authority.
pub(crate) fn authority(url: &str) -> &str {
    url.trim_start_matches("https://").trim_end_matches('/')
}
