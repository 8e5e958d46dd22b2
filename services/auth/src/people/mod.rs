//! People: their logins, their profiles, and how often somebody may try to be one of them.
//!
//! Invariants:
//! - an unknown address costs as much as a known one, is counted as one, and is answered as one;
//! - a try is counted before its password is looked at, so that many at once are not one try;
//! - [`Released`] is all that a client learns of a person: what the scopes that the person has consented to name (OpenID Connect
//!   Core §5.4), and no more; what is not released is not even opened;
//! - name and address are sealed in the database; they are found by a keyed hash and opened for their owner only.

mod confirm;
mod directory;
mod find;
mod log_in;
mod password_policy;
mod passwords;
mod register;
mod released;
mod store;

pub use confirm::{Confirmed, FRESH, confirm, is_fresh};
pub use directory::{Directory, Profile};
pub use find::find;

pub use log_in::{LogIn, log_in};
pub(crate) use log_in::{LoggedIn, advance};
pub use password_policy::MIN_CHARACTERS;
pub use passwords::{Busy, Passwords};
pub use register::{Registered, Registration, register};
pub use released::Released;
pub(crate) use released::profile;
