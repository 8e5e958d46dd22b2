//! What is known now: the profiles in memory, made of the log of events and labels and of nothing else.
//!
//! Whoever writes to the log takes the next number and holds it until the commit ([`store`]), so the order of the numbers is the order of the commits, and
//! who has seen one number has seen all before it. The fold ([`follow`]) reads the log in that order, at the start as later: a process that was started
//! anew, and one that runs beside, come to the same profiles as the one that took the events, in whatever order these came.

pub(crate) mod follow;
pub(crate) mod live;
pub(crate) mod store;

use std::sync::Arc;

use runtime::{Clock, Context};
use storage::Pool;

use crate::config::Config;
use crate::decisions::writer::Handle;
use crate::scoring::bench::Bench;
use live::Live;

/// What the handlers share.
pub(crate) struct State {
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) live: Arc<Live>,
    pub(crate) bench: Bench,
    /// Tried beside it.
    pub(crate) dry_run: Option<Bench>,
    pub(crate) writer: Handle,
}

impl State {
    /// With profiles that know nobody yet; decisions go to `writer`.
    pub(crate) fn new(config: &Config, context: &Context, writer: Handle) -> anyhow::Result<Self> {
        let (bench, dry_run) = Bench::both(&config.judgement)?;
        Ok(Self {
            pool: context.database()?,
            clock: Arc::clone(&context.clock),
            live: Arc::default(),
            bench,
            dry_run,
            writer,
        })
    }
}
