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
use storage::{Connection, subject_transaction};

use super::Presented;
use super::issue::Names;
use super::presented::Fields;
use crate::challenges::{self, time};
use crate::error::Error;
use crate::evidence::{Failed, Reason, broken};
use crate::instances::store::{self, Instance};
use crate::state::State;
use crate::verdicts::{self, Verdict};

/// What came with an assertion, decoded.
struct DecodedAssertion {
    key_id: Vec<u8>,
    object: Vec<u8>,
}

/// Renews an instance.
pub(crate) async fn assert(state: &State, request: &Assert) -> Result<Attested, Error> {
    let now = state.clock.unix();
    let challenge = state.challenges.read(&request.challenge, request.platform, Purpose::Assertion, now)?;
    let given = decode(request)?;
    let mut presented = Presented::read(&fields(request), &challenge.bytes, &state.examiner.clients(), now)?;
    challenges::consume(&state.pool, &challenge).await?;

    let names = state.issuer.names();
    let verdict = record(state, &presented, given.as_ref(), &names, now).await?;
    verdict.audit(&names.support_id, &presented.jkt, request.platform);
    presented.app.build.clone_from(&verdict.build);
    let level = state.examiner.shown(&verdict, request.platform);
    state.issuer.issue(verdict.is_genuine(), &presented, level, &names, now)
}

fn fields(request: &Assert) -> Fields<'_> {
    Fields {
        challenge: &request.challenge,
        platform: request.platform,
        client_id: &request.client_id,
        app: &request.app,
        device_key: &request.device_key,
        session_public_key: &request.session_public_key,
        // Default: Android shows nothing but its proof.
        shown: request.assertion.as_ref().map(Assertion::parts).unwrap_or_default(),
        proof: &request.proof,
    }
}

fn decode(request: &Assert) -> Result<Option<DecodedAssertion>, Error> {
    let bytes = |text: &str, field| crypto::b64::decode_standard(text).map_err(|_| Error::Evidence { field });
    match (request.platform, &request.assertion) {
        (Platform::Android, None) => Ok(None),
        (Platform::Android, Some(_)) => Err(Error::Invalid { field: "assertion", detail: "not on this platform" }),
        (Platform::Ios, None) => Err(Error::Invalid { field: "assertion", detail: "required on this platform" }),
        (Platform::Ios, Some(Assertion::AppAttest { key_id, assertion_object })) => Ok(Some(DecodedAssertion {
            key_id: bytes(key_id, "assertion.key_id")?,
            object: bytes(assertion_object, "assertion.assertion_object")?,
        })),
    }
}

async fn record(
    state: &State,
    presented: &Presented,
    given: Option<&DecodedAssertion>,
    names: &Names,
    now: i64,
) -> Result<Verdict, Error> {
    let record = async |db: &mut Connection| -> Result<Verdict, Error> {
        let jkt = &presented.jkt;
        let known = store::find(db, jkt).await?.ok_or(Error::InstanceUnknown)?;
        let kept = store::kept(db, jkt).await?;
        let (level, build) = (known.level.0, build(&known, presented)?);
        let app_build = known.app_build.clone();
        let mut failed = state.examiner.reexamine(presented.app.platform, level, &build, kept.as_deref());
        if kept.is_none() && known.believed {
            failed.notes.push(Reason::EvidenceNotKept);
        }
        let mut shown = instance_rules(presented, &known, &build);
        if let Some(given) = given {
            let mut found = asserted(state, db, presented, given).await?;
            // A key of evidence that was refused was not kept, and that the phone goes on using it is no lie.
            found.refusals.retain(|reason| known.believed || *reason != Reason::AssertionMissing);
            shown.merge(found);
        }
        // Only what it shows now can be a lie, never what a list or a policy has come to think of it.
        let lied = shown.refusals.iter().any(|reason| reason.is_lie());
        failed.merge(shown);
        let Failed { refusals: reasons, notes } = failed;
        let verdict = Verdict { kind: Purpose::Assertion, level, build, reasons, lied, notes };
        let at = time(now)?;
        let instance = Instance {
            decoyed: verdict.lied,
            renewed_at: at,
            app_build: if verdict.is_genuine() { verdict.build.to_string() } else { app_build },
            ..known
        };
        store::save(db, &instance).await?;
        verdicts::store::insert(db, &verdict, presented, names, state.issuer.policy(), at).await?;
        Ok(verdict)
    };
    subject_transaction(&state.pool, "assertions.record", presented.jkt.as_str(), record).await
}

/// What is known of the instance, beside what the request says of it.
fn instance_rules(presented: &Presented, known: &Instance, build: &Build) -> Failed {
    let same = known.platform.0 == presented.app.platform
        && known.app_id.0 == presented.app.id
        && known.client_id.0 == presented.client_id;
    let rules = [(!known.decoyed, Reason::Sticky), (known.believed, Reason::NotBelieved), (same, Reason::AppMismatch)];
    // An update that has not attested yet, or a phone that would like to pass the floor.
    let notes = if *build == presented.app.build { Vec::new() } else { vec![Reason::BuildMismatch] };
    Failed { refusals: broken(rules), notes }
}

/// The assertion is by this instance's App Attest key, about this request, and its counter is new.
///
/// Whatever comes out, a signature is verified and the same statements run: without a key of the instance, under the phone's own device key.
async fn asserted(
    state: &State,
    db: &mut Connection,
    presented: &Presented,
    given: &DecodedAssertion,
) -> Result<Failed, Error> {
    let key = store::key(db, &given.key_id, &presented.jkt).await?;
    let tells_build = key.as_ref().is_some_and(|key| key.tells_build);
    let public = key.map(|key| <[u8; 65]>::try_from(key.public)).transpose();
    let public = public.map_err(|_| Error::Internal("an App Attest key of impossible length"))?;
    let device_key = presented.device_key.public_key().as_uncompressed();
    let verified =
        // Default: without a key there is still one to verify with, and what comes of it is not looked at.
        state.examiner.assertion(&given.object, public.as_ref().unwrap_or(device_key), tells_build, presented);
    let verified = if public.is_some() { verified } else { Err(Reason::AssertionMissing.into()) };
    let raised = store::raise_counter(db, &given.key_id, verified.as_ref().ok()).await?;
    match verified {
        Err(failed) => Ok(failed),
        Ok(asserted) => {
            let refusals = if raised { Vec::new() } else { vec![Reason::CounterReplayed] };
            Ok(Failed { refusals, notes: asserted.notes })
        }
    }
}

/// The build that evidence proves, where it does.
fn build(known: &Instance, presented: &Presented) -> Result<Build, Error> {
    // By what it enrolled as: the request's platform is the phone's word.
    if known.platform.0 == Platform::Android {
        known.app_build.parse().map_err(|_| Error::Internal("an instance of impossible build"))
    } else {
        Ok(presented.app.build.clone())
    }
}
