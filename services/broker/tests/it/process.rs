//! The broker as a process: its subcommands, and what it does not read from its environment.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use broker::config::{Config, ProviderSettings, Vault};
use runtime::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::bench::Bench;

/// A process that does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn broker(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broker"));
    command.args(arguments).arg("--config").arg(config);
    command
}

/// A command that writes secrets: as the role that seals, whose URL only it is told.
fn sealing(bench: &Bench, config: &Path, arguments: &[&str]) -> Command {
    let mut command = broker(config, arguments);
    command.env("BROKER__VAULT__SEALER_URL_FILE", &bench.database.files.sealer);
    command
}

fn write_config(bench: &Bench) -> PathBuf {
    write(bench, &bench.config)
}

fn write(bench: &Bench, config: &Config) -> PathBuf {
    let path = bench.pki.dir().join("broker.toml");
    std::fs::write(&path, runtime::config::print(config).unwrap()).unwrap();
    path
}

/// Starts the process and waits until it listens; answers the address of operations.
fn serve(command: &mut Command) -> (Process, String) {
    let mut process = Process(command.stdout(Stdio::piped()).spawn().unwrap());
    let port = internal_port(process.0.stdout.take().unwrap());
    (process, format!("https://localhost:{port}/internal/v1/operations"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_serves_does_not_know_the_role_that_seals() {
    let bench = Bench::start().await;
    let config = Config {
        vault: Vault { sealer_url_file: Some(bench.database.files.sealer.clone()), ..bench.config.vault.clone() },
        ..bench.config.clone()
    };
    let refused = runtime::start::<broker::Broker>(config, Arc::new(SystemClock)).await.err().unwrap();
    assert!(format!("{refused:#}").contains("must not know vault.sealer_url_file"), "{refused:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_by_a_subcommand_and_the_environment_changes_nothing() {
    let bench = Bench::start().await;
    let config = write_config(&bench);
    let secret = bench.pki.dir().join("secrets/hostile");
    let sealed = "hostile_sealed_by_the_subcommand";
    crypto::files::write_new_secret(&secret, sealed.as_bytes()).unwrap();
    sealed.clone_into(&mut bench.hostile.accepts.lock().unwrap());
    let file = secret.to_str().unwrap();
    let arguments = ["seal-secret", "--provider", "hostile", "--id", "api", "--file", file];
    let output = sealing(&bench, &config, &arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("hostile/api: version 2 is live"));
    assert!(!String::from_utf8_lossy(&output.stdout).contains(sealed));

    let output = sealing(&bench, &config, &["serve"]).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("must not know"));
    let keys = bench.pki.dir().join("sslkeys");
    let mut serving = broker(&config, &["serve"]);
    serving.env("HTTPS_PROXY", "http://127.0.0.1:1").env("ALL_PROXY", "http://127.0.0.1:1").env("SSLKEYLOGFILE", &keys);
    let (_process, url) = serve(&mut serving);
    let answer =
        bench.as_ledger.post(format!("{url}/hostile/good")).json(&json!({ "params": {} })).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!keys.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_makes_nobody_an_authority() {
    let bench = Bench::start().await;
    let mut config = bench.config.clone();
    // Without authorities of its own: those of the system, to which the development authority does not belong.
    let settings = ProviderSettings { root_certificates_file: None, ..bench.on_loopback(bench.hostile.url()) };
    config.providers.insert("outside".into(), settings);
    let path = bench.pki.dir().join("broker.toml");
    std::fs::write(&path, runtime::config::print(&config).unwrap()).unwrap();
    let mut serving = broker(&path, &["serve"]);
    serving.env("SSL_CERT_FILE", bench.pki.public_ca()).env("SSL_CERT_DIR", bench.pki.dir());
    let mut process = Process(serving.stdout(Stdio::piped()).spawn().unwrap());
    let port = internal_port(process.0.stdout.take().unwrap());
    let url = format!("https://localhost:{port}/internal/v1/operations/outside/good");
    let answer = bench.as_ledger.post(url).json(&json!({ "params": {} })).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(bench.hostile.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_option_and_an_exposed_secret_file_are_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::start().await;
    let config = write_config(&bench);
    let output = broker(&config, &["seal-secret", "--provider", "hostile"]).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("--id <ID>"));
    for (provider, id, cause) in
        [("acme", "api", "there is no [providers.acme]"), ("ecb", "api", "names no secret `api`")]
    {
        let output =
            broker(&config, &["retire-secret", "--provider", provider, "--id", id, "--version", "1"]).output().unwrap();
        assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains(cause), "{provider}");
    }
    let exposed = bench.pki.dir().join("exposed");
    std::fs::write(&exposed, "long_enough_for_a_secret").unwrap();
    std::fs::set_permissions(&exposed, std::fs::Permissions::from_mode(0o644)).unwrap();
    let file = exposed.to_str().unwrap();
    let arguments = ["seal-secret", "--provider", "hostile", "--id", "api", "--file", file];
    let output = sealing(&bench, &config, &arguments).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("chmod 600"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_messages_are_listed_and_redelivered_by_a_subcommand() {
    let bench = Bench::start().await;
    let config = write_config(&bench);
    let run = async |arguments: &[&str]| {
        let mut command = broker(&config, &[&["webhooks"], arguments].concat());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), text)
    };
    let lines = |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let body = br#"{"type":"payment.received","data":{"account_id":"01890a5d-ac96-774b-bcce-b302099a8057","amount":"1.00","currency":"XXX","debtor_name":"Carol Confidential"}}"#;
    bench.ledger.refuse(400, "request.invalid", Some("currency"));
    for event_id in ["evt_1", "evt_2", "evt_3"] {
        assert_eq!(bench.signed(&bench.whsec(), event_id, bench.clock.unix(), body).await, 202);
        bench.clock.advance(1);
    }
    bench.until("webhook_inbox where state = 'rejected'", 3).await;

    let (good, text) = run(&["list"]).await;
    assert!(good && !text.contains("Confidential"), "{text}");
    let listed = lines(&text);
    assert_eq!(listed.len(), 3);
    assert_eq!((&listed[0]["event_id"], &listed[0]["provider"]), (&json!("evt_1"), &json!("sandbox-bank")));
    assert_eq!(
        (&listed[0]["state"], &listed[0]["last_error"], &listed[0]["reopened"]),
        (&json!("rejected"), &json!("400 request.invalid"), &json!(0))
    );
    let (good, first) = run(&["list", "--state", "rejected", "--limit", "2"]).await;
    let first = lines(&first);
    let last = first[1]["id"].as_str().unwrap();
    let (_, second) = run(&["list", "--after", last]).await;
    assert!(good && [first.clone(), lines(&second)].concat() == listed);
    for state in ["pending", "delivered", "ignored"] {
        assert_eq!(run(&["list", "--state", state]).await, (true, String::new()));
    }

    let id = listed[0]["id"].as_str().unwrap();
    bench.ledger.answer.store(201, Ordering::SeqCst);
    let (good, text) = run(&["redeliver", "--id", id]).await;
    assert!(good && text.contains("back in the queue"), "{text}");
    // The running broker takes it from the database, by its own clock.
    bench.until_in_time("webhook_inbox where event_id = 'evt_1' and state = 'delivered' and reopened = 1", 1).await;
    assert_eq!(bench.count("webhook_inbox where state = 'rejected'").await, 2, "the others stay");
    for (arguments, says) in [
        (&["redeliver", "--id", id][..], "there is no rejected webhook"),
        (&["redeliver", "--id", "x"], "invalid value 'x' for '--id <ID>'"),
        (&["redeliver"], "not provided:\n  --id <ID>"),
        (&["list", "--state", "lost"], "possible values: rejected, pending, delivered, ignored, awaited"),
        (&["list", "--limit", "1001"], "1001 is not in 1..=1000"),
        (&["forget"], "unrecognized subcommand 'forget'"),
        (&[], "Usage: broker webhooks [OPTIONS] <COMMAND>"),
    ] {
        let (good, text) = run(arguments).await;
        assert!(!good && text.contains(says), "{arguments:?}: {text}");
    }
}

/// Of a ledger whose database was restored: what it had is awaited, and only the very same message that comes again goes to it once more.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_and_is_forgotten_is_awaited_and_delivered_once_more() {
    let bench = Bench::start().await;
    let config = write_config(&bench);
    let await_again = async |since: &'static str| {
        let mut command = broker(&config, &["webhooks", "await-again", "--since", since]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let body = |amount: &str| {
        json!({"type": "payment.received", "data": {"account_id": "01890a5d-ac96-774b-bcce-b302099a8057", "amount": amount,
            "currency": "EUR", "debtor_name": "Carol", "reference": "rent"}})
        .to_string()
    };
    let send = async |body: String| bench.signed(&bench.whsec(), "evt_1", bench.clock.unix(), body.as_bytes()).await;
    assert_eq!(send(body("1.00")).await, 202);
    bench.until("webhook_inbox where state = 'delivered'", 1).await;
    let before = bench.ledger.requests().len();
    // As long as nobody awaits it, it is a repetition that changes nothing.
    assert_eq!(send(body("1.00")).await, 202);
    assert!(await_again("2100-01-01T00:00:00Z").await.starts_with("0 are"));
    assert_eq!(bench.count("webhook_inbox where state = 'delivered' and reopened = 0").await, 1);
    // It came long before it was delivered: the ledger that forgot the delivery forgot the message.
    let mut db = storage::connection(&bench.superuser).await.unwrap();
    let times = "set session_replication_role = replica; set timezone = 'UTC'; \
                 update webhook_inbox set received_at = '2001-01-01', settled_at = '2003-01-01'; reset session_replication_role";
    diesel_async::SimpleAsyncConnection::batch_execute(&mut *db, times).await.unwrap();
    assert!(await_again("2004-01-01T00:00:00Z").await.starts_with("0 are"));
    assert!(await_again("2002-01-01T00:00:00Z").await.starts_with("1 are"));
    assert_eq!(bench.ledger.requests().len(), before, "there is nothing to deliver before it comes");
    // Another message under its id is none; the database says so to whoever writes.
    assert_ne!(send(body("2.00")).await, 202);
    let other = "update webhook_inbox set state = 'pending', settled_at = null, reopened = reopened + 1, body = 'x'";
    let refused = diesel_async::SimpleAsyncConnection::batch_execute(&mut *db, other).await.unwrap_err();
    assert!(refused.to_string().contains("cannot be changed"), "{refused}");
    assert_eq!(bench.count("webhook_inbox where state = 'awaited' and body is null").await, 1);
    assert_eq!(send(body("1.00")).await, 202);
    bench.until("webhook_inbox where state = 'delivered' and reopened = 1", 1).await;
    assert_eq!(bench.ledger.requests().len(), before + 1);
}

/// Whether this machine can look into a process; where it cannot, the test proves nothing, says so loudly, and fails where `CI` is `true`.
fn can_look_into_memory() -> bool {
    if Command::new("gcore").output().is_ok() {
        return true;
    }
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment whether it may prove nothing")]
    let ci = std::env::var("CI");
    assert!(ci.as_deref() != Ok("true"), "gcore is needed to look through the broker's memory: apt-get install gdb");
    // Not `eprintln!`, which a passing test keeps to itself.
    let complaint = b"\n!!!!! NOT TESTED: no gcore to look through the broker's memory (apt-get install gdb) !!!!!\n";
    std::io::stderr().write_all(complaint).unwrap();
    false
}

/// The process's memory as a core dump, without the pages that hold nothing (most of it).
fn core(process: &Process, folder: &Path) -> Vec<u8> {
    let dump = Command::new("gcore").arg("-o").arg(folder.join("core")).arg(process.0.id().to_string()).output();
    let dump = dump.unwrap();
    assert!(dump.status.success(), "gcore: {}", String::from_utf8_lossy(&dump.stderr));
    let path = folder.join(format!("core.{}", process.0.id()));
    let (mut file, mut page, mut memory) = (File::open(&path).unwrap(), vec![0; 4096], Vec::new());
    let empty = page.clone();
    loop {
        let read = file.read(&mut page).unwrap();
        if read == 0 {
            break;
        }
        if page[..read] != empty[..read] {
            memory.extend_from_slice(&page[..read]);
        }
    }
    std::fs::remove_file(path).unwrap();
    memory
}

/// The forms of a secret that are in `memory`: as it is, its halves, percent-encoded, hexadecimal and base64 at each alignment.
fn forms_in(memory: &[u8], secret: &[u8]) -> Vec<String> {
    let base64 = |lead: usize| {
        let text = crypto::b64::encode_standard(&[&b"xxx"[..lead], secret].concat());
        text[4 * lead.min(1)..text.len() - 4].to_owned().into_bytes()
    };
    let (left, right) = secret.split_at(secret.len() / 2);
    let forms = [
        ("plain", secret.to_vec()),
        ("left half", left.to_vec()),
        ("right half", right.to_vec()),
        (
            "percent",
            secret
                .iter()
                .flat_map(|byte| match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => vec![*byte],
                    other => format!("%{other:02X}").into_bytes(),
                })
                .collect(),
        ),
        ("hex", hex::encode(secret).into_bytes()),
        ("HEX", hex::encode_upper(secret).into_bytes()),
        ("base64, 0", base64(0)),
        ("base64, 1", base64(1)),
        ("base64, 2", base64(2)),
    ];
    let count = |form: &[u8]| memchr::memmem::find_iter(memory, form).count();
    forms
        .iter()
        .map(|(name, form)| (name, count(form)))
        .filter(|(_, count)| *count > 0)
        .map(|found| format!("{found:?}"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_secret_is_nowhere_in_the_memory_of_the_process() {
    if !can_look_into_memory() {
        return;
    }
    let bench = Bench::start().await;
    let mut settings = bench.config.clone();
    settings.vault.cache_seconds = 4;
    let config = write(&bench, &settings);
    let (api, next) =
        (format!("key/one+{}", crypto::random::token(24)), format!("key/two+{}", crypto::random::token(24)));
    let whsec = || format!("whsec_{}", crypto::b64::encode_standard(&crypto::random::bytes::<32>()));
    let (webhook, later) = (whsec(), whsec());
    let key = crypto::b64::decode_standard(&webhook["whsec_".len()..]).unwrap();
    bench.seal("hostile", "api", &api).await;
    bench.seal("hostile", "webhook", &webhook).await;
    api.clone_into(&mut bench.hostile.accepts.lock().unwrap());
    let (process, url) = serve(&mut broker(&config, &["serve"]));
    // At the same time, so that there are many connections and many copies.
    let ask = async |path: &str, body: Value, times: usize| {
        let calls = (0..times).map(|_| bench.as_ledger.post(format!("{url}/hostile/{path}")).json(&body).send());
        for answer in futures_util::future::join_all(calls).await {
            assert_eq!(answer.unwrap().status(), 200);
        }
    };
    let how = json!({ "params": { "how": "good" }, "idempotency_key": "a-long-key-so-that-requests-differ-in-length" });
    ask("good", json!({ "params": {} }), 24).await;
    ask("order_by_key", how, 24).await;
    let memory = core(&process, bench.pki.dir());
    for secret in [api.as_bytes(), webhook.as_bytes(), key.as_slice()] {
        assert!(!forms_in(&memory, secret).is_empty(), "while it is live it is there, so the search can find it");
    }

    for (id, new) in [("api", &next), ("webhook", &later)] {
        assert_eq!(bench.seal("hostile", id, new).await, 3);
        let retire = ["retire-secret", "--provider", "hostile", "--id", id, "--version", "2"];
        assert!(sealing(&bench, &config, &retire).output().unwrap().status.success());
    }
    next.clone_into(&mut bench.hostile.accepts.lock().unwrap());
    tokio::time::sleep(Duration::from_secs(7)).await;
    let memory = core(&process, bench.pki.dir());
    for secret in [webhook.as_bytes(), key.as_slice()] {
        assert_eq!(forms_in(&memory, secret), [""; 0], "nobody calls, and it is forgotten all the same");
    }
    ask("good", json!({ "params": {} }), 3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory = core(&process, bench.pki.dir());
    assert!(!forms_in(&memory, next.as_bytes()).is_empty());
    for secret in [api.as_bytes(), webhook.as_bytes(), key.as_slice()] {
        assert_eq!(forms_in(&memory, secret), [""; 0]);
    }
}

/// Reads the log until the internal listener says where it is.
fn internal_port(output: std::process::ChildStdout) -> u16 {
    for line in BufReader::new(output).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap_or_default();
        if line["message"] == "listening" && line["internal"] == true {
            return line["listener"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        }
    }
    panic!("the process ended before it listened");
}

#[test]
fn every_route_is_documented_with_its_guard() {
    let routes = <broker::Broker as runtime::Service>::describe();
    let (public, internal): (Vec<_>, Vec<_>) = routes.iter().partition(|route| route.listener == "public");
    let open: Vec<&str> = public.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(open, ["/webhooks/{provider}"], "the world reaches nothing else");
    assert!(!internal.is_empty() && internal.iter().all(|route| route.guard.starts_with("Peer<")), "{internal:?}");
}

#[test]
fn every_subcommand_explains_itself_without_a_configuration() {
    let subcommands = [
        "serve",
        "migrate",
        "healthcheck",
        "config",
        "openapi",
        "seal-secret",
        "retire-secret",
        "webhooks",
        "webhooks list",
        "webhooks redeliver",
        "webhooks await-again",
    ];
    testkit::scene::explains_itself(env!("CARGO_BIN_EXE_broker"), "broker", &subcommands);
}
