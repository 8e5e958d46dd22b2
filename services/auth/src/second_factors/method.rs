//! What was shown beside the password, and what tokens say of it.

use strum::{AsRefStr, EnumString};

/// A second factor that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsRefStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum SecondFactor {
    /// A code of the authenticator app.
    Otp,
    /// A passkey.
    Passkey,
    /// A recovery code.
    Recovery,
}

impl SecondFactor {
    /// The `amr` of whoever has shown a password and this beside it (RFC 8176 §2).
    ///
    /// For a code on paper there is no value of its own, and `otp` is the app's. Of a passkey it says what was proved: that somebody has the key (`pop`), and that
    /// they were there (`user`). Whether the key lies in hardware (`hwk`) or not (`swk`), nobody has attested; nor by what the authenticator knew them.
    pub fn methods(second: Option<Self>) -> &'static [&'static str] {
        match second {
            None => &["pwd"],
            Some(Self::Otp) => &["pwd", "otp", "mfa"],
            Some(Self::Passkey) => &["pwd", "pop", "user", "mfa"],
            Some(Self::Recovery) => &["pwd", "mfa"],
        }
    }
}
