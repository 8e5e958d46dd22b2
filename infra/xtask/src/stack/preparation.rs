//! What is done before the first program serves: roles and databases, configuration, migrations, and the secrets of the partners. For a system of
//! processes (`bring`) and of containers (`compose`) alike.

use std::path::{Path, PathBuf};

use anyhow::Result;
use system::system;

use super::config::{self, Layout};
use super::partners::{self, Secret};
use super::running::text;
use crate::compile::Programs;
use crate::process::{Run, Task};

/// Names the file with the URL of the role that seals the broker's secrets.
const SEALER: &str = "BROKER__VAULT__SEALER_URL_FILE";

pub(crate) struct Preparation<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) layout: Layout<'a>,
    /// The directory of the services' settings.
    pub(crate) configs: &'a Path,
}

impl Preparation<'_> {
    /// Makes roles and databases anew, and the files with their URLs.
    pub(crate) fn provision(&self, run: &mut Run, superuser_url: &str) -> Result<()> {
        let arguments = ["provision", "--out", &text(self.layout.databases)].map(str::to_owned);
        // By the environment: a command line can be read by everybody on the machine.
        let task = Task { logged: true, environment: &[("REDOUBT_SUPERUSER_URL", superuser_url)], ..Task::default() };
        run.task("provision", self.programs.path("sandbox")?, &arguments, &task)
    }

    /// Writes what each service is told.
    pub(crate) fn configure(&self) -> Result<()> {
        for service in system()?.services.iter().map(|service| service.name.as_str()) {
            std::fs::write(self.config(service), config::file(service, &self.layout)?)?;
        }
        Ok(())
    }

    /// What writes as the owner of the tables. Only these commands learn of that role's URL, and from their environment, so that the configuration that
    /// `serve` reads has none.
    pub(crate) fn migrate(&self, run: &mut Run) -> Result<()> {
        let mut running = Vec::new();
        for service in system()?.services.iter().map(|service| service.name.as_str()) {
            let arguments = ["migrate".to_owned(), "--config".to_owned(), text(&self.config(service))];
            let name = format!("{service}-migrate");
            let variable = format!("{}__DATABASE__MIGRATOR_URL_FILE", service.to_uppercase());
            let url_file = text(&self.layout.databases.join(service).join("migrator.url"));
            let task = Task { logged: true, environment: &[(&variable, &url_file)], ..Task::default() };
            let number = run.begin_task(&name, self.programs.path(service)?, &arguments, &task)?;
            running.push((name, number));
        }
        running.into_iter().try_for_each(|(name, number)| run.finish(&name, number))
    }

    /// Gives the broker the partners' secrets, as the role that may.
    pub(crate) fn seal(&self, run: &mut Run) -> Result<()> {
        for Secret { provider, id, file } in partners::secrets()? {
            let (config, file) = (text(&self.config("broker")), text(&self.layout.pki.join("secrets").join(file)));
            let arguments = ["seal-secret", "--config", &config, "--provider", &provider, "--id", &id, "--file", &file];
            let url_file = text(&self.layout.databases.join("broker/sealer.url"));
            let task = Task { logged: true, environment: &[(SEALER, &url_file)], ..Task::default() };
            let name = format!("seal-{provider}-{id}");
            run.task(&name, self.programs.path("broker")?, &arguments.map(str::to_owned), &task)?;
        }
        Ok(())
    }

    /// The file with a service's settings.
    pub(crate) fn config(&self, service: &str) -> PathBuf {
        self.configs.join(format!("{service}.toml"))
    }
}
