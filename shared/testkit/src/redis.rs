//! A Redis of its own for one test, by the ladder.

pub use ladder::redis::Server;

use crate::missing::may_be_missing;

/// Starts one; `None` after a complaint that nobody overlooks ([`may_be_missing`]; `REDOUBT_REDIS_WAIVED` goes without).
pub fn start() -> Option<Server> {
    let say = |line: &str| drop(std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes()));
    match Server::start(&crate::database::work_dir(), say) {
        Ok(server) => Some(server),
        Err(reason) => {
            may_be_missing("Redis", "REDOUBT_REDIS_WAIVED", &reason);
            None
        }
    }
}
