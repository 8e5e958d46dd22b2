//! A passkey in software. **Synthetic**: its key lies in memory, and it says that somebody was there and was verified because the test wants it to.
//!
//! It makes what a conforming authenticator and a browser make of a ceremony (W3C Web Authentication, Level 3, §5.8.1, §6.1, §6.5.4), or the same with one
//! thing wrong: all that is in an answer is in [`Saying`].

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use crypto::hash::sha256;
use minicbor::Encoder;
use serde_json::{Map, Value, json};

/// Somebody was there.
pub const USER_PRESENT: u8 = 1;
/// The authenticator made sure who.
pub const USER_VERIFIED: u8 = 1 << 2;
/// It can be backed up.
pub const BACKUP_ELIGIBLE: u8 = 1 << 3;
/// It is.
pub const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;
/// ES256 in the numbers of COSE.
const ES256: i64 = -7;
const ID_BYTES: usize = 32;

/// What an answer says.
#[derive(Debug, Clone)]
pub struct Saying {
    /// `type` of the client data.
    pub ceremony: String,
    /// `challenge`, in base64url.
    pub challenge: String,
    /// `origin`.
    pub origin: String,
    /// The relying party whose id is hashed.
    pub rp_id: String,
    /// Who was there, and what can be backed up.
    pub flags: u8,
    /// The counter.
    pub count: u32,
    /// `alg` of a new key.
    pub algorithm: i64,
    /// Other members of the client data.
    pub more: Map<String, Value>,
    /// Whether there are extensions that nobody has asked for.
    pub extensions: bool,
}

impl Saying {
    /// All as it should be, of that ceremony (`webauthn.create`, `webauthn.get`).
    #[must_use]
    pub fn right(ceremony: &str, challenge: &str, origin: &str, rp_id: &str) -> Self {
        Self {
            ceremony: ceremony.to_owned(),
            challenge: challenge.to_owned(),
            origin: origin.to_owned(),
            rp_id: rp_id.to_owned(),
            flags: USER_PRESENT | USER_VERIFIED,
            count: 0,
            algorithm: ES256,
            more: Map::new(),
            extensions: false,
        }
    }

    fn client_data(&self) -> Vec<u8> {
        let mut said =
            json!({ "type": self.ceremony, "challenge": self.challenge, "origin": self.origin, "crossOrigin": false });
        if let Some(members) = said.as_object_mut() {
            members.extend(self.more.clone());
        }
        said.to_string().into_bytes()
    }
}

/// What a browser brings of a new one.
#[derive(Debug, Clone)]
pub struct Created {
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `attestationObject`.
    pub attestation_object: Vec<u8>,
}

/// What a browser brings of one that is there.
#[derive(Debug, Clone)]
pub struct Signed {
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `authenticatorData`.
    pub authenticator_data: Vec<u8>,
    /// DER.
    pub signature: Vec<u8>,
}

/// A passkey.
pub struct Passkey {
    pair: EcdsaKeyPair,
    /// Its credential id.
    pub id: Vec<u8>,
}

impl Passkey {
    /// A new one.
    ///
    /// # Panics
    ///
    /// If the operating system gives no randomness.
    #[must_use]
    #[expect(clippy::expect_used, reason = "fails only without randomness")]
    pub fn generate() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a P-256 key can be generated");
        Self { pair, id: crypto::random::bytes::<ID_BYTES>().to_vec() }
    }

    /// What it says when it is made.
    ///
    /// # Errors
    ///
    /// What cannot be written as CBOR.
    pub fn create(&self, saying: &Saying) -> anyhow::Result<Created> {
        let auth_data = self.auth_data(saying, true)?;
        let mut object = Encoder::new(Vec::new());
        object.map(3)?.str("fmt")?.str("none")?.str("attStmt")?.map(0)?.str("authData")?.bytes(&auth_data)?;
        Ok(Created { client_data: saying.client_data(), attestation_object: object.into_writer() })
    }

    /// What it says when it is asked for.
    ///
    /// # Errors
    ///
    /// A key that does not sign.
    pub fn sign(&self, saying: &Saying) -> anyhow::Result<Signed> {
        let (client_data, authenticator_data) = (saying.client_data(), self.auth_data(saying, false)?);
        let message = [authenticator_data.as_slice(), &sha256(&client_data)].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &message)?.as_ref().to_vec();
        Ok(Signed { client_data, authenticator_data, signature })
    }

    fn auth_data(&self, saying: &Saying, attested: bool) -> anyhow::Result<Vec<u8>> {
        let mut bytes = sha256(saying.rp_id.as_bytes()).to_vec();
        let attested_flag = if attested { ATTESTED } else { 0 };
        bytes.push(saying.flags | attested_flag | if saying.extensions { EXTENSIONS } else { 0 });
        bytes.extend(saying.count.to_be_bytes());
        if attested {
            bytes.extend([0; 16]);
            bytes.extend(u16::try_from(self.id.len())?.to_be_bytes());
            bytes.extend(&self.id);
            let (x, y) = self.pair.public_key().as_ref().get(1..).unwrap_or_default().split_at(32); // Default: never, a point has 65 bytes.
            let mut key = Encoder::new(Vec::new());
            key.map(5)?.i64(1)?.i64(2)?.i64(3)?.i64(saying.algorithm)?;
            key.i64(-1)?.i64(1)?.i64(-2)?.bytes(x)?.i64(-3)?.bytes(y)?;
            bytes.extend(key.into_writer());
        }
        if saying.extensions {
            let mut extensions = Encoder::new(Vec::new());
            extensions.map(2)?.str("credProtect")?.i64(2)?.str("more")?.array(2)?.bool(true)?.null()?;
            bytes.extend(extensions.into_writer());
        }
        Ok(bytes)
    }
}
