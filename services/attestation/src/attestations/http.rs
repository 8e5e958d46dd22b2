//! `POST /v1/attestations` and `POST /v1/assertions`. Public: this is where a caller becomes known.

use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use api::attestation::{Assert, Attest, Attested, Platform};
use defense::{KeyedApp, Public};
use identity::attested_answer;
use runtime::contract::{Described, Operation};
use runtime::{ApiJson, Refusal, Refuse as _, Who};

use crate::error::Error;
use crate::state::State;

/// [`Attested`] as JSON, in the bytes that are signed.
pub(crate) struct SignedAnswer {
    body: Vec<u8>,
    signature: String,
}

impl Described for SignedAnswer {
    fn describe(operation: &mut Operation) {
        operation.answers::<Attested>(201, "application/json");
        let meaning = "A compact JWS over this answer and the request's proof, by a key that the app has pinned.";
        operation.answers_header(201, "Attested-Signature", meaning);
    }
}

impl Responder for SignedAnswer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Created()
            .insert_header((api::header::ATTESTED_SIGNATURE, self.signature))
            .content_type("application/json")
            .body(self.body)
    }
}

pub(crate) async fn attest(
    _: Public,
    keyed: web::ReqData<Arc<KeyedApp>>,
    state: web::Data<State>,
    body: ApiJson<Attest>,
) -> Result<SignedAnswer, Refusal> {
    let answer = async {
        of_keyed_platform(&keyed, body.0.platform).map_err(refused)?;
        let attested = super::attest(&state, &body.0).await.map_err(refused)?;
        signed(&state, &body.0.proof, &attested)
    };
    state.answer_slots.pad(answer).await
}

pub(crate) async fn assert(
    _: Public,
    keyed: web::ReqData<Arc<KeyedApp>>,
    state: web::Data<State>,
    body: ApiJson<Assert>,
) -> Result<SignedAnswer, Refusal> {
    let answer = async {
        of_keyed_platform(&keyed, body.0.platform).map_err(refused)?;
        let attested = super::assert(&state, &body.0).await.map_err(refused)?;
        signed(&state, &body.0.proof, &attested)
    };
    state.answer_slots.pad(answer).await
}

/// The key of the app on one platform is none on the other. Which app it is, the evidence says, and its judgement is told to nobody.
fn of_keyed_platform(keyed: &KeyedApp, platform: Platform) -> Result<(), Error> {
    (keyed.platform == platform).then_some(()).ok_or(Error::AppOfAnotherKey)
}

/// Written before the time slot ends: whoever hangs up meanwhile is in the audit log nevertheless.
fn refused(error: Error) -> Refusal {
    let refusal = error.refusal(&Who::default());
    refusal.write();
    refusal
}

/// The answer with the server's signature, whatever is in it.
fn signed(state: &State, proof: &str, attested: &Attested) -> Result<SignedAnswer, Refusal> {
    let body = serde_json::to_vec(attested).map_err(|error| Refusal::internal(&error))?;
    let signature =
        attested_answer::sign(&state.answer_key, proof, &body).map_err(|error| Refusal::internal(&error))?;
    Ok(SignedAnswer { body, signature })
}
