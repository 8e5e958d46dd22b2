//! A superuser's URL, read as far as is needed to sign in where it leads: by a socket file or by TCP, in the clear. Whoever serves reads it by
//! `storage::tls`, which is stricter; what is refused here would be refused there, too.

use std::fmt;

/// Where a URL leads, and as whom.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    /// A name, an address, or the directory of a socket file.
    pub(crate) host: String,
    /// Where the host is, if the URL says so beside its name.
    pub(crate) address: Option<String>,
    pub(crate) port: u16,
    pub(crate) database: String,
    /// Whether it wants TLS, which is not spoken here.
    pub(crate) tls: bool,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.user, self.place())
    }
}

impl Given {
    /// Reads a URL; the error never repeats it, because it may hold a password.
    pub(crate) fn read(url: &str) -> Result<Self, String> {
        let scheme = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = scheme.ok_or("the URL does not begin with postgres:// or postgresql://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(decode(password)?)),
            None => (login, None),
        };
        if place.contains(',') {
            return Err("the URL names several servers: name the one in which databases are to be made".to_owned());
        }
        let (host, port) = split_port(place)?;
        let named = |text: &str, default: &str| if text.is_empty() { Ok(default.to_owned()) } else { decode(text) };
        let user = named(user, "postgres")?;
        let mut given = Self {
            database: named(database, &user)?,
            user,
            password,
            host: named(host, "localhost")?,
            address: None,
            port,
            tls: false,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or("a parameter of the URL has no value")?;
            given.take(name, decode(value)?)?;
        }
        Ok(given)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "user" => self.user = value,
            "password" => self.password = Some(value),
            "host" => self.host = value,
            "hostaddr" => self.address = Some(value),
            "port" => self.port = value.parse().map_err(|e| format!("the URL's port is none ({e})"))?,
            "dbname" => self.database = value,
            "sslmode" => self.tls = value != "disable",
            _ => (), // what says how, not where
        }
        Ok(())
    }

    /// The directory of the socket file, if it leads to one.
    pub(crate) fn socket(&self) -> Option<String> {
        self.host.starts_with('/').then(|| format!("{}/.s.PGSQL.{}", self.host, self.port))
    }

    /// Host and port, to be shown.
    pub(crate) fn place(&self) -> String {
        self.socket().unwrap_or_else(|| format!("{}:{}", self.host, self.port))
    }
}

/// `host`, `host:port`, `[address]`, `[address]:port`.
fn split_port(place: &str) -> Result<(&str, u16), String> {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
        None => place.split_once(':').unwrap_or((place, "")),
    };
    let port =
        if port.is_empty() { 5432 } else { port.parse().map_err(|e| format!("the URL's port is none ({e})"))? };
    Ok((host, port))
}

/// Percent-encoded bytes (RFC 3986 §2.1) as themselves.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit =
            |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        bytes.push(match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => high * 16 + low,
                _ => return Err("the URL has a % without two hexadecimal digits".to_owned()),
            },
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_utf8| "the URL is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> (String, Option<String>, String, String, bool) {
        let given = Given::read(url).unwrap();
        (given.user.clone(), given.password.clone(), given.place(), given.database.clone(), given.tls)
    }

    #[test]
    fn a_url_is_read_as_libpq_reads_it() {
        let expected = |user: &str, password: Option<&str>, place: &str, database: &str, tls| {
            (user.to_owned(), password.map(str::to_owned), place.to_owned(), database.to_owned(), tls)
        };
        for (url, given) in [
            (
                "postgres://root:p%40s:s@db:6000/x?sslmode=verify-full&sslrootcert=f",
                expected("root", Some("p@s:s"), "db:6000", "x", true),
            ),
            ("postgresql://localhost", expected("postgres", None, "localhost:5432", "postgres", false)),
            ("postgres://u@[::1]/x?sslmode=disable", expected("u", None, "::1:5432", "x", false)),
            ("postgres://%2Frun%2Fpg/x", expected("postgres", None, "/run/pg/.s.PGSQL.5432", "x", false)),
            ("postgres://u:p@/x?host=/run&port=6000", expected("u", Some("p"), "/run/.s.PGSQL.6000", "x", false)),
            ("postgres://u@h", expected("u", None, "h:5432", "u", false)),
        ] {
            assert_eq!(read(url), given, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_and_never_repeated() {
        for url in [
            "mysql://u:hunter2@h/x",
            "postgres://u:hunter2%4@h",
            "postgres://u:hunter2@h:port/x",
            "postgres://u:hunter2@a,b/x",
        ] {
            let text = Given::read(url).unwrap_err();
            assert!(!text.contains("hunter2"), "{text}");
        }
        let given = Given::read("postgres://u:hunter2@h/x").unwrap();
        assert_eq!(format!("{given:?}"), "u at h:5432");
    }
}
