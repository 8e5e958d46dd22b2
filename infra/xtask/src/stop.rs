//! Reasons to stop that have an exit code of their own.

use std::process::ExitCode;

use ladder::Unavailable;

use crate::say;

/// Why a command ends other than by failing at its work.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The command line is wrong; how, and what would be right.
    Usage(String),
    /// Ctrl-C or SIGTERM; everything has been stopped in order.
    Interrupted,
    /// A program that was run did not end well; its exit code is passed on.
    Failed(u8, String),
    /// Likewise, and it has told the person all there is to say.
    Told(u8),
}

impl std::error::Error for Stop {}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted; what was started has been stopped and removed"),
            Self::Usage(text) | Self::Failed(_, text) => f.write_str(text),
            Self::Told(code) => write!(f, "a program that was run ended with {code}"),
        }
    }
}

/// Says why, unless that has been said.
pub(crate) fn report(error: &anyhow::Error) {
    if !matches!(error.downcast_ref(), Some(Stop::Told(_))) {
        say::failure(&format!("{error:#}"));
    }
}

/// 2 usage, 3 no PostgreSQL, 130 interrupted, a program's own code, else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<Unavailable>().is_some() {
        return ExitCode::from(ladder::EXIT_CODE);
    }
    match error.downcast_ref() {
        Some(Stop::Usage(_)) => ExitCode::from(2),
        Some(Stop::Interrupted) => ExitCode::from(130),
        Some(Stop::Failed(code, _) | Stop::Told(code)) => ExitCode::from(*code),
        None => ExitCode::FAILURE,
    }
}
