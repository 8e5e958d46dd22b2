//! The OAuth clients, from the configuration.
//!
//! Invariants: an id names one client; redirect URIs are absolute `https` URLs and are compared exactly; a client with
//! keys has at least one, an attested client has none.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use api::ClientId;
use crypto::p256::PublicKey;
use identity::Jwk;
use url::Url;

use crate::config::{AuthMethod, ClientMetadata};
use crate::dpop::Owner;
use crate::scopes;

/// How a client proves to be itself.
pub enum Authentication {
    /// By the attestation of one of its installations.
    Attested,
    /// By a signature with one of these keys.
    Keys(Vec<Jwk>),
}

pub struct Client {
    /// Its name in protocol messages.
    pub id: ClientId,
    /// Its name for people.
    pub name: String,
    /// How it proves to be itself.
    pub authentication: Authentication,
    redirect_uris: Vec<String>,
    scopes: Vec<String>,
}

impl Client {
    fn new(metadata: &ClientMetadata) -> anyhow::Result<Self> {
        let authentication = match (metadata.token_endpoint_auth_method, &metadata.jwks) {
            (AuthMethod::AttestJwtClientAuthDpop, None) => Authentication::Attested,
            (AuthMethod::AttestJwtClientAuthDpop, Some(_)) => bail!("an attested client has no `jwks`"),
            (AuthMethod::PrivateKeyJwt, None) => bail!("`private_key_jwt` needs `jwks`"),
            (AuthMethod::PrivateKeyJwt, Some(jwks)) => {
                let keys = jwks.get("keys").and_then(serde_json::Value::as_array).context("`jwks` has no `keys`")?;
                let keys = keys.iter().map(Jwk::from_value).collect::<Result<Vec<_>, _>>()?;
                ensure!(!keys.is_empty(), "`jwks` has no key");
                Authentication::Keys(keys)
            }
        };
        ensure!(!metadata.redirect_uris.is_empty(), "it needs a redirect URI");
        for uri in &metadata.redirect_uris {
            check_redirect_uri(uri).with_context(|| format!("redirect URI {uri}"))?;
        }
        let scopes: Vec<String> = scopes::split(&metadata.scope).map(str::to_owned).collect();
        for scope in &scopes {
            ensure!(scopes::describe(scope).is_some(), "unknown scope {scope}");
        }
        Ok(Self {
            id: metadata.client_id.clone(),
            name: metadata.client_name.clone(),
            authentication,
            redirect_uris: metadata.redirect_uris.clone(),
            scopes,
        })
    }

    /// Whether it proves to be itself by the attestation of one of its installations, so that a proven key is one device.
    pub fn is_attested(&self) -> bool {
        matches!(self.authentication, Authentication::Attested)
    }

    /// Whose share of the memory of used proofs its proofs take.
    pub fn owner(&self) -> Owner<'_> {
        if self.is_attested() { Owner::Instance } else { Owner::Client(&self.id) }
    }

    /// Whether answers may go there: character by character (RFC 9700 §2.1).
    pub fn may_redirect_to(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered == uri)
    }

    /// Whether it may ask for `scope`.
    pub fn may_ask_for(&self, scope: &str) -> bool {
        self.scopes.iter().any(|allowed| allowed == scope)
    }

    /// The keys that a signature naming `kid` may be of: that one, or all when none is named.
    pub fn keys<'a>(&'a self, kid: Option<&'a str>) -> impl Iterator<Item = &'a PublicKey> {
        let keys = match &self.authentication {
            Authentication::Keys(keys) => keys.as_slice(),
            Authentication::Attested => &[],
        };
        keys.iter().filter(move |key| kid.is_none() || key.kid() == kid).map(Jwk::public_key)
    }
}

/// FAPI 2.0 §5.3.2.2: no cleartext; RFC 6749 §3.1.2: absolute, without fragment.
fn check_redirect_uri(uri: &str) -> anyhow::Result<()> {
    let url = Url::parse(uri)?;
    ensure!(url.scheme() == "https", "only https");
    ensure!(url.fragment().is_none(), "a fragment is not allowed");
    ensure!(url.username().is_empty() && url.password().is_none(), "credentials are not allowed");
    Ok(())
}

pub struct Clients(BTreeMap<ClientId, Arc<Client>>);

impl Clients {
    /// Checks the configuration's clients.
    pub fn new(metadata: &[ClientMetadata]) -> anyhow::Result<Self> {
        let mut clients = BTreeMap::new();
        for entry in metadata {
            let client = Client::new(entry).with_context(|| format!("client `{}`", entry.client_id))?;
            let earlier = clients.insert(entry.client_id.clone(), Arc::new(client));
            ensure!(earlier.is_none(), "two clients are called `{}`", entry.client_id);
        }
        ensure!(!clients.is_empty(), "there is no client in the configuration");
        Ok(Self(clients))
    }

    /// The client of that id.
    pub fn get(&self, id: &ClientId) -> Option<&Arc<Client>> {
        self.0.get(id)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn app() -> ClientMetadata {
        ClientMetadata {
            client_id: "redoubt-mobile".into(),
            client_name: "Redoubt".into(),
            redirect_uris: vec!["https://app.redoubt.example/callback".into()],
            scope: "openid offline_access accounts:read".into(),
            token_endpoint_auth_method: AuthMethod::AttestJwtClientAuthDpop,
            jwks: None,
        }
    }

    fn refused(change: impl FnOnce(&mut ClientMetadata)) -> bool {
        let mut metadata = app();
        change(&mut metadata);
        Clients::new(&[metadata]).is_err()
    }

    #[test]
    fn redirect_uris_are_compared_exactly() {
        let clients = Clients::new(&[app()]).unwrap();
        let client = clients.get(&"redoubt-mobile".into()).unwrap();
        assert!(client.may_redirect_to("https://app.redoubt.example/callback"));
        for other in [
            "https://app.redoubt.example/callback/",
            "https://app.redoubt.example/callback?x=1",
            "https://app.redoubt.example:443/callback",
            "https://APP.redoubt.example/callback",
            "https://app.redoubt.example/callback/../x",
            "https://app.redoubt.example.evil.test/callback",
        ] {
            assert!(!client.may_redirect_to(other), "{other}");
        }
    }

    #[test]
    fn proofs_are_counted_for_each_phone_and_for_each_server() {
        let server = ClientMetadata {
            client_id: "partner-web".into(),
            token_endpoint_auth_method: AuthMethod::PrivateKeyJwt,
            jwks: Some(json!({ "keys": [Jwk::from(crypto::p256::SigningKey::generate().public()).to_value()] })),
            ..app()
        };
        let clients = Clients::new(&[app(), server]).unwrap();
        assert_eq!(clients.get(&"redoubt-mobile".into()).unwrap().owner(), Owner::Instance);
        let server = "partner-web".into();
        assert_eq!(clients.get(&server).unwrap().owner(), Owner::Client(&server));
    }

    #[test]
    fn a_client_that_makes_no_sense_ends_the_start() {
        assert!(!refused(|_| ()));
        assert!(refused(|client| client.redirect_uris = vec!["http://app.redoubt.example/callback".into()]));
        assert!(refused(|client| client.redirect_uris = vec!["https://app.redoubt.example/#x".into()]));
        assert!(refused(|client| client.redirect_uris = vec!["/callback".into()]));
        assert!(refused(|client| client.redirect_uris.clear()));
        assert!(refused(|client| client.scope = "everything".into()));
        assert!(refused(|client| client.jwks = Some(json!({"keys": []}))));
        assert!(refused(|client| client.token_endpoint_auth_method = AuthMethod::PrivateKeyJwt));
        assert!(Clients::new(&[app(), app()]).is_err());
        assert!(Clients::new(&[]).is_err());
    }
}
