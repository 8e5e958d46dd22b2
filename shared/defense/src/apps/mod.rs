//! Which apps are let in, and by which keys.

mod file;
mod key;
mod register;

pub use file::{RegisterFile, RegisterFileError};
pub use key::{ApiKey, ApiKeyId};
pub use register::{AppRegister, KeyRefusal, KeyedApp, RegisterError, Standing};
