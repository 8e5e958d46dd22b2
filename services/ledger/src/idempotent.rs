//! The result of an intent, which is carried out once, however often its sender asks for it.

/// The result, the same every time.
#[derive(Debug)]
pub struct Idempotent<T> {
    /// What came of it.
    pub result: T,
    /// It was there before.
    pub replayed: bool,
}
