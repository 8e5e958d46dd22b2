//! A Redis in a container, for one test.

use std::time::Duration;

use ladder::shell;
use testcontainers::{CopyTargetOptions, ImageExt};

use super::Container;

/// Where its settings stand, in the container.
const SETTINGS: &str = "/etc/redoubt-redis.conf";

/// One that runs.
#[derive(Debug)]
pub(crate) struct Redis {
    container: Container,
    password: String,
}

impl Redis {
    pub(crate) fn start(image: &str) -> Result<Self, String> {
        let password = shell::random_hex(16)?;
        // In a file: arguments are read by every account of this machine.
        let settings = format!(
            "bind 0.0.0.0\nport 6379\nrequirepass {password}\nsave \"\"\nappendonly no\nmaxmemory-policy noeviction\n"
        );
        let container = Container::start(image, 6379, "redis", |request| {
            // Official images run their server as an account of its own.
            let target = CopyTargetOptions::new(SETTINGS).with_mode(0o644);
            request.with_copy_to(target, settings.clone().into_bytes()).with_cmd(["redis-server", SETTINGS])
        })?;
        let server = Self { container, password };
        server.wait()?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:{}@{}", self.password, self.container.address())
    }

    pub(crate) fn container(&self) -> &Container {
        &self.container
    }

    /// Empty again: what it had in memory is gone.
    pub(crate) fn restart(&self) -> Result<(), String> {
        self.container.kill()?;
        self.container.start_again()?;
        self.wait()
    }

    fn wait(&self) -> Result<(), String> {
        let answers = || ladder::redis::answers(&self.container.address(), &self.password).then_some(());
        shell::poll(Duration::from_mins(1), answers).ok_or_else(|| "the container's Redis does not answer".to_owned())
    }
}
