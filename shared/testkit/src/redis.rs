//! A Redis of its own for one test, by the ladder.

use defense::config::SharedStore;
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
