//! Names to addresses: the hosts file, then the name servers, asynchronously.
//!
//! `getaddrinfo` blocks one of a handful of threads for as long as a name server keeps silent (5 s and more), and every look-up of
//! every provider waits for these threads. Here a look-up is a task with a deadline of its own, and each provider has its own
//! resolver and cache, so a name that nobody answers for is the trouble of its provider only. Names are absolute: no search domain
//! is ever appended.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver, system_conf};

use super::Lookup;

/// A look-up takes no longer, whatever the name servers do.
const DEADLINE: Duration = Duration::from_secs(2);
/// One question to one server; asked again once, so that a lost packet costs no call.
const PATIENCE: Duration = Duration::from_millis(800);
const AGAIN: usize = 1;
/// An answer serves no longer than this, whatever it says of itself.
const POSITIVE: Duration = Duration::from_mins(1);
/// Nor does a "no such name".
const NEGATIVE: Duration = Duration::from_secs(5);
/// Answers that one provider's cache holds; it has one name.
const CACHED: u64 = 16;

/// How this machine resolves names, read once at start.
pub struct SystemNames {
    hosts: Arc<Hosts>,
    servers: Vec<NameServerConfig>,
}

impl SystemNames {
    /// Reads the hosts file and the addresses of the name servers (`/etc/resolv.conf`). What cannot be read is reported and left
    /// out: a provider in the hosts file, or with name servers of its own, needs neither.
    pub fn read() -> Self {
        // Default: without it, name servers are asked; the warning says so.
        let hosts = Hosts::from_system().unwrap_or_else(|error| {
            tracing::warn!(cause = %error, "the hosts file cannot be read");
            Hosts::default()
        });
        let servers = match system_conf::read_system_conf() {
            Ok((config, _)) => config.into_parts().2,
            Err(error) => {
                tracing::warn!(cause = %error, "no name server of this machine is known");
                Vec::new()
            }
        };
        Self { hosts: Arc::new(hosts), servers }
    }

    /// A look-up with a cache of its own that asks `servers`, or those of this machine where none are given.
    pub fn lookup(&self, servers: &[SocketAddr]) -> Result<Names, NetError> {
        let servers: Vec<NameServerConfig> =
            if servers.is_empty() { self.servers.clone() } else { servers.iter().copied().map(server).collect() };
        if servers.is_empty() {
            return Ok(Names { hosts: Arc::clone(&self.hosts), resolver: None });
        }
        let config = ResolverConfig::from_name_servers(servers);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options();
        Ok(Names { hosts: Arc::clone(&self.hosts), resolver: Some(builder.build()?) })
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = PATIENCE;
    options.attempts = AGAIN;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = CACHED;
    options.positive_max_ttl = Some(POSITIVE);
    options.negative_max_ttl = Some(NEGATIVE);
    // Looked at here, before any name server: an entry for one family is the whole answer, as everywhere else on the machine.
    options.use_hosts_file = ResolveHosts::Never;
    options
}

/// The names of one provider.
pub struct Names {
    hosts: Arc<Hosts>,
    /// Absent where the machine has no name server.
    resolver: Option<TokioResolver>,
}

impl Lookup for Names {
    fn addresses(&self, host: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let (hosts, resolver) = (Arc::clone(&self.hosts), self.resolver.clone());
        Box::pin(async move {
            let mut name = Name::from_ascii(&host).map_err(io::Error::other)?;
            name.set_fqdn(true);
            let listed = in_hosts(&hosts, &name);
            if !listed.is_empty() {
                return Ok(listed);
            }
            let resolver = resolver.ok_or_else(|| io::Error::other("there is no name server to ask"))?;
            match tokio::time::timeout(DEADLINE, resolver.lookup_ip(name)).await {
                Ok(answer) => Ok(answer.map_err(io::Error::other)?.iter().collect()),
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no name server answered in time")),
            }
        })
    }
}

fn in_hosts(hosts: &Hosts, name: &Name) -> Vec<IpAddr> {
    [RecordType::A, RecordType::AAAA]
        .into_iter()
        .filter_map(|family| hosts.lookup_static_host(&Query::query(name.clone(), family)))
        .flat_map(|found| found.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::sync::Mutex;

    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::rdata::A;
    use hickory_resolver::proto::rr::{RData, Record};
    use tokio::net::UdpSocket;
    use tokio::time::Instant;

    use super::*;

    /// A machine with an empty hosts file and these name servers.
    fn machine(servers: Vec<NameServerConfig>) -> SystemNames {
        SystemNames { hosts: Arc::default(), servers }
    }

    /// A name server that knows `bank.example.` and remembers what it was asked for.
    async fn name_server(ttl: u32) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, asked) = (socket.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let query = question.queries[0].clone();
                heard.lock().unwrap().push(format!("{} {}", query.query_type(), query.name()));
                let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
                answer.add_query(query.clone());
                if query.name().to_string() != "bank.example." {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                } else if query.query_type() == RecordType::A {
                    let data = RData::A(A(Ipv4Addr::new(192, 0, 2, 7)));
                    answer.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
                }
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        (address, asked)
    }

    async fn silent_server() -> (SocketAddr, UdpSocket) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        (socket.local_addr().unwrap(), socket)
    }

    #[tokio::test]
    async fn an_answer_serves_as_long_as_it_says_and_names_are_absolute() {
        let (server, asked) = name_server(60).await;
        let names = machine(Vec::new()).lookup(&[server]).unwrap();
        for _ in 0..3 {
            assert_eq!(names.addresses("bank.example".to_owned()).await.unwrap(), [Ipv4Addr::new(192, 0, 2, 7)]);
        }
        let mut questions = asked.lock().unwrap().clone();
        questions.sort();
        assert_eq!(questions[0], "A bank.example.", "asked for as it is, and once");
        assert_eq!(questions.iter().filter(|question| question.starts_with("A ")).count(), 1);
        assert!(questions.iter().all(|question| question.ends_with(" bank.example.")), "{questions:?}");
    }

    #[tokio::test]
    async fn an_answer_without_a_life_is_asked_for_again_and_a_name_that_is_not_fails() {
        let (server, asked) = name_server(0).await;
        let names = machine(Vec::new()).lookup(&[server]).unwrap();
        for _ in 0..2 {
            names.addresses("bank.example".to_owned()).await.unwrap();
        }
        assert_eq!(asked.lock().unwrap().iter().filter(|question| question.starts_with("A ")).count(), 2);
        assert!(names.addresses("nobody.example".to_owned()).await.is_err());
        assert!(machine(Vec::new()).lookup(&[]).unwrap().addresses("bank.example".to_owned()).await.is_err());
    }

    #[tokio::test]
    async fn a_silent_name_server_costs_its_own_provider_two_seconds_and_others_nothing() {
        let ((silent, _socket), (server, _)) = (silent_server().await, name_server(60).await);
        let machine = machine(Vec::new());
        let lost = machine.lookup(&[silent]).unwrap();
        let waiting: Vec<_> = (0..64).map(|n| tokio::spawn(lost.addresses(format!("lost{n}.example")))).collect();
        let begun = Instant::now();
        let bank = machine.lookup(&[server]).unwrap();
        bank.addresses("bank.example".to_owned()).await.unwrap();
        assert!(begun.elapsed() < 2 * PATIENCE, "{:?}", begun.elapsed());
        for lookup in waiting {
            assert!(lookup.await.unwrap().is_err());
        }
        assert!(begun.elapsed() < DEADLINE + Duration::from_secs(3), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_second_name_server_answers_for_a_silent_one() {
        let ((silent, _socket), (server, _)) = (silent_server().await, name_server(60).await);
        let names = machine(Vec::new()).lookup(&[silent, server]).unwrap();
        assert!(names.addresses("bank.example".to_owned()).await.is_ok());
    }

    #[tokio::test]
    async fn the_hosts_file_comes_first_and_for_both_families() {
        let (silent, _socket) = silent_server().await;
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(&b"127.0.0.2 bank.example\n::1 bank.example\n127.0.0.3 four.example\n"[..]).unwrap();
        let machine = SystemNames { hosts: Arc::new(hosts), servers: vec![server(silent)] };
        let names = machine.lookup(&[]).unwrap();
        let both: [IpAddr; 2] = [Ipv4Addr::new(127, 0, 0, 2).into(), Ipv6Addr::LOCALHOST.into()];
        assert_eq!(names.addresses("bank.example".to_owned()).await.unwrap(), both);
        assert_eq!(names.addresses("four.example".to_owned()).await.unwrap(), [Ipv4Addr::new(127, 0, 0, 3)]);
    }
}
