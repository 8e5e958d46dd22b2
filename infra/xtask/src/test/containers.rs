//! `cargo xtask test --containers`: PostgreSQL and Redis out of containers, which the tests start themselves, by testcontainers.

use anyhow::{Result, anyhow, ensure};

use crate::process::Run;
use crate::{compose, say};

/// What a server is called, the variable that names its image, and the image where none is named.
const SERVERS: [(&str, &str, &str); 2] = [
    ("REDOUBT_POSTGRES", "REDOUBT_POSTGRES_IMAGE", ladder::Options::IMAGE),
    ("REDOUBT_REDIS", "REDOUBT_REDIS_IMAGE", ladder::redis::IMAGE),
];
/// The label of each, whose value is this run's name; and by which variable the tests are told it.
const LABEL: &str = "dev.redoubt";
const RUN: &str = "REDOUBT_CONTAINERS_RUN";
/// The log of those that Docker has started.
const STARTED: &str = "started";

/// An engine that has the images, and what it starts meanwhile.
pub(super) struct Containers {
    run: Run,
    environment: Vec<(&'static str, String)>,
}

impl Containers {
    /// Before anything is built: the engine answers, and has the images or gets them.
    pub(super) fn look() -> Result<Self> {
        let docker = compose::docker()?;
        // A server that was named for others is not taken: each test program has its own.
        let mut environment = vec![("REDOUBT_TEST_DATABASE_URL", String::new())];
        for (server, variable, usual) in SERVERS {
            let image = std::env::var(variable).ok().filter(|image| !image.is_empty());
            let image = image.unwrap_or_else(|| usual.to_owned()); // Default: the pinned one.
            compose::provide(&docker, &image, variable)?;
            say::line(&format!("containers of {image} ({variable} names another)"));
            environment.extend([(server, "docker".to_owned()), (variable, image)]);
        }
        let mut run = Run::of("containers")?;
        // Somebody else's tests may start some meanwhile.
        let name = format!("{}-{}", std::process::id(), ladder::shell::random_hex(4).map_err(|e| anyhow!(e))?);
        let label = format!("label={LABEL}={name}");
        let words = ["events", "--filter", &label, "--filter", "event=start", "--format", "{{.From}}"];
        environment.push((RUN, name));
        run.spawn_foreign(STARTED, &docker, &words.map(str::to_owned), &[])?;
        Ok(Self { run, environment })
    }

    /// What the test programs are told.
    pub(super) fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Says how many there were. A run without any has proven nothing of containers.
    pub(super) fn end(self) -> Result<()> {
        let log = self.run.log(STARTED);
        let started = std::fs::read_to_string(&log).map_err(|e| anyhow!("{}: {e}", log.display()))?;
        drop(self.run);
        let count = |image: &str| started.lines().filter(|line| *line == image).count();
        let images = self.environment.iter().filter(|(name, _)| name.ends_with("_IMAGE"));
        let counts: Vec<String> = images.map(|(_, image)| format!("{} of {image}", count(image))).collect();
        ensure!(!started.is_empty(), "no test has started a container: nothing is proven of them");
        say::line(&format!("containers that the tests have started: {}", counts.join(", ")));
        Ok(())
    }
}

/// What is put before cargo's own words: the feature with which tests can start them.
pub(super) fn feature() -> [String; 2] {
    ["--features".to_owned(), "testkit/docker".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tests_are_told_is_what_the_ladder_and_the_testkit_read() {
        let read = std::fs::read_to_string(crate::place::root().join("shared/testkit/src/redis.rs")).unwrap()
            + &std::fs::read_to_string(crate::place::root().join("shared/testkit/src/database/cluster.rs")).unwrap();
        let containers =
            std::fs::read_to_string(crate::place::root().join("shared/testkit/src/container/mod.rs")).unwrap();
        assert!(containers.contains(&format!("var(\"{RUN}\")")) && containers.contains(&format!("\"{LABEL}\"")));
        for (server, variable, image) in SERVERS {
            assert!(read.contains(&format!("\"{server}\"")) && read.contains(&format!("\"{variable}\"")), "{variable}");
            assert!(image.contains(':') && !image.ends_with(":latest"), "{image} is not pinned");
        }
    }
}
