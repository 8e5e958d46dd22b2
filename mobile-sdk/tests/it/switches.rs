//! How the test backend shall behave.

use super::on_the_way::OnTheWay;

/// Fixed for a test.
#[derive(Default, Clone)]
pub(crate) struct Switches {
    pub(crate) signed: Signed,
    pub(crate) token_type: Option<&'static str>,
    pub(crate) id_token_nonce: Option<&'static str>,
    pub(crate) metadata_issuer: Option<&'static str>,
    pub(crate) refresh_error: Option<&'static str>,
    pub(crate) no_refresh_token: bool,
    /// The API gives out no key to seal to.
    pub(crate) seals_nothing: bool,
    pub(crate) on_the_way: OnTheWay,
}

/// How API answers are signed.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) enum Signed {
    #[default]
    Yes,
    No,
    /// The body is changed after signing.
    Forged,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Carry it out, and close the connection without an answer.
    HangAfter,
    /// 503 with `Retry-After: 0`.
    Busy,
    /// 503 with `Retry-After` of an hour.
    BusyForLong,
    /// The generic refusal, unsigned, and nothing carried out.
    Unauthorized,
    /// 503 with `Retry-After` of so many seconds, signed, and nothing carried out.
    SignedBusy(&'static str),
    /// This problem, unsigned, and nothing carried out.
    Problem(u16, &'static str),
    /// This status with a text, unsigned.
    Text(u16),
    /// Carry it out, and sign this problem.
    SignedProblem(u16, &'static str),
    /// Carry it out, and sign a success that is not the JSON of any call.
    SignedText,
    /// Carry it out, and answer with another signature than the switches say.
    Sign(Signed),
}
