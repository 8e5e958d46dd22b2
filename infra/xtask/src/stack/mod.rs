//! The whole system on this machine: PostgreSQL, PKI, partner, collector and the services, each a process of its own.
//!
//! What there is stands in `infra/system.toml`. `plan` says which system and what is built, `config` and `ports` what each part is told; `bring` makes and
//! starts it all (after what `preparation` makes), `ready` waits for it, and [`Stack`] (`running`) is what then runs.

mod aside;
mod bring;
pub(crate) mod config;
mod console;
mod description;
mod loads;
mod partners;
mod plan;
mod ports;
mod preparation;
mod ready;
mod running;

pub(crate) use console::{CONSOLE, DESK};
pub(crate) use description::Description;
pub(crate) use loads::Loads;
pub(crate) use plan::{Kind, programs};
pub(crate) use ports::Ports;
pub(crate) use preparation::Preparation;
pub(crate) use running::Stack;
