//! `POST /v1/attestations`: a new instance.

use api::attestation::{Attest, Attested, Evidence, Platform, Purpose};
use chrono::{DateTime, Utc};
use storage::{AsText, Connection, connection, subject_transaction};
use tracing::Instrument as _;

use super::Presented;
use super::issue::Names;
use super::presented::Fields;
use crate::challenges::{self, time};
use crate::error::Error;
use crate::evidence::{Examination, Failed, Reason};
use crate::examiner::DecodedEvidence;
use crate::instances::store::{self, Instance, Kept};
use crate::state::State;
use crate::verdicts::{self, Verdict};

/// Takes evidence for what it is.
pub(crate) async fn attest(state: &State, request: &Attest) -> Result<Attested, Error> {
    let now = state.clock.unix();
    let challenge = state.challenges.read(&request.challenge, request.platform, Purpose::Attestation, now)?;
    let given = decode(&request.evidence, request.platform)?;
    let presented = Presented::read(&fields(request), &challenge.bytes, &state.examiner.clients(), now)?;
    state.examiner.ready(request.platform, now)?;
    challenges::consume(&state.pool, &challenge).await?;

    let examination =
        tracing::info_span!("evidence.examine").in_scope(|| state.examiner.examine(&given, &presented, now));
    let limit = count(state, &examination, request.platform, now).await?;
    let names = state.issuer.names();
    let verdict = record(state, &presented, &given, &examination, limit, &names, now).await?;
    verdict.audit(&names.support_id, &presented.jkt, request.platform);
    let level = state.examiner.shown(&verdict, request.platform);
    state.issuer.issue(verdict.is_genuine(), &presented, level, &names, now)
}

fn fields(request: &Attest) -> Fields<'_> {
    Fields {
        challenge: &request.challenge,
        platform: request.platform,
        client_id: &request.client_id,
        app: &request.app,
        device_key: &request.device_key,
        session_public_key: &request.session_public_key,
        shown: request.evidence.parts(),
        proof: &request.proof,
    }
}

/// Base64 and the right platform; whether it is evidence at all is the examiner's question.
fn decode(evidence: &Evidence, platform: Platform) -> Result<DecodedEvidence, Error> {
    let bytes = |text: &str, field| crypto::b64::decode_standard(text).map_err(|_| Error::Evidence { field });
    match (evidence, platform) {
        (Evidence::AndroidKey { certificates }, Platform::Android) => {
            let chain = certificates.iter().map(|text| bytes(text, "evidence.certificates"));
            Ok(DecodedEvidence::Android { chain: chain.collect::<Result<_, _>>()? })
        }
        (Evidence::AppAttest { key_id, attestation_object }, Platform::Ios) => Ok(DecodedEvidence::Apple {
            key_id: bytes(key_id, "evidence.key_id")?,
            object: bytes(attestation_object, "evidence.attestation_object")?,
        }),
        _ => Err(Error::Evidence { field: "evidence.format" }),
    }
}

/// One transaction: what was found out, what it means for the instance, and the verdict. The statements do not depend on the verdict.
async fn record(
    state: &State,
    presented: &Presented,
    given: &DecodedEvidence,
    found: &Examination,
    limit: Failed,
    names: &Names,
    now: i64,
) -> Result<Verdict, Error> {
    let kept = Kept {
        parts: given.parts(),
        attesting: found.attesting.map(Vec::from),
        patch_level: found.patch_level.and_then(|level| i32::try_from(level).ok()).filter(|level| *level <= 999_999),
    };
    let record = async |db: &mut Connection| -> Result<Verdict, Error> {
        let at = time(now)?;
        let Failed { refusals: reasons, notes } = judge(db, presented, found, &limit, at).await?;
        let verdict = Verdict {
            kind: Purpose::Attestation,
            level: found.level,
            build: presented.app.build.clone(),
            // A lie sticks; what a policy refuses is judged anew, and is not believed until then.
            lied: reasons.iter().any(|reason| reason.is_lie()),
            reasons,
            notes,
        };
        let jkt = &presented.jkt;
        let instance = Instance {
            jkt: AsText(jkt.clone()),
            platform: AsText(presented.app.platform),
            client_id: AsText(presented.client_id.clone()),
            app_id: AsText(presented.app.id.clone()),
            app_build: presented.app.build.to_string(),
            level: AsText(verdict.level),
            decoyed: verdict.lied,
            believed: verdict.is_genuine(),
            attested_at: at,
            renewed_at: at,
        };
        store::save(db, &instance).await?;
        store::keep(db, jkt, &kept, at, verdict.is_genuine()).await?;
        verdicts::store::insert(db, &verdict, presented, names, state.issuer.policy(), at).await?;
        Ok(verdict)
    };
    subject_transaction(&state.pool, "attestations.record", presented.jkt.as_str(), record).await
}

/// Counts an enrolment by this attestation key, whatever else is thought of the evidence, and says whether there were too many today.
///
/// In a transaction of its own, because the counter is one row for all phones of a batch: held until the verdict is written it would make those
/// that are believed wait for each other, and the others not, which tells.
async fn count(state: &State, found: &Examination, platform: Platform, now: i64) -> Result<Failed, Error> {
    if platform != Platform::Android {
        return Ok(Failed::default());
    }
    let day = time(now)?.date_naive();
    let count = async {
        let mut db = connection(&state.pool).await?;
        store::enrolments(&mut db, found.attesting.as_ref(), day).await
    };
    let today = count.instrument(storage::span("attesting_days.count")).await?;
    Ok(state.examiner.enrolments(found, today))
}

/// The examination's reasons, and those that only memory knows: this instance, this evidence, this key were here before.
async fn judge(
    db: &mut Connection,
    presented: &Presented,
    found: &Examination,
    limit: &Failed,
    at: DateTime<Utc>,
) -> Result<Failed, Error> {
    let mut reasons = found.refusals.clone();
    let known = store::find(db, &presented.jkt).await?;
    if known.as_ref().is_some_and(|instance| instance.decoyed) {
        reasons.push(Reason::Sticky);
    }
    // An Android key is made for one attestation; there is no second one for it.
    if known.is_some() && presented.app.platform == Platform::Android {
        reasons.push(Reason::Reused);
    }
    reasons.extend(&limit.refusals);
    let notes = [&found.notes[..], &limit.notes].concat();
    // Evidence is used up last, by what is good in every other way: nobody burns somebody else's.
    let fresh = store::use_evidence(db, &found.evidence_hash, at, reasons.is_empty()).await?;
    if reasons.is_empty() && !fresh {
        reasons.push(Reason::Reused);
    }
    if presented.app.platform == Platform::Ios {
        let key = found.assertion_key.as_ref().filter(|_| reasons.is_empty());
        let added = store::add_key(db, key, &presented.jkt, found.has_map).await?;
        if key.is_some() && !added {
            reasons.push(Reason::Reused);
        }
    }
    Ok(Failed { refusals: reasons, notes })
}
