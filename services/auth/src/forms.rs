//! The forms and addresses that this service reads, with every parameter that it looks at. Whoever reads one that its form does not name has forgotten it here,
//! and is told so wherever debug assertions are on: so what a client can read in `openapi.json` is what the code reads.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// A form, by the parameters that are read of it.
pub trait Form: JsonSchema + 'static {
    /// All of them, also those that are read to be refused.
    const NAMES: &'static [&'static str];
}

/// Of which nobody says what stands in it: a body that is looked at before its handler does.
pub const ANY: &[&str] = &[];

macro_rules! forms {
    ($($(#[doc = $doc:literal])+ $form:ident {
        $($(#[doc = $what:literal])+ $name:ident: $schema:tt $($required:ident)?,)*
        $(refused: $($refused:literal),+;)?
    })+) => { $(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy)]
        pub struct $form;

        impl Form for $form {
            const NAMES: &'static [&'static str] = &[$(stringify!($name),)* $($($refused),+)?];
        }

        impl JsonSchema for $form {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($form).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                // Who says nothing of a parameter says nothing of its form.
                let fields = vec![$((stringify!($name), json!($schema), concat!($($what),+), <[&str]>::len(&[$(stringify!($required)),*]) == 1)),*];
                object(concat!($($doc),+), fields)
            }
        }
    )+ };
}

/// Name, schema, meaning, and whether it must be there.
type Field = (&'static str, Value, &'static str, bool);

fn object(meaning: &str, fields: Vec<Field>) -> Schema {
    let required: Vec<&str> = fields.iter().filter(|(.., required)| *required).map(|(name, ..)| *name).collect();
    let mut properties = Map::new();
    for (name, mut schema, meaning, _) in fields {
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("type".to_owned(), "string".into());
            schema.insert("description".to_owned(), meaning.trim().into());
        }
        properties.insert(name.to_owned(), schema);
    }
    json_schema!({ "type": "object", "description": meaning.trim(), "required": required, "properties": properties })
}

forms! {
    /// A pushed authorization request (RFC 9126), with the client's authentication. Other parameters are ignored.
    PushForm {
        /// The client that authenticates.
        client_id: { "examples": ["redoubt-mobile"] } required,
        /// The only flow.
        response_type: { "const": "code" } required,
        /// One of those that the client has registered, letter by letter.
        redirect_uri: { "format": "uri", "examples": ["https://app.redoubt.example/callback"] } required,
        /// Scopes with spaces between them.
        scope: { "examples": ["openid accounts:read"] } required,
        /// Comes back as it went.
        state: { "maxLength": 2048 },
        /// For the ID token.
        nonce: { "maxLength": 512 },
        /// Base64url of a SHA-256 (RFC 7636).
        code_challenge: { "pattern": "^[A-Za-z0-9_-]{43}$", "examples": ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"] } required,
        /// The only method.
        code_challenge_method: { "const": "S256" } required,
        /// With `none` there is an answer and no page.
        prompt: { "examples": ["login"] },
        /// The key that the code will be bound to, if no proof comes with it.
        dpop_jkt: { "pattern": "^[A-Za-z0-9_-]{43}$" },
        /// The API that the tokens are for (RFC 8707).
        resource: { "const": "urn:redoubt:ledger" },
        /// The only mode.
        response_mode: { "const": "query" },
        /// How a client with keys of its own authenticates (RFC 7523).
        client_assertion_type: { "const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" },
        /// With what.
        client_assertion: { "pattern": "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$" },
        /// The one payment that the payer is to approve (RFC 9396); only of the app, and only with scopes that move money.
        authorization_details: { "maxLength": 512, "examples": ["[{\"type\":\"payment_initiation\",\"identifier\":\"01890a5d-ac96-774b-bcce-b302099a8057\"}]"] },
        /// With a payment (RFC 9470): how it is approved, which is always so.
        acr_values: { "examples": ["urn:redoubt:acr:payment"] },
        refused: "request_uri", "request", "client_secret";
    }
    /// A code or a refresh token for tokens (RFC 6749 §4.1.3, §6), with the client's authentication. Other parameters are ignored.
    TokenForm {
        /// What is brought.
        grant_type: { "enum": ["authorization_code", "refresh_token"] } required,
        /// With `authorization_code`: the code.
        code: {},
        /// With `authorization_code`: the same as was pushed.
        redirect_uri: { "format": "uri" },
        /// With `authorization_code`: what the challenge was made of (RFC 7636 §4.1).
        code_verifier: { "pattern": "^[A-Za-z0-9._~-]{43,128}$" },
        /// With `refresh_token`: the token.
        refresh_token: { "examples": ["dGhpcyBpcyBubyB0b2tlbg"] },
        /// With `refresh_token`: fewer scopes than were granted.
        scope: {},
        /// The client that authenticates.
        client_id: { "examples": ["redoubt-mobile"] },
        /// The API that the tokens are for (RFC 8707).
        resource: { "const": "urn:redoubt:ledger" },
        /// How a client with keys of its own authenticates (RFC 7523).
        client_assertion_type: { "const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" },
        /// With what.
        client_assertion: { "pattern": "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$" },
        refused: "client_secret", "authorization_details";
    }
    /// What a browser brings: the name of a pushed request.
    AuthorizeForm {
        /// The client that has pushed it.
        client_id: { "examples": ["redoubt-mobile"] } required,
        /// The name of the request (RFC 9126 §2.2).
        request_uri: { "examples": ["urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"] } required,
    }
    /// The address of a page.
    PageAddress {
        /// Which of the browser's interactions; its cookie shows that it is the browser's.
        interaction: { "pattern": "^[A-Za-z0-9_-]{16}$" } required,
    }
    /// What is typed into the login page.
    LoginForm {
        /// From the page.
        csrf: {} required,
        /// The address that was registered.
        email: { "examples": ["alice@example.com"] } required,
        /// The password.
        password: { "format": "password", "examples": ["alice tends seven beehives"] } required,
    }
    /// What is typed into the page that makes a login.
    RegisterForm {
        /// From the page.
        csrf: {} required,
        /// As the person is called.
        name: { "examples": ["Alice Archer"] } required,
        /// The address to log in with.
        email: { "examples": ["alice@example.com"] } required,
        /// The password that will be.
        password: { "format": "password", "examples": ["alice tends seven beehives"] } required,
    }
    /// The second factor: what was typed, or a passkey.
    CodeForm {
        /// From the page.
        csrf: {} required,
        /// A code of the authenticator app, or a recovery code.
        code: { "examples": ["287082"] },
        /// Of a passkey: which one, in base64url, as all that follows.
        credential: {},
        /// Of a passkey: `clientDataJSON`.
        client_data: {},
        /// Of a passkey: `authenticatorData`.
        authenticator_data: {},
        /// Of a passkey: `signature`.
        signature: {},
    }
    /// A passkey that has just been made.
    PasskeyForm {
        /// From the page.
        csrf: {} required,
        /// What its person calls it.
        name: { "maxLength": 40, "examples": ["My phone"] } required,
        /// `clientDataJSON`, in base64url.
        client_data: {} required,
        /// `attestationObject`, in base64url.
        attestation_object: {} required,
        /// The password, if the login is older than five minutes.
        password: { "format": "password" },
    }
    /// A code of an authenticator app that is being set up.
    EnrollForm {
        /// From the page.
        csrf: {} required,
        /// What the app shows.
        code: { "examples": ["287082"] } required,
        /// The password, if the login is older than five minutes.
        password: { "format": "password" },
    }
    /// What shall become of the second factor: a decision, or the passkey that goes.
    SecondFactorForm {
        /// From the page.
        csrf: {} required,
        /// From the page that asks once more. Without it, that page is the answer, and nothing happens.
        sure: { "enum": ["yes"] },
        /// New recovery codes, or away with the app.
        decision: { "enum": ["renew", "remove"] },
        /// The passkey to remove.
        passkey: { "format": "uuid" },
        /// The password, if the login is older than five minutes.
        password: { "format": "password" },
    }
    /// What the payer says to a payment.
    ApproveForm {
        /// From the page.
        csrf: {} required,
        /// From the page: which payment it has shown.
        shown: {},
        /// The second factor, of whoever has one: to approve. What was typed, or a passkey.
        code: {},
        /// Of a passkey: which one, in base64url, as all that follows.
        credential: {},
        /// Of a passkey: `clientDataJSON`.
        client_data: {},
        /// Of a passkey: `authenticatorData`.
        authenticator_data: {},
        /// Of a passkey: `signature`.
        signature: {},
        /// The decision.
        decision: { "enum": ["approve", "refuse"] } required,
    }
    /// What the person decides.
    ConsentForm {
        /// From the page.
        csrf: {} required,
        /// The decision.
        decision: { "enum": ["allow", "deny"] } required,
        /// The name may be told.
        grant_profile: {},
        /// The address may be told.
        grant_email: {},
    }
}
