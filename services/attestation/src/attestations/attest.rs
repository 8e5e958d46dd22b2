//! `POST /v1/attestations`: a new instance.

use api::attestation::{Attest, Attested, Evidence, Platform, Purpose};
use storage::{Connection, transaction};

use super::Presented;
use super::issue::Names;
use super::presented::Fields;
use crate::challenges::{self, time};
use crate::error::Error;
use crate::evidence::{Examination, Reason};
use crate::examiner::Given;
use crate::instances::store::{self, Instance};
use crate::state::State;
use crate::verdicts::{self, Verdict};

/// Takes evidence for what it is.
pub(crate) async fn attest(state: &State, request: &Attest) -> Result<Attested, Error> {
    let now = state.clock.unix();
    let challenge = state.challenges.read(&request.challenge, request.platform, Purpose::Attestation, now)?;
    let presented = Presented::read(&fields(request), &challenge.bytes, &state.examiner.clients(), now)?;
    let given = decode(&request.evidence, request.platform)?;
    state.examiner.ready(request.platform, now)?;
    challenges::spend(&state.pool, &challenge).await?;

    let examination =
        tracing::info_span!("evidence.examine").in_scope(|| state.examiner.examine(&given, &presented, now));
    let names = state.issuer.names();
    let verdict = record(state, &presented, &examination, &names, now).await?;
    verdict.audit(&names.support_id, &presented.jkt, request.platform);
    state.issuer.issue(verdict.is_genuine(), &presented, verdict.level, &names, now)
}

fn fields(request: &Attest) -> Fields<'_> {
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

/// Base64 and the right platform; whether it is evidence at all is the examiner's question.
fn decode(evidence: &Evidence, platform: Platform) -> Result<Given, Error> {
    let bytes = |text: &str, field| crypto::b64::decode_standard(text).map_err(|_| Error::Evidence { field });
    match (evidence, platform) {
        (Evidence::AndroidKey { certificates }, Platform::Android) => {
            let chain = certificates.iter().map(|text| bytes(text, "evidence.certificates"));
            Ok(Given::Android { chain: chain.collect::<Result<_, _>>()? })
        }
        (Evidence::AppAttest { key_id, attestation_object }, Platform::Ios) => Ok(Given::Apple {
            key_id: bytes(key_id, "evidence.key_id")?,
            object: bytes(attestation_object, "evidence.attestation_object")?,
        }),
        _ => Err(Error::Evidence { field: "evidence.format" }),
    }
}

/// One transaction: what was found out, what it means for the instance, and the verdict.
async fn record(
    state: &State,
    presented: &Presented,
    found: &Examination,
    names: &Names,
    now: i64,
) -> Result<Verdict, Error> {
    let record = async |db: &mut Connection| -> Result<Verdict, Error> {
        let at = time(now)?;
        let reasons = reasons(db, presented, found, now).await?;
        let (level, build) = (found.level, presented.app.build.clone());
        let verdict = Verdict { kind: "attestation", level, build, reasons, notes: found.notes.clone() };
        let instance = Instance {
            jkt: presented.jkt.as_str().to_owned(),
            platform: presented.app.platform.as_str().to_owned(),
            client_id: presented.client_id.clone(),
            app_id: presented.app.id.clone(),
            app_build: presented.app.build.to_string(),
            level: verdict.level.as_str().to_owned(),
            // A lie sticks; what a policy refuses is judged anew, and is not believed until then.
            decoyed: verdict.has_lie(),
            believed: verdict.is_genuine(),
            attested_at: at,
            renewed_at: at,
        };
        store::save(db, &instance).await?;
        let issued = (names.support_id.as_str(), names.token_ids.as_slice());
        verdicts::store::insert(db, &verdict, presented, issued, state.issuer.policy(), at).await?;
        Ok(verdict)
    };
    transaction(&state.pool, "attestations.record", record).await
}

/// The examination's reasons, and those that only memory knows: this instance, this evidence, this key were here before.
async fn reasons(
    db: &mut Connection,
    presented: &Presented,
    found: &Examination,
    now: i64,
) -> Result<Vec<Reason>, Error> {
    let mut reasons = found.refusals.clone();
    let known = store::find(db, presented.jkt.as_str()).await?;
    if known.as_ref().is_some_and(|instance| instance.decoyed) {
        reasons.push(Reason::Sticky);
    }
    // An Android key is made for one attestation; there is no second one for it.
    if known.is_some() && presented.app.platform == Platform::Android {
        reasons.push(Reason::Reused);
    }
    // Evidence is used up last, by what is good in every other way: nobody burns somebody else's.
    if reasons.is_empty() && !store::use_evidence(db, &found.evidence_hash, time(now)?).await? {
        reasons.push(Reason::Reused);
    }
    if let (true, Some(key)) = (reasons.is_empty(), &found.assertion_key)
        && !store::add_key(db, key, presented.jkt.as_str()).await?
    {
        reasons.push(Reason::Reused);
    }
    Ok(reasons)
}
