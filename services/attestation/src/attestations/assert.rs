//! `POST /v1/assertions`: a known instance renews.
//!
//! Android: the device key's proof over a fresh challenge. iOS: that, and an App Attest assertion whose counter rises.
//!
//! Whatever is refused is answered with a decoy. Only a lie ([`Reason::is_lie`]) makes the instance a decoyed one: of two
//! assertions with one counter the first wins and the other gets a decoy for itself, because anybody on the way can hold a request
//! back until the next one has overtaken it; and a policy that changed accuses nobody.
//!
//! A renewal is of what was shown before: an instance whose last evidence was not accepted renews nothing, whatever it proves here.
//!
//! The build is the one that Android's evidence proved at enrolment; iOS 27 proves it again in each assertion; what an earlier iOS
//! runs is the phone's word.

use api::Build;
use api::attestation::{Assert, Assertion, Attested, Platform, Purpose};
use identity::Level;
use storage::{Connection, transaction};

use super::Presented;
use super::issue::Names;
use super::presented::Fields;
use crate::challenges::{self, time};
use crate::error::Error;
use crate::evidence::{Failed, Reason};
use crate::instances::store::{self, Instance};
use crate::state::State;
use crate::verdicts::{self, Verdict};

/// What came with an assertion, decoded.
struct Given {
    key_id: Vec<u8>,
    object: Vec<u8>,
}

/// Renews an instance.
pub(crate) async fn assert(state: &State, request: &Assert) -> Result<Attested, Error> {
    let now = state.clock.unix();
    let challenge = state.challenges.read(&request.challenge, request.platform, Purpose::Assertion, now)?;
    let mut presented = Presented::read(&fields(request), &challenge.bytes, &state.examiner.clients(), now)?;
    let given = decode(request)?;
    challenges::spend(&state.pool, &challenge).await?;

    let names = state.issuer.names();
    let verdict = record(state, &presented, given.as_ref(), &names, now).await?;
    verdict.audit(&names.support_id, &presented.jkt, request.platform);
    presented.app.build.clone_from(&verdict.build);
    state.issuer.issue(verdict.is_genuine(), &presented, verdict.level, &names, now)
}

fn fields(request: &Assert) -> Fields<'_> {
    Fields {
        challenge: &request.challenge,
        platform: request.platform,
        client_id: &request.client_id,
        app: &request.app,
        device_key: &request.device_key,
        session_public_key: &request.session_public_key,
        proof: &request.proof,
    }
}

fn decode(request: &Assert) -> Result<Option<Given>, Error> {
    let bytes = |text: &str, field| crypto::b64::decode_standard(text).map_err(|_| Error::Evidence { field });
    match (request.platform, &request.assertion) {
        (Platform::Android, None) => Ok(None),
        (Platform::Android, Some(_)) => Err(Error::Invalid { field: "assertion", detail: "not on this platform" }),
        (Platform::Ios, None) => Err(Error::Invalid { field: "assertion", detail: "required on this platform" }),
        (Platform::Ios, Some(Assertion::AppAttest { key_id, assertion_object })) => Ok(Some(Given {
            key_id: bytes(key_id, "assertion.key_id")?,
            object: bytes(assertion_object, "assertion.assertion_object")?,
        })),
    }
}

async fn record(
    state: &State,
    presented: &Presented,
    given: Option<&Given>,
    names: &Names,
    now: i64,
) -> Result<Verdict, Error> {
    let record = async |db: &mut Connection| -> Result<Verdict, Error> {
        let known = store::find(db, presented.jkt.as_str()).await?.ok_or(Error::InstanceUnknown)?;
        let (level, build) = (level(&known)?, build(&known, presented)?);
        let app_build = known.app_build.clone();
        let mut failed = standing(state, presented, &known, level, &build);
        if let Some(given) = given {
            let mut found = asserted(state, db, presented, given).await?;
            // A key of evidence that was refused was not kept, and that the phone goes on using it is no lie.
            found.refusals.retain(|reason| known.believed || *reason != Reason::AssertionMissing);
            failed.merge(found);
        }
        let Failed { refusals: reasons, notes } = failed;
        let verdict = Verdict { kind: "assertion", level, build, reasons, notes };
        let at = time(now)?;
        let instance = Instance {
            decoyed: verdict.has_lie(),
            renewed_at: at,
            app_build: if verdict.is_genuine() { verdict.build.to_string() } else { app_build },
            ..known
        };
        store::save(db, &instance).await?;
        let issued = (names.support_id.as_str(), names.token_ids.as_slice());
        verdicts::store::insert(db, &verdict, presented, issued, state.issuer.policy(), at).await?;
        Ok(verdict)
    };
    transaction(&state.pool, "assertions.record", record).await
}

/// What the policy of today says of an instance that was let in under an earlier one.
fn standing(state: &State, presented: &Presented, known: &Instance, level: Level, build: &Build) -> Failed {
    let same = known.platform == presented.app.platform.as_str()
        && known.app_id == presented.app.id
        && known.client_id == presented.client_id;
    let mut failed = state.examiner.standing(presented.app.platform, level, build);
    if known.decoyed {
        failed.refusals.push(Reason::Sticky);
    }
    if !known.believed {
        failed.refusals.push(Reason::NotBelieved);
    }
    if !same {
        failed.refusals.push(Reason::AppMismatch);
    }
    // An update that has not attested yet, or a phone that would like to pass the floor.
    if *build != presented.app.build {
        failed.notes.push(Reason::BuildMismatch);
    }
    failed
}

/// The assertion is by this instance's App Attest key, about this request, and its counter is new.
async fn asserted(state: &State, db: &mut Connection, presented: &Presented, given: &Given) -> Result<Failed, Error> {
    let key = store::key(db, &given.key_id, presented.jkt.as_str()).await?;
    let Some(key) = key.and_then(|key| <[u8; 65]>::try_from(key).ok()) else {
        return Ok(Reason::AssertionMissing.into());
    };
    match state.examiner.assertion(&given.object, &key, presented) {
        Err(failed) => Ok(failed),
        Ok(asserted) => {
            let raised = store::raise_counter(db, &given.key_id, asserted.counter).await?;
            let refusals = if raised { Vec::new() } else { vec![Reason::CounterReplayed] };
            Ok(Failed { refusals, notes: asserted.notes })
        }
    }
}

/// The build that evidence proves, where it does.
fn build(known: &Instance, presented: &Presented) -> Result<Build, Error> {
    // By what it enrolled as: the request's platform is the phone's word.
    if known.platform == Platform::Android.as_str() {
        known.app_build.parse().map_err(|_| Error::Internal("an instance of impossible build"))
    } else {
        Ok(presented.app.build.clone())
    }
}

fn level(known: &Instance) -> Result<Level, Error> {
    let levels = [Level::Software, Level::Tee, Level::StrongBox, Level::SecureEnclave];
    levels
        .into_iter()
        .find(|level| level.as_str() == known.level)
        .ok_or(Error::Internal("an instance of unknown level"))
}
