//! x
pub mod ecb;
pub mod gate;
pub mod scrub;
