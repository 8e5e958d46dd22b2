//! Which apps are let in.

mod key;
mod register;

pub use key::{ApiKey, ApiKeyId};
pub use register::{AppRegister, KeyRefusal, KeyedApp, RegisterError, Standing};
