//! What the two services are told.

use std::path::Path;

use ledger::config::{Approval, Config, Limits, Payees, PayoutOperations, Payouts, Posting, RateSource};
use runtime::config::{Common, Database, Internal, Listener, Telemetry};
use testkit::authority::Authority;
use testkit::pki::Pki;
use testkit::scene;

pub(super) fn common(
    pki: &Pki,
    files: &Path,
    (public, url): (u16, &str),
    (internal, internal_url): (u16, &str),
) -> Common {
    let (outside, inside) = (pki.public("ledger"), pki.internal("ledger"));
    let listen = |port: u16| format!("127.0.0.1:{port}").parse().unwrap();
    Common {
        public: Some(Listener {
            listen: listen(public),
            url: url.to_owned(),
            certificate: outside.certificate,
            key: outside.key,
            docs: false,
        }),
        internal: Internal {
            listen: listen(internal),
            url: internal_url.to_owned(),
            certificate: inside.certificate,
            key: inside.key,
            ca: pki.internal_ca(),
        },
        database: Some(Database {
            url_file: files.join("ledger/app.url"),
            migrator_url_file: None,
            max_connections: 8,
        }),
        telemetry: Telemetry::default(),
        exit_with_parent: false,
        connections: 256,
        workers: Some(1),
    }
}

pub(super) fn configuration(pki: &Pki, authority: &Authority, files: &Path) -> Config {
    let operations = PayoutOperations {
        order: "create_payout".to_owned(),
        status: "payout_status".to_owned(),
        list: Some("list_payouts".to_owned()),
    };
    Config {
        common: common(pki, files, (0, ""), (0, "")),
        defense: scene::defense(pki),
        auth_url: authority.auth_url(),
        attestation_url: authority.attestation_url(),
        broker_url: String::new(),
        issuer: authority.issuer().to_owned(),
        poster_url_file: files.join("ledger/poster.url"),
        sealing_key_files: vec![pki.secret("ledger-sealing.pk8")],
        posting: Posting::default(),
        max_accounts_per_owner: 100,
        max_rate_age_days: 7,
        payees: Payees { cooling_off_seconds: 0, ..Payees::default() },
        approval: Approval::uncounted([("EUR".to_owned(), "10000.00".to_owned())].into()),
        payouts: Payouts { poll_ms: 50, ask_after_ms: 200, ..Payouts::default() },
        payout_provider: "sandbox-bank".to_owned(),
        payout_providers: [("sandbox-bank".to_owned(), operations)].into(),
        rates: RateSource {
            provider: "ecb".to_owned(),
            operation: "reference_rates".to_owned(),
            published_by: "European Central Bank".to_owned(),
        },
        behavior: None,
        limits: Limits::default(),
        places: runtime::places::PlacesConfig::default(),
    }
}

pub(super) fn broker_toml(
    pki: &Pki,
    files: &Path,
    (internal, public): (u16, u16),
    ledger: &str,
    partner: &str,
) -> String {
    let (dir, files) = (pki.dir().display(), files.display());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../broker/manifests/sandbox-bank.toml");
    format!(
        r#"manifests = ["{manifest}"]
[internal]
listen = "127.0.0.1:{internal}"
url = "https://localhost:{internal}"
certificate = "{dir}/internal/broker.crt"
key = "{dir}/internal/broker.key"
ca = "{dir}/internal-ca.pem"
[public]
listen = "127.0.0.1:{public}"
url = "https://localhost:{public}"
certificate = "{dir}/public/broker.crt"
key = "{dir}/public/broker.key"
[database]
url_file = "{files}/broker/app.url"
[vault]
kek_file = "{dir}/secrets/broker-kek"
floor_file = "{files}/secrets-floor"
[delivery]
ledger_url = "{ledger}"
poll_ms = 50
[providers.sandbox-bank]
base_url = "{partner}"
root_certificates_file = "{dir}/public-ca.pem"
allowed_networks = ["127.0.0.0/8", "::1/128"]
"#,
        manifest = manifest.display(),
    )
}
