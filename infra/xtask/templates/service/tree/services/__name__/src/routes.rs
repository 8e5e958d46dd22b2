//! All routes; none of them is public. The permission stands in the handler's type; what it refuses becomes an answer in one way ([`with_refusals`]).

use actix_web::http::Method;
use defense::{Routes, policy};
use runtime::with_refusals;

use crate::notes;

runtime::problems! {
    /// Of a note that is written.
    Writing: 409 __NAME___NOTE_ID_REUSED;
    /// Of a note that is asked for.
    OneNote: 404 __NAME___NOTE_NOT_FOUND;
}

/// What workloads of the house reach.
pub(crate) fn internal() -> Routes {
    Routes::internal()
        .add(
            policy::Internal,
            Method::PUT,
            "/internal/v1/notes/{id}",
            "Write a note down, once",
            with_refusals::<Writing, _>(notes::http::put),
        )
        .add(
            policy::Internal,
            Method::GET,
            "/internal/v1/notes/{id}",
            "Read a note",
            with_refusals::<OneNote, _>(notes::http::get),
        )
}
