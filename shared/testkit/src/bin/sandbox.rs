//! The stand-ins of a development system, one subcommand each.
//!
//! ```text
//! sandbox pki --out DIR
//!     certificates, keys and secrets of a development system (idempotent)
//! sandbox partner --dir DIR [--listen 127.0.0.1:8500] [--webhook-url URL] [--otlp-endpoint URL] [--in-container true] [--exit-with-parent true]
//!     the partner bank and the ECB, until stopped; DIR is what `pki` has made, or the part of it that the partner needs; in a container the
//!     machine outside it may press the buttons of the demonstration
//! sandbox collector [--listen 127.0.0.1:4318] [--in-container true] [--exit-with-parent true]
//!     keeps the spans that the services send (OTLP/HTTP), until stopped; on loopback only, but in a container
//! sandbox provision --out DIR
//!     roles, databases and the files with their URLs; the superuser's URL comes from REDOUBT_SUPERUSER_URL
//! sandbox remove
//!     those roles and databases, from a server that goes on
//! sandbox forward PORT=HOST:PORT …
//!     what comes in at a port goes on to another host, byte for byte, until stopped; for containers that nobody outside reaches
//! sandbox reaches HOST:PORT
//!     whether a connection can be made to there within three seconds: exit code 0, or the reason why not
//! ```
//!
//! A stand-in that serves prints one line `ready <url>` once it can be called. With `--exit-with-parent true` it ends when its
//! standard input does, so that it cannot outlive whoever started it.
#![expect(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr, reason = "a development tool")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use runtime::config::Telemetry;
use runtime::telemetry;
use testkit::collector;
use testkit::database;
use testkit::forward;
use testkit::partner::{self, Partner};
use testkit::pki::Pki;
use testkit::server::parent_gone;

const USAGE: &str = "usage: sandbox pki --out DIR
       sandbox partner --dir DIR [--listen ADDRESS] [--webhook-url URL] [--otlp-endpoint URL]
                       [--in-container true] [--exit-with-parent true]
       sandbox collector [--listen ADDRESS] [--in-container true] [--exit-with-parent true]
       sandbox provision --out DIR
       sandbox remove
       sandbox forward PORT=HOST:PORT ...
       sandbox reaches HOST:PORT";

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let subcommand = arguments.next().unwrap_or_default();
    let options = Options(arguments.collect());
    let result = match subcommand.as_str() {
        "pki" => pki(&options),
        "partner" => partner(&options).await,
        "collector" => collector(&options).await,
        "provision" => provision(&options).await,
        "remove" => remove().await,
        "forward" => forward(&options).await,
        "reaches" => reaches(&options).await,
        _ => Err(anyhow!(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn pki(options: &Options) -> Result<()> {
    let out = PathBuf::from(options.required("--out")?);
    let made = Pki::create(&out).with_context(|| format!("cannot make the development PKI in {}", out.display()))?;
    println!("{}", made.dir().display());
    Ok(())
}

async fn partner(options: &Options) -> Result<()> {
    let pki = Pki::open(&PathBuf::from(options.required("--dir")?));
    let mut setup = partner::Options::of(&pki)?;
    setup.listen = options.get("--listen").unwrap_or("127.0.0.1:8500").parse().context("--listen is not an address")?;
    setup.webhook_url = options.get("--webhook-url").map(str::to_owned);
    setup.operator = (options.get("--in-container") == Some("true")).then(forward::gateway).transpose()?;
    let telemetry = Telemetry {
        otlp_endpoint: options.get("--otlp-endpoint").map(str::to_owned),
        log: "warn,testkit=info,runtime=info".to_owned(),
        ..Telemetry::default()
    };
    let telemetry = telemetry::init("partner", &telemetry)?;
    let partner = Partner::start(setup).await?;
    println!("ready {}", partner.url());
    let stopped = until_stopped(options).await;
    drop(partner);
    telemetry.flush().await;
    stopped
}

async fn collector(options: &Options) -> Result<()> {
    let listen = options.get("--listen").unwrap_or("127.0.0.1:4318");
    let listener = std::net::TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let contained = options.get("--in-container") == Some("true");
    let collector = if contained { collector::serve_network(listener) } else { collector::serve(listener) }?;
    println!("ready {}", collector.url());
    until_stopped(options).await
}

async fn provision(options: &Options) -> Result<()> {
    let url = std::env::var("REDOUBT_SUPERUSER_URL").context("REDOUBT_SUPERUSER_URL is not set")?;
    database::provision(&url, &services()?, &PathBuf::from(options.required("--out")?)).await
}

/// All that have a database.
fn services() -> Result<Vec<&'static str>> {
    Ok(system::system()?.services.iter().map(|service| service.name.as_str()).collect())
}

async fn forward(options: &Options) -> Result<()> {
    let mut ways = Vec::new();
    for way in &options.0 {
        let (port, to) = way.split_once('=').with_context(|| format!("`{way}` is not PORT=HOST:PORT"))?;
        ways.push(forward::Way::open(port.parse().with_context(|| format!("`{port}` is not a port"))?, to).await?);
    }
    println!("ready {} ways", ways.len());
    until_stopped(options).await
}

async fn reaches(options: &Options) -> Result<()> {
    forward::reaches(options.0.first().context(USAGE)?).await
}

async fn remove() -> Result<()> {
    let url = std::env::var("REDOUBT_SUPERUSER_URL").context("REDOUBT_SUPERUSER_URL is not set")?;
    database::remove(&url, &services()?).await
}

/// Waits for Ctrl-C, SIGTERM or, when asked, the end of standard input.
async fn until_stopped(options: &Options) -> Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => (),
        () = parent_gone(), if options.get("--exit-with-parent") == Some("true") => (),
    }
    Ok(())
}

/// `--name value` pairs.
struct Options(Vec<String>);

impl Options {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.chunks(2).find_map(|pair| match pair {
            [key, value] if key == name => Some(value.as_str()),
            _ => None,
        })
    }

    fn required(&self, name: &str) -> Result<&str> {
        match self.get(name) {
            Some(value) => Ok(value),
            None => bail!("{name} is missing\n{USAGE}"),
        }
    }
}
