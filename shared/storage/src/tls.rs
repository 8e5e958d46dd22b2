//! The way to the database: in the clear, or TLS to a server that has proven its name.
//!
//! The URL says which, in libpq's words: `sslmode=verify-full` with `sslrootcert=FILE`, or nothing. There is nothing in between: what encrypts without
//! knowing to whom, or falls back, is refused. In the clear it goes to this machine only: a socket file, or loopback. To any other host it would show
//! everybody on the way the password and the books, so there is no word that allows it; who has a tunnel ends it on loopback.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use diesel::{ConnectionError, ConnectionResult};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::wire::{ObservedStream, WireState};

/// Where a URL leads, and how.
pub(crate) struct Way {
    pub(crate) config: Config,
    /// The authority's certificates, in a connector; without one, the way is in the clear.
    pub(crate) tls: Option<TlsConnector>,
}

impl Way {
    /// Reads a URL, and the file of authorities that it names.
    pub(crate) fn of(url: &str) -> ConnectionResult<Self> {
        let (rest, authorities) = split(url).map_err(refused)?;
        let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| refused(error.to_string()))?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(refused("sslmode=require knows no name: say sslmode=verify-full in a URL".to_owned()));
        }
        let tls = authorities.map(connector).transpose().map_err(refused)?;
        if tls.is_none() {
            is_this_machine(&config).map_err(refused)?;
            keep_here(&mut config);
        }
        Ok(Self { config, tls })
    }
}

/// Fails with the first host that is not. Where an address is given beside the name, that is where it goes.
fn is_this_machine(config: &Config) -> Result<(), String> {
    let addresses = config.get_hostaddrs();
    let elsewhere = if addresses.is_empty() {
        config.get_hosts().iter().find_map(|host| match host {
            Host::Tcp(name) if !is_loopback(name) => Some(name.clone()),
            _ => None,
        })
    } else {
        addresses.iter().find(|address| !address.is_loopback()).map(ToString::to_string)
    };
    match elsewhere {
        None => Ok(()),
        Some(host) => Err(format!(
            "{host} is another machine, and without TLS everybody on the way to it reads passwords and rows: add \
             sslmode=verify-full&sslrootcert=FILE to the URL, with the file of the authority that its certificate is from"
        )),
    }
}

/// Where every host is named `localhost`, the address is said, too: no name server is asked that may have another one for it.
fn keep_here(config: &mut Config) {
    let named = |host: &Host| matches!(host, Host::Tcp(name) if name.eq_ignore_ascii_case("localhost"));
    let hosts = config.get_hosts().len();
    if config.get_hostaddrs().is_empty() && config.get_hosts().iter().all(named) {
        for _ in 0..hosts {
            config.hostaddr(Ipv4Addr::LOCALHOST.into());
        }
    }
}

/// RFC 6761 §6.3: `localhost` is no other machine.
fn is_loopback(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn refused(why: String) -> ConnectionError {
    ConnectionError::BadConnection(why)
}

/// The URL without what is said of TLS, and the file that was named. Paths are taken as they are, without escapes.
fn split(url: &str) -> Result<(String, Option<&str>), String> {
    let Some((head, query)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
    let (mut mode, mut authorities, mut rest) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", word)) if mode.is_none() => mode = Some(word),
            Some(("sslrootcert", file)) if authorities.is_none() => authorities = Some(file),
            Some(("sslmode" | "sslrootcert", _)) => return Err("sslmode or sslrootcert is said twice".to_owned()),
            _ => rest.push(pair),
        }
    }
    let rest = if rest.is_empty() { head.to_owned() } else { format!("{head}?{}", rest.join("&")) };
    match (mode, authorities) {
        (Some("verify-full"), Some(file)) => Ok((rest, Some(file))),
        (Some("verify-full"), None) => Err("sslmode=verify-full needs sslrootcert=FILE".to_owned()),
        (None | Some("disable"), None) => Ok((rest, None)),
        (None | Some("disable"), Some(_)) => Err("sslrootcert without sslmode=verify-full protects nothing".to_owned()),
        (Some(word), _) => Err(format!("sslmode={word} proves nothing: there are verify-full and disable")),
    }
}

fn connector(file: &str) -> Result<TlsConnector, String> {
    let unusable = |why: &dyn fmt::Display| format!("sslrootcert {file}: {why}");
    let certificates = CertificateDer::pem_file_iter(Path::new(file)).map_err(|error| unusable(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() {
        return Err(unusable(&"there is no certificate in it"));
    }
    let builder = ClientConfig::builder_with_provider(crypto::tls::provider());
    let builder = builder.with_protocol_versions(&[&TLS13]).map_err(|error| unusable(&error))?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}

/// TLS, where the driver puts it, under a stream that is listened to.
#[derive(Clone)]
pub(crate) struct ListeningTls {
    pub(crate) connector: TlsConnector,
    pub(crate) wire: Arc<WireState>,
}

/// TLS to the server of one name.
pub(crate) struct ToServer {
    tls: ListeningTls,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for ListeningTls {
    type Stream = ObservedStream<TlsStream<S>>;
    type TlsConnect = ToServer;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<ToServer> {
        let name = ServerName::try_from(domain.to_owned()).map_err(io::Error::other)?;
        Ok(ToServer { tls: self.clone(), name })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for ToServer {
    type Stream = ObservedStream<TlsStream<S>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Stream>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self { tls: ListeningTls { connector, wire }, name } = self;
        Box::pin(async move { Ok(ObservedStream::new(connector.connect(name, stream).await?, wire)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proven_name_or_nothing_at_all_is_a_way() {
        let of = |query: &str| {
            split(&format!("postgres://u:p@h/d{query}")).map(|(rest, file)| (rest, file.map(str::to_owned)))
        };
        let plain = || Ok(("postgres://u:p@h/d".to_owned(), None));
        assert_eq!(of(""), plain());
        assert_eq!(of("?sslmode=disable"), plain());
        let (rest, file) = of("?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=/a b/ca.pem").unwrap();
        assert_eq!((rest.as_str(), file.as_deref()), ("postgres://u:p@h/d?hostaddr=127.0.0.1", Some("/a b/ca.pem")));
        for bad in [
            "?sslmode=require",
            "?sslmode=prefer",
            "?sslmode=allow",
            "?sslmode=verify-ca&sslrootcert=/ca.pem",
            "?sslmode=verify-full",
            "?sslrootcert=/ca.pem",
            "?sslmode=disable&sslrootcert=/ca.pem",
            "?sslmode=verify-full&sslrootcert=/ca.pem&sslmode=disable",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_without_an_authority_is_refused_and_named() {
        let file = std::env::temp_dir().join(format!("redoubt-no-ca-{}", crypto::random::token(9)));
        std::fs::write(&file, "nothing").unwrap();
        let url = |path: &str| format!("postgres://u:p@h/d?sslmode=verify-full&sslrootcert={path}");
        for path in [file.to_str().unwrap(), "/nonexistent/ca.pem"] {
            let error = Way::of(&url(path)).err().unwrap().to_string();
            assert!(error.contains(path) && !error.contains("u:p"), "{error}");
        }
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn the_other_form_of_a_connection_string_has_no_way_around_it() {
        assert!(Way::of("host=localhost user=u sslmode=require").is_err());
        assert!(Way::of("host=localhost user=u").is_ok());
        assert!(Way::of("host=db.example user=u").is_err());
    }

    #[test]
    fn in_the_clear_it_goes_to_this_machine_and_to_no_other() {
        for here in [
            "postgres://u:p@localhost/d",
            "postgres://u:p@LOCALHOST:5433/d?sslmode=disable",
            "postgres://u:p@127.0.0.1/d",
            "postgres://u:p@127.8.9.1/d",
            "postgres://u:p@[::1]/d",
            "postgres://u:p@%2Frun%2Fpostgresql/d",
            "postgres://u:p@db.example/d?hostaddr=127.0.0.1",
            "postgres://u:p@localhost,127.0.0.1/d",
        ] {
            assert!(Way::of(here).is_ok(), "{here}: {:?}", Way::of(here).err());
        }
        for elsewhere in [
            "postgres://u:p@db.example/d",
            "postgres://u:p@db.example/d?sslmode=disable",
            "postgres://u:p@10.0.0.7/d",
            "postgres://u:p@[fd00::7]/d",
            "postgres://u:p@0.0.0.0/d",
            "postgres://u:p@localhost.example/d",
            "postgres://u:p@localhost/d?hostaddr=10.0.0.7",
            "postgres://u:p@localhost,db.example/d",
        ] {
            let error = Way::of(elsewhere).err().map(|error| error.to_string());
            let error = error.unwrap_or_else(|| panic!("{elsewhere} was let go in the clear"));
            assert!(error.contains("sslmode=verify-full&sslrootcert=FILE") && !error.contains("u:p"), "{error}");
        }
    }
}
