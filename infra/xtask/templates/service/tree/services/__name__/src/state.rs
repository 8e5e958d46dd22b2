//! What the handlers share.

use std::sync::Arc;

use anyhow::ensure;
use api::__name__::NOTE;
use runtime::{Clock, Context};
use storage::Pool;

use crate::config::Config;

pub(crate) struct State {
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    /// Characters of a note at most.
    pub(crate) longest: usize,
}

impl State {
    pub(crate) fn new(config: &Config, context: &Context) -> anyhow::Result<Self> {
        let longest = config.notes.longest;
        ensure!((1..=NOTE).contains(&longest), "notes.longest is {longest}, and has to be 1 to {NOTE}");
        Ok(Self { pool: context.database()?, clock: Arc::clone(&context.clock), longest })
    }
}
