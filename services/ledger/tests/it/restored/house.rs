//! The ledger and the broker as processes, and the bank.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::Once;
use std::time::Duration;

use ledger::config::Config;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::authority::{Authority, Reply, SyntheticPhone};
use testkit::partner::{self, Partner, Payment};
use testkit::pki::Pki;
use testkit::{database, scene};

use super::configured::{broker_toml, common, configuration};

/// A process that does not outlive its test.
pub(super) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The services' addresses and files, which a restore does not change.
pub(super) struct House {
    pki: Pki,
    pub(super) authority: Authority,
    pub(super) partner: Partner,
    config: PathBuf,
    broker_config: PathBuf,
    pub(super) ledger_url: String,
    operator: reqwest::Client,
    internal_url: String,
    /// Where the URLs of the databases' roles are, and what the services log.
    files: PathBuf,
}

/// The broker's program.
static BUILT: Once = Once::new();

/// Both services, running.
pub(super) type Services = (Process, Process);

pub(super) fn port() -> u16 {
    TcpListener::bind(scene::FREE).unwrap().local_addr().unwrap().port()
}

/// A service's program. The broker's is built beside ours.
pub(super) fn program(name: &str) -> PathBuf {
    let ours = Path::new(env!("CARGO_BIN_EXE_ledger"));
    let program = ours.with_file_name(name);
    BUILT.call_once(|| {
        let built = Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "broker", "--bin", "broker"]).status();
        assert!(built.unwrap().success(), "the broker cannot be built");
    });
    program
}

impl House {
    pub(super) async fn build() -> Self {
        let pki = Pki::temporary().unwrap();
        let authority = Authority::start(&pki).await.unwrap();
        let files = pki.dir().join("restore");
        std::fs::create_dir(&files).unwrap();
        let (public, internal, broker, webhooks) = (port(), port(), port(), port());
        let mut options = partner::Options::of(&pki).unwrap();
        options.webhook_url = Some(format!("https://localhost:{webhooks}/webhooks/sandbox-bank"));
        let partner = Partner::start(options).await.unwrap();
        let (ledger_url, internal_url) =
            (format!("https://localhost:{public}"), format!("https://localhost:{internal}"));
        let configuration = Config {
            common: common(&pki, &files, (public, &ledger_url), (internal, &internal_url)),
            broker_url: format!("https://localhost:{broker}"),
            ..configuration(&pki, &authority, &files)
        };
        let (config, broker_config) = (files.join("ledger.toml"), files.join("broker.toml"));
        std::fs::write(&config, runtime::config::print(&configuration).unwrap()).unwrap();
        std::fs::write(&broker_config, broker_toml(&pki, &files, (broker, webhooks), &internal_url, &partner.url()))
            .unwrap();
        let operator = testkit::server::client(&pki.internal_ca(), Some(&pki.internal("operator"))).unwrap();
        Self { pki, authority, partner, config, broker_config, ledger_url, operator, internal_url, files }
    }

    pub(super) fn command(&self, service: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program(service));
        let config = if service == "ledger" { &self.config } else { &self.broker_config };
        command.args(arguments).arg("--config").arg(config);
        command
    }

    /// A subcommand, as the role that it is for.
    pub(super) fn run(&self, service: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(service, arguments);
        let file = |role: &str| self.files.join(service).join(role);
        match arguments[0] {
            "seal-secret" => {
                command.env("BROKER__VAULT__SEALER_URL_FILE", file("sealer.url"));
            }
            "migrate" | "restored" => {
                let name = format!("{}__DATABASE__MIGRATOR_URL_FILE", service.to_uppercase());
                command.env(name, file("migrator.url"));
            }
            _ => (),
        }
        command.output().unwrap()
    }

    /// What it says, if it succeeds.
    pub(super) fn succeeds(&self, service: &str, arguments: &[&str]) -> String {
        let output = self.run(service, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it complains of, if it does not.
    pub(super) fn fails(&self, service: &str, arguments: &[&str]) -> String {
        let output = self.run(service, arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    pub(super) fn restored(&self, arguments: &[&str]) -> String {
        self.succeeds("ledger", &[&["restored"], arguments].concat())
    }

    /// Makes the databases, and seals the partner's secrets.
    pub(super) async fn install(&self, superuser: &str) {
        database::provision(superuser, &["ledger", "broker"], &self.files).await.unwrap();
        for service in ["ledger", "broker"] {
            self.succeeds(service, &["migrate"]);
        }
        for (id, file) in [("api", "partner-bearer"), ("webhook", "partner-webhook-secret")] {
            let file = self.pki.secret(file);
            let file = file.to_str().unwrap();
            self.succeeds("broker", &["seal-secret", "--provider", "sandbox-bank", "--id", id, "--file", file]);
        }
    }

    /// The roles' URLs lead to another server from now on, where they have the same passwords.
    pub(super) fn moved(&self, from: &str, to: &str) {
        let address = |url: &str| url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
        for service in ["ledger", "broker"] {
            for file in std::fs::read_dir(self.files.join(service)).unwrap() {
                let file = file.unwrap().path();
                let url = std::fs::read_to_string(&file).unwrap();
                assert!(url.contains(&address(from)), "{}", file.display());
                std::fs::write(&file, url.replace(&address(from), &address(to))).unwrap();
            }
        }
    }

    pub(super) fn start(&self, service: &str) -> Process {
        let log = File::options().create(true).append(true).open(self.log(service)).unwrap();
        Process(self.command(service, &["serve"]).stdout(log).spawn().unwrap())
    }

    pub(super) async fn serve(&self) -> Services {
        let services = (self.start("ledger"), self.start("broker"));
        self.eventually("the services are up", async || {
            let ready = self.operator.get(format!("{}/health/ready", self.internal_url)).send().await;
            ready.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        services
    }

    pub(super) fn log(&self, service: &str) -> PathBuf {
        self.files.join(format!("{service}.log"))
    }

    pub(super) async fn eventually(&self, what: &str, mut happens: impl AsyncFnMut() -> bool) {
        for _ in 0..600 {
            if happens().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let logs = ["ledger", "broker"].map(|service| std::fs::read_to_string(self.log(service)).unwrap());
        panic!("it did not happen within a minute: {what}\n{}", logs.join("\n"));
    }

    pub(super) async fn post(&self, phone: &SyntheticPhone, path: &str, body: &Value, key: &str) -> Reply {
        phone.send_with_key(Method::POST, &format!("{}{path}", self.ledger_url), Some(body), key).await
    }

    pub(super) async fn add_payee(&self, phone: &SyntheticPhone, key: &str, iban: &str) -> String {
        let payee = json!({ "name": "Landlord Ltd", "iban": iban });
        let added = self.post(phone, "/v1/payees", &payee, key).await;
        added.body["id"].as_str().unwrap_or_else(|| panic!("{added:?}")).to_owned()
    }

    pub(super) async fn balance(&self, phone: &SyntheticPhone, account: &str) -> String {
        let reply = phone.send(Method::GET, &format!("{}/v1/accounts/{account}", self.ledger_url), None).await;
        reply.body["balance"]["amount"].as_str().unwrap_or_else(|| panic!("{:?}", reply.body)).to_owned()
    }

    /// Orders a payout, and waits until its partner has paid it; answers its id.
    pub(super) async fn pay(&self, phone: &SyntheticPhone, body: &Value, key: &str) -> String {
        let reply = self.post(phone, "/v1/payouts", body, key).await;
        assert_eq!(reply.status, 201, "{:?}", reply.body);
        let id = reply.body["id"].as_str().unwrap().to_owned();
        self.paid(phone, &id).await;
        id
    }

    /// Waits until its partner has paid that payout.
    pub(super) async fn paid(&self, phone: &SyntheticPhone, id: &str) {
        let url = format!("{}/v1/payouts/{id}", self.ledger_url);
        let paid = async || phone.send(Method::GET, &url, None).await.body["status"] == "paid";
        self.eventually("a payout is paid", paid).await;
    }

    pub(super) async fn receive(&self, account: &str, amount: &str) {
        let payment = Payment {
            account_id: account.to_owned(),
            amount: amount.to_owned(),
            currency: "EUR".to_owned(),
            debtor_name: "Employer GmbH".to_owned(),
            reference: "Salary".to_owned(),
        };
        assert_eq!(self.partner.receive_payment(payment).await.unwrap().1, 202);
    }

    /// The account of an order, as the ledger's log has it: the one place that is no database.
    pub(super) fn logged_account(&self, payout: &str) -> String {
        let log = std::fs::read_to_string(self.log("ledger")).unwrap();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut ordered = lines.filter(|line| line["outcome"] == "ordered" && line["payout"] == payout);
        ordered.next().unwrap()["account"].as_str().unwrap().to_owned()
    }

    pub(super) fn books_hold(&self) -> bool {
        self.succeeds("ledger", &["verify"]).contains("\"hold\":true")
    }
}
