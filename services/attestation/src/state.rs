//! What the handlers share.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use crypto::SecretBytes;
use crypto::p256::SigningKey;
use identity::attestation_token::{MAX_LIFETIME, Master};
use runtime::{Clock, Context};
use storage::Pool;

use crate::attestations::{AnswerSlots, Issuer};
use crate::challenges::Challenges;
use crate::config::Config;
use crate::examiner::Examiner;

/// Fewest bytes of a master.
const MASTER_BYTES: usize = 32;
/// Longest life of a challenge, in seconds.
const CHALLENGE_LIFETIME: u32 = 120;

/// Longest slot of answers, in milliseconds.
const ANSWER_SLOT_MS: u32 = 1000;

pub(crate) struct State {
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) challenges: Challenges,
    pub(crate) examiner: Arc<Examiner>,
    pub(crate) issuer: Issuer,
    /// At whose ends answers to evidence leave.
    pub(crate) answer_slots: AnswerSlots,
    /// Signs every answer to evidence.
    pub(crate) answer_key: SigningKey,
}

impl State {
    pub(crate) fn new(config: &Config, context: &Context) -> anyhow::Result<Self> {
        let tokens = &config.tokens;
        ensure!((1..=MAX_LIFETIME).contains(&tokens.lifetime), "tokens.lifetime must be 1 to {MAX_LIFETIME} seconds");
        ensure!(
            (1..=CHALLENGE_LIFETIME).contains(&tokens.challenge_lifetime),
            "tokens.challenge_lifetime must be 1 to {CHALLENGE_LIFETIME} seconds"
        );
        ensure!(
            (1..=ANSWER_SLOT_MS).contains(&tokens.answer_slot_ms),
            "tokens.answer_slot_ms must be 1 to {ANSWER_SLOT_MS}"
        );
        let read = |file| {
            let master = crypto::files::read_secret(file)?;
            ensure!(master.expose().len() >= MASTER_BYTES, "a master has at least {MASTER_BYTES} bytes");
            Ok(master)
        };
        let master = read(&config.keys.master_file).context("keys.master_file")?;
        let mut masters = vec![Master::new(config.keys.generation, master)];
        if let Some(other) = &config.keys.other {
            let master = read(&other.master_file).context("keys.other.master_file")?;
            masters.push(Master::new(other.generation, master));
        }
        differ(&masters)?;
        let decoy_master = read(&config.keys.decoy_master_file).context("keys.decoy_master_file")?;
        ensure!(
            !masters.iter().any(|master| same(master.secret(), &decoy_master)),
            "a master and keys.decoy_master_file hold the same bytes: decoys would be genuine"
        );
        let answer_key = crypto::files::read_secret(&config.keys.answer_key_file).context("keys.answer_key_file")?;
        let answer_key =
            SigningKey::from_pkcs8(answer_key.expose()).context("keys.answer_key_file is no PKCS#8 P-256 key")?;
        Ok(Self {
            answer_key,
            answer_slots: AnswerSlots::new(tokens.answer_slot_ms),
            pool: context.database()?,
            clock: Arc::clone(&context.clock),
            examiner: Arc::new(Examiner::load(&config.policy, &config.revocation)?),
            challenges: Challenges::new(&masters, tokens.challenge_lifetime),
            issuer: Issuer::new(masters, decoy_master, tokens, &config.policy.id)?,
        })
    }
}

/// A generation names one master, and a new one is another.
fn differ(masters: &[Master]) -> anyhow::Result<()> {
    if let [current, other] = masters {
        ensure!(current.generation() != other.generation(), "keys.generation and keys.other.generation are the same");
        ensure!(
            !same(current.secret(), other.secret()),
            "keys.master_file and keys.other.master_file hold the same bytes: nothing would be replaced"
        );
    }
    Ok(())
}

fn same(one: &SecretBytes, other: &SecretBytes) -> bool {
    crypto::hash::constant_time_eq(one.expose(), other.expose())
}
