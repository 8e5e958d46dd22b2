//! Making and starting: keys, roles and databases, configuration, migrations, secrets, and then every program, until all are ready.

use std::time::{Duration, Instant};

use anyhow::Result;
use ladder::Durability;
use ladder::edge::{Behind, Site};
use system::system;

use super::preparation::Preparation;
use super::ready::Probe;
use super::running::text;
use super::{Kind, Ports, Stack, config};
use crate::options::Options;
use crate::process::{Run, Task};
use crate::{database, place, say};

impl Stack {
    /// Builds, brings and starts everything, and waits until it is ready.
    pub(crate) fn start(kind: Kind, options: &Options) -> Result<Self> {
        let ports = if kind == Kind::Up { Ports::fixed()? } else { Ports::free()? };
        // Before anything is made: on a machine without it, nothing is.
        let named = database::before_the_build(options, Durability::Durable)?;
        let edge = options.edge.then(|| ladder::edge::Software::bring(&place::target(), say::line));
        let edge = edge.transpose().map_err(|reason| anyhow::anyhow!("there is no edge: {reason}"))?;
        let mut watch = Watch::begin();
        let development = place::target().join("dev");
        let mut run = Run::of("run")?;
        let programs = kind.build(&mut run)?;
        watch.step("built");
        let pki = if kind == Kind::Up { development.join("pki") } else { run.directory().join("pki") };
        let arguments = ["pki", "--out", &text(&pki)].map(str::to_owned);
        let task = Task { logged: true, ..Task::default() };
        run.task("pki", programs.path("sandbox")?, &arguments, &task)?;
        // A figure of `bench` is one beside another, which has no TLS.
        let cluster = match (named, kind) {
            (Some(cluster), _) => cluster,
            (None, Kind::Demo | Kind::Up) => database::bring_with_tls(options, Durability::Durable, &pki)?,
            (None, Kind::Bench | Kind::Ablation) => database::bring(options, Durability::Durable)?,
        };
        watch.step("keys made, PostgreSQL ready");
        let mut stack = Self { programs, run, cluster, ports, pki, kind, edge, startup: Vec::new() };
        let outcome = stack.fill(&mut watch);
        stack.startup = watch.steps;
        if let Err(error) = outcome {
            return Err(stack.keep_logs(error));
        }
        Ok(stack)
    }

    fn fill(&mut self, watch: &mut Watch) -> Result<()> {
        let databases = self.run.directory().join("databases");
        let configs = self.run.directory().to_owned();
        let url = self.cluster.url().to_owned();
        let layout = config::Layout {
            pki: &self.pki,
            databases: &databases,
            ports: &self.ports,
            workers: self.kind.workers(),
            edge: self.edge.is_some(),
            home: config::Home::Machine,
            measures: matches!(self.kind, Kind::Bench | Kind::Ablation),
        };
        let preparation = Preparation { programs: &self.programs, layout, configs: &configs };
        preparation.provision(&mut self.run, &url)?;
        preparation.configure()?;
        watch.step("roles and databases made");
        preparation.migrate(&mut self.run)?;
        preparation.seal(&mut self.run)?;
        watch.step("databases migrated, the partner's secrets sealed");
        self.start_programs()?;
        self.start_edge()?;
        self.await_ready()?;
        watch.step("services ready");
        Ok(())
    }

    fn start_programs(&mut self) -> Result<()> {
        let (partner, collector) = (self.ports.of("partner")?, self.ports.of("collector")?);
        let webhook = self.webhook_url()?;
        let listen = |port: u16| format!("127.0.0.1:{port}");
        self.spawn(
            "collector",
            "sandbox",
            &["collector", "--listen", &listen(collector), "--exit-with-parent", "true"],
        )?;
        let pki = text(&self.pki);
        let arguments = [
            "partner",
            "--dir",
            &pki,
            "--listen",
            &listen(partner),
            "--webhook-url",
            &webhook,
            "--otlp-endpoint",
            &format!("http://127.0.0.1:{collector}"),
            "--exit-with-parent",
            "true",
        ];
        self.spawn("partner", "sandbox", &arguments)?;
        services()?.try_for_each(|service| self.start_service(service))
    }

    pub(super) fn start_service(&mut self, service: &str) -> Result<()> {
        let config = text(&self.config(service));
        self.spawn(service, service, &["serve", "--config", &config])
    }

    /// Waits for one that was started again.
    pub(super) fn await_service(&mut self, service: &'static str) -> Result<()> {
        let probe = Probe::of(service, self.programs.path(service)?, &self.config(service));
        self.await_all(vec![probe], &[])
    }

    /// What stands before every public listener, if it was asked for. Who has none has nothing before it.
    fn start_edge(&mut self) -> Result<()> {
        let Some(software) = &self.edge else { return Ok(()) };
        let behind = |service: &str| -> Result<Behind> {
            let (listen, port) = (self.ports.of(&format!("{service}-edge"))?, self.ports.of(service)?);
            Ok(Behind { name: service.to_owned(), listen, port })
        };
        let public = |file: &str| self.pki.join("public").join(file);
        let site = Site {
            certificate: &public("edge.crt"),
            key: &public("edge.key"),
            authority: &self.pki.join("public-ca.pem"),
            name: "localhost",
            services: reached()?.map(behind).collect::<Result<_>>()?,
            rules: None,
        };
        let program = site.write(software, &self.run.directory().join("edge"), &self.logs());
        let program = program.map_err(|reason| anyhow::anyhow!(reason))?;
        self.ports.release("edge");
        self.run.spawn_foreign("edge-output", &program.path, &program.arguments, &program.environment())
    }

    fn await_ready(&mut self) -> Result<()> {
        let mut edges = Vec::new();
        for service in reached()?.filter(|_| self.edge.is_some()) {
            edges.push(self.ports.of(&format!("{service}-edge"))?);
        }
        let mut probes = Vec::new();
        for service in services()? {
            probes.push(Probe::of(service, self.programs.path(service)?, &self.config(service)));
        }
        let stand_ins = ["collector", "partner"].map(|name| Probe::of_log(name, &self.run.log(name)));
        probes.extend(stand_ins);
        self.await_all(probes, &edges)
    }

    pub(super) fn spawn(&mut self, name: &str, program: &str, arguments: &[&str]) -> Result<()> {
        self.ports.release(name);
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.run.spawn(name, self.programs.path(program)?, &arguments)
    }
}

fn services() -> Result<impl Iterator<Item = &'static str>> {
    Ok(system()?.services.iter().map(|service| service.name.as_str()))
}

/// Those that the world reaches.
fn reached() -> Result<impl Iterator<Item = &'static str>> {
    let services = system()?.services.iter().filter(|service| service.public.is_some());
    Ok(services.map(|service| service.name.as_str()))
}

/// How long the steps of the start took.
struct Watch {
    last: Instant,
    steps: Vec<(String, Duration)>,
}

impl Watch {
    fn begin() -> Self {
        Self { last: Instant::now(), steps: Vec::new() }
    }

    fn step(&mut self, name: &str) {
        let took = self.last.elapsed();
        self.last = Instant::now();
        if !name.starts_with("built") && !name.starts_with("PostgreSQL") {
            say::line(&format!("{name} ({:.1} s)", took.as_secs_f64()));
        }
        self.steps.push((name.to_owned(), took));
    }
}
