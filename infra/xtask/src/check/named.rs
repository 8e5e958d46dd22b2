//! Lists of services that are written by hand, and that no other rule or compiler reads: none of them lacks a service of `infra/system.toml`.

use anyhow::Result;
use system::{Service, system};

use super::Complaints;
use super::sources::Source;

const ALERTS: &str = "infra/watching/alerts.yaml";

/// The file, and what it says of a service: `{name}`, and `{port}`, its internal one.
const PLACES: [(&str, &str); 14] = [
    ("infra/docker/Dockerfile", " --package {name} "),
    ("infra/docker/Dockerfile", "\nCOPY services/{name}/dev.toml /usr/share/redoubt/services/{name}/\n"),
    ("infra/compose/compose.yaml", "\n      - {name}:/volumes/{name}\n"),
    ("infra/compose/compose.yaml", "\n      {name}: { condition: service_healthy }\n"),
    ("infra/k8s/components/sandbox/init.yaml", "\n            - { name: {name}, mountPath: /volumes/{name} }\n"),
    ("infra/compose/offline.yaml", "\n  {name}: { image: redoubt/{name}:offline, "),
    (ALERTS, "absent(up{job=\"{name}\"})"),
    ("infra/watching/prometheus.yaml", "\n  - job_name: {name}\n"),
    ("infra/watching/prometheus.yaml", "\n      - targets: [\"localhost:{port}\"]\n"),
    (".github/CODEOWNERS", "\n/services/{name}/ "),
    ("README.md", "\n| `services/{name}` | "),
    ("docs/ARCHITECTURE.md", "\n| `{name}` | "),
    ("docs/independence.md", "\n| {name} | "),
    ("infra/k8s/README.md", "\n| `{name}` | "),
];

/// The file, and what follows a shell's `for name in` there: the list in between has all services.
const LOOPS: [(&str, &str); 4] = [
    ("infra/docker/Dockerfile", "; do cp "),
    ("infra/docker/Dockerfile", "; do mkdir -p /volumes/"),
    ("docs/guides/deploy-to-kubernetes.md", "; do docker build "),
    ("docs/guides/deploy-to-kubernetes.md", "; do kind load "),
];

pub(super) fn all(files: &[Source]) -> Result<Complaints> {
    Ok(lacking(&system()?.services, files))
}

fn lacking(services: &[Service], files: &[Source]) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, place) in PLACES {
        let Some(file) = files.iter().find(|file| file.path == path) else {
            complaints.push(format!("{path} is missing"));
            continue;
        };
        for Service { name, internal, .. } in services {
            let says = place.replace("{name}", name).replace("{port}", &internal.to_string());
            if !file.text.contains(&says) {
                complaints.push(format!("{path}: there is no `{}` for the service {name}", says.trim()));
            }
        }
    }
    let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    let (jobs, all) = ("job=~\"", format!("job=~\"{}\"", names.join("|")));
    if let Some(file) = files.iter().find(|file| file.path == ALERTS)
        && file.text.matches(jobs).count() != file.text.matches(&all).count()
    {
        complaints.push(format!("{ALERTS}: an alert that looks at our jobs does not look at `{all}`"));
    }
    for (path, end) in LOOPS {
        let text = files.iter().find(|file| file.path == path).and_then(|file| file.text.split(end).next());
        let Some((_, list)) = text.and_then(|text| text.rsplit_once("for name in ")) else {
            complaints.push(format!("{path}: there is no loop before `{end}`"));
            continue;
        };
        for Service { name, .. } in services {
            if !list.split_whitespace().any(|word| word == name) {
                complaints.push(format!("{path}: the loop before `{end}` lacks the service {name}"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::files;

    #[test]
    fn a_service_that_a_list_lacks_is_named_with_the_file() {
        let services = &system().unwrap().services;
        let last = services.last().unwrap();
        for (path, place) in PLACES {
            let says = place.replace("{name}", &last.name).replace("{port}", &last.internal.to_string());
            let mut files = files().unwrap();
            let file = files.iter_mut().find(|file| file.path == path).unwrap();
            assert!(file.text.contains(&says), "{path}: {says}");
            let other = place.replace("{name}", "nobody").replace("{port}", "1");
            file.text = file.text.replace(&says, &other);
            let complaints = lacking(services, &files);
            assert!(!complaints.is_empty(), "{path}: {says}");
            assert!(complaints.iter().all(|it| it.starts_with(path) && it.ends_with(&last.name)), "{complaints:?}");
            files.retain(|file| file.path != path);
            assert!(lacking(services, &files).contains(&format!("{path} is missing")));
        }
        for (path, end) in LOOPS {
            let mut files = files().unwrap();
            let file = files.iter_mut().find(|file| file.path == path).unwrap();
            let at = file.text.find(end).unwrap();
            let name = file.text[..at].rfind(&format!(" {}", last.name)).unwrap();
            file.text.replace_range(name..=name + last.name.len(), " nobody");
            assert_eq!(
                lacking(services, &files),
                [format!("{path}: the loop before `{end}` lacks the service {}", last.name)]
            );
        }
        let mut files = files().unwrap();
        assert_eq!(lacking(services, &files), Complaints::new());
        let alerts = files.iter_mut().find(|file| file.path == ALERTS).unwrap();
        alerts.text = alerts.text.replacen(&format!("|{}\"", last.name), "\"", 1);
        let complaints = lacking(services, &files);
        assert!(matches!(&complaints[..], [one] if one.contains("does not look at")), "{complaints:?}");
    }
}
