//! A Redis of its own for one test: by the ladder, or in a container (`REDOUBT_REDIS=docker`).

use defense::config::SharedStore;

use crate::missing::may_be_missing;

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Server(Kind);

#[derive(Debug)]
enum Kind {
    Ladder(ladder::redis::Server),
    #[cfg(feature = "docker")]
    Container(crate::container::redis::Redis),
}

/// Starts one; `None` after a complaint that nobody overlooks ([`may_be_missing`]; `REDOUBT_REDIS_WAIVED` goes without).
///
/// # Panics
/// A container was asked for and cannot be had: no other server stands in for it.
pub fn start() -> Option<Server> {
    #[expect(clippy::disallowed_methods, reason = "tests are told their server by the environment")]
    let variable = |name: &str| std::env::var(name).ok().filter(|word| !word.is_empty());
    // Default: by the ladder.
    let kind = match variable("REDOUBT_REDIS").as_deref().unwrap_or("auto") {
        "auto" => by_ladder().map(Kind::Ladder),
        // Default: the pinned one.
        "docker" => in_container(&variable("REDOUBT_REDIS_IMAGE").unwrap_or_else(|| ladder::redis::IMAGE.to_owned())),
        other => Err(format!("REDOUBT_REDIS is `{other}`; there are auto and docker")),
    };
    match kind {
        Ok(kind) => Some(Server(kind)),
        Err(reason) => {
            assert!(variable("REDOUBT_REDIS").is_none(), "{reason}");
            may_be_missing("Redis", "REDOUBT_REDIS_WAIVED", &reason);
            None
        }
    }
}

fn by_ladder() -> Result<ladder::redis::Server, String> {
    let say = |line: &str| drop(std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes()));
    ladder::redis::Server::start(&crate::database::work_dir(), say)
}

#[cfg(feature = "docker")]
fn in_container(image: &str) -> Result<Kind, String> {
    crate::container::redis::Redis::start(image).map(Kind::Container)
}

#[cfg(not(feature = "docker"))]
fn in_container(image: &str) -> Result<Kind, String> {
    Err(format!("{image} is started by tests that were built with the feature `testkit/docker`"))
}

impl Server {
    /// With its password.
    pub fn url(&self) -> String {
        match &self.0 {
            Kind::Ladder(server) => server.url(),
            #[cfg(feature = "docker")]
            Kind::Container(server) => server.url(),
        }
    }

    /// Kills it (SIGKILL) and waits until it has ended. What was in it is gone.
    ///
    /// # Panics
    /// Docker does not do it.
    pub fn kill(&mut self) {
        match &mut self.0 {
            Kind::Ladder(server) => server.kill(),
            #[cfg(feature = "docker")]
            Kind::Container(server) => done(&server.container().kill()),
        }
    }

    /// Starts it again after [`Server::kill`], on the same port with the same password, and empty.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<(), String> {
        match &mut self.0 {
            Kind::Ladder(server) => server.restart(),
            #[cfg(feature = "docker")]
            Kind::Container(server) => server.restart(),
        }
    }

    /// Holds it: connections stay, and nothing is answered.
    ///
    /// # Panics
    /// Docker does not do it.
    pub fn hang(&self) {
        match &self.0 {
            Kind::Ladder(server) => server.hang(),
            #[cfg(feature = "docker")]
            Kind::Container(server) => done(&server.container().hang()),
        }
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// Docker does not do it.
    pub fn go_on(&self) {
        match &self.0 {
            Kind::Ladder(server) => server.go_on(),
            #[cfg(feature = "docker")]
            Kind::Container(server) => done(&server.container().go_on()),
        }
    }
}

/// A test that goes on without it would prove something else.
#[cfg(feature = "docker")]
fn done(outcome: &Result<(), String>) {
    assert!(outcome.is_ok(), "{outcome:?}");
}

/// What a service is told to share this store.
///
/// # Errors
///
/// Its files cannot be written.
pub fn shared(server: &Server) -> anyhow::Result<SharedStore> {
    let directory = std::env::temp_dir().join(format!("redoubt-store-{}", crypto::random::token(9)));
    std::fs::create_dir(&directory)?;
    let (url_file, name_key_file) = (directory.join("url"), directory.join("names"));
    crypto::files::write_new_secret(&url_file, server.url().as_bytes())?;
    crypto::files::write_new_secret(&name_key_file, &crypto::random::bytes::<32>())?;
    Ok(SharedStore { url_file, ca_file: None, name_key_file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_ends_with_its_test_even_when_that_panics() {
        let Some(server) = start() else { return };
        let address = server.url().rsplit_once('@').map(|(_, address)| address.to_owned()).unwrap();
        assert!(std::net::TcpStream::connect(&address).is_ok());
        let died = std::thread::spawn(move || {
            let _server = server;
            unreachable!("the test fails");
        });
        assert!(died.join().is_err() && std::net::TcpStream::connect(&address).is_err());
    }

    #[test]
    fn what_is_started_again_has_the_same_address() {
        let Some(mut server) = start() else { return };
        let url = server.url();
        server.restart().unwrap();
        assert_eq!(server.url(), url);
    }
}
