//! The register as a file that is read again while the service runs, so that a key is switched off within seconds on all machines that have it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use runtime::Shutdown;

use super::register::{AppRegister, RegisterError};

/// How often it is looked at. A key that is switched off is refused within five seconds: two of these and the reading.
const EVERY: Duration = Duration::from_secs(2);
/// A larger one is no register.
const MOST_BYTES: u64 = 1024 * 1024;

/// A register and where it comes from.
pub struct RegisterFile {
    path: PathBuf,
    current: RwLock<Arc<AppRegister>>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegisterFileError {
    /// It cannot be read.
    #[error("register of apps {path}: {source}")]
    Io {
        /// Where it should be.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// It is larger than a register.
    #[error("register of apps {path} has more than {MOST_BYTES} bytes")]
    Size {
        /// Where it is.
        path: PathBuf,
    },
    /// It is no register.
    #[error("register of apps {path}: {source}")]
    Content {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        source: RegisterError,
    },
}

impl RegisterFile {
    /// Reads it for the first time: without a register there is no service.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, RegisterFileError> {
        let register = AppRegister::parse(&read(path)?)
            .map_err(|source| RegisterFileError::Content { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), current: RwLock::new(Arc::new(register)) })
    }

    /// The register as it is now.
    pub fn current(&self) -> Arc<AppRegister> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads it again every two seconds. One that cannot be read changes nothing: the last good one goes on, and the log says why.
    pub(crate) async fn keep_current(self: Arc<Self>, shutdown: Shutdown) {
        let mut complaint = None;
        while shutdown.pause(EVERY).await {
            let this = Arc::clone(&self);
            let again = tokio::task::spawn_blocking(move || this.read_again());
            let said = match again.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if said != complaint {
                if let Some(error) = &said {
                    runtime::tracing::error!(cause = %error, "the register of apps was not read again");
                }
                complaint = said;
            }
        }
    }

    fn read_again(&self) -> Result<(), RegisterFileError> {
        let register = Self::open(&self.path)?.current();
        if *register != *self.current() {
            runtime::tracing::info!("the register of apps has changed");
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = register;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, RegisterFileError> {
    let failed = |source| RegisterFileError::Io { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > MOST_BYTES {
        return Err(RegisterFileError::Size { path: path.to_owned() });
    }
    std::fs::read_to_string(path).map_err(failed)
}
