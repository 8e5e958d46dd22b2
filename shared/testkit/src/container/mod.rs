//! Servers in containers, by testcontainers (feature `docker`): what `cargo xtask test --containers` has the tests stand on.
//!
//! A container in a static is never dropped, and no container is by a process that is killed. The ladder's guard removes each, like everything else that a test
//! process starts. Its port is published on loopback only, and stays the same when it is started again.

pub(crate) mod postgres;
pub(crate) mod redis;

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};

use ladder::{Guard, shell};
use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};

/// Somebody else may have been given the free port that was found.
const PORT_ATTEMPTS: usize = 3;

/// A container that runs. It goes with this value.
#[derive(Debug)]
pub(crate) struct Container {
    /// Given away by `drop` alone.
    held: Option<Box<ContainerAsync<GenericImage>>>,
    port: u16,
    _guard: Guard,
}

impl Container {
    /// Starts one of this image, whose server listens on `inside`; `what` says more of it.
    pub(crate) fn start(
        image: &str,
        inside: u16,
        kind: &str,
        what: impl Fn(GenericImage) -> ContainerRequest<GenericImage>,
    ) -> Result<Self, String> {
        let docker = shell::which("docker").ok_or("the docker program is not here")?;
        let (repository, tag) = split(image);
        // Default: whoever runs tests without `cargo xtask test --containers` counts none.
        #[expect(clippy::disallowed_methods, reason = "tests are told their servers by the environment")]
        let run = std::env::var("REDOUBT_CONTAINERS_RUN").unwrap_or_else(|_| "of nobody".to_owned());
        let mut failure = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let name = format!("redoubt-{kind}-{}-{}", std::process::id(), shell::random_hex(4)?);
            let port = free_port()?;
            let guard = Guard::over_container(&docker, &name)?;
            let request = what(GenericImage::new(repository, tag).with_exposed_port(inside.tcp()))
                .with_container_name(&name)
                .with_label("dev.redoubt", &run)
                .with_host_config_modifier(move |host| publish(host, inside, port));
            match wait(request.start()) {
                Ok(held) => return Ok(Self { held: Some(Box::new(held)), port, _guard: guard }),
                Err(reason) => failure = format!("a container of {image} cannot be started ({reason})"),
            }
        }
        Err(failure)
    }

    /// Where its server is reached.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL, to all in it.
    pub(crate) fn kill(&self) -> Result<(), String> {
        self.held.as_ref().map_or(Ok(()), |held| wait(held.stop_with_timeout(Some(0))))
    }

    /// Starts it after [`Container::kill`].
    pub(crate) fn start_again(&self) -> Result<(), String> {
        self.held.as_ref().map_or(Ok(()), |held| wait(held.start()))
    }

    /// Connections stay, and nothing is answered.
    pub(crate) fn hang(&self) -> Result<(), String> {
        self.held.as_ref().map_or(Ok(()), |held| wait(held.pause()))
    }

    /// After [`Container::hang`].
    pub(crate) fn go_on(&self) -> Result<(), String> {
        self.held.as_ref().map_or(Ok(()), |held| wait(held.unpause()))
    }
}

impl Drop for Container {
    /// The guard removes what this leaves.
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            drop(wait(held.rm()));
        }
    }
}

/// On loopback, where testcontainers would have it on every address of this machine.
fn publish(host: &mut HostConfig, inside: u16, port: u16) {
    let binding = PortBinding { host_ip: Some(Ipv4Addr::LOCALHOST.to_string()), host_port: Some(port.to_string()) };
    host.publish_all_ports = Some(false);
    host.port_bindings = Some(HashMap::from([(format!("{inside}/tcp"), Some(vec![binding]))]));
}

fn free_port() -> Result<u16, String> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    free.map(|address| address.port()).map_err(|e| format!("no free port on 127.0.0.1 ({e})"))
}

/// Repository and tag; a digest belongs to its repository.
fn split(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        // A colon before the last slash belongs to the registry's port.
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, "latest"),
    }
}

/// On a thread and a runtime of its own: the caller may be in one, or in one that ends before the process does.
fn wait<T: Send, E: ToString>(work: impl Future<Output = Result<T, E>> + Send) -> Result<T, String> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
        runtime.block_on(work).map_err(|e| e.to_string())
    };
    let done = std::thread::scope(|scope| scope.spawn(run).join());
    done.map_err(|_| "whoever speaks with Docker has panicked".to_owned())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_a_registry_is_no_tag() {
        assert_eq!(split("redis:7-alpine"), ("redis", "7-alpine"));
        assert_eq!(split("registry.example:5000/redis"), ("registry.example:5000/redis", "latest"));
        assert_eq!(split("registry.example:5000/redis:7"), ("registry.example:5000/redis", "7"));
    }

    #[test]
    fn a_port_is_published_on_loopback_and_nowhere_else() {
        let mut host = HostConfig { publish_all_ports: Some(true), ..HostConfig::default() };
        publish(&mut host, 6379, 17_000);
        let bindings = host.port_bindings.unwrap();
        let binding = bindings["6379/tcp"].as_ref().unwrap().first().unwrap();
        assert_eq!((binding.host_ip.as_deref(), binding.host_port.as_deref()), (Some("127.0.0.1"), Some("17000")));
        assert_eq!((host.publish_all_ports, bindings.len()), (Some(false), 1));
    }
}
