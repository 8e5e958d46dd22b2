//! `cargo xtask compose`: the system in containers, and what the story and the phones need to stand before it.
//!
//! `engine` speaks with Docker, `system` brings a project up and down, `probe` looks for ways out, `cost` measures, `inside` is what its one-shot containers do.

mod cost;
mod engine;
mod inside;
mod probe;
mod system;

use std::path::Path;

use anyhow::{Result, anyhow};

use crate::options::Options;
use crate::stop::Stop;
pub(crate) use cost::cost;
use engine::Engine;
pub(crate) use engine::{docker, provide, variable};
pub(crate) use system::{demo, running};

/// The project that is meant when none is named.
const PROJECT: &str = "redoubt";

pub(crate) fn run(options: &Options) -> Result<()> {
    let usage = || anyhow!(Stop::Usage(options.command.help()));
    let (verb, rest) = options.rest.split_first().ok_or_else(usage)?;
    let (mut project, mut offline, mut volumes) = (PROJECT.to_owned(), false, false);
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--project" => project.clone_from(rest.next().ok_or_else(usage)?),
            "--offline" if verb == "up" => offline = true,
            "--volumes" if verb == "down" => volumes = true,
            _ => return Err(usage()),
        }
    }
    let engine = Engine { project, offline, environment: Vec::new() };
    match verb.as_str() {
        "up" => system::up(engine),
        "down" => system::down(&engine, volumes),
        "probe" => Engine::check().and_then(|()| probe::run(&engine)),
        "keys" => inside::keys(),
        "init" => inside::init(),
        "edge" => inside::edge(Path::new(inside::EDGE)),
        _ => Err(usage()),
    }
}
