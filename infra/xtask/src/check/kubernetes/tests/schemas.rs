//! What others know of Kubernetes: the schemas of its API, as `kubernetes-validate` has them built in. Kinds that are not Kubernetes' own it only names.

use std::process::Command;

use testkit::missing::may_be_missing;
use testkit::tools::{python, said};

use super::super::{FOLDER, folders, kubectl};
use crate::{check, place};

const PINNED: &str = include_str!("kubernetes-validate.txt");
const COMPILED: &str = include_str!("kubernetes-validate-compiled.txt");
/// The oldest that has all that is used (`preStop` that sleeps), and the newest that the schemas are there of.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

#[test]
fn every_object_is_one_by_its_schema_and_another_is_not() {
    let Some(kubectl) = kubectl() else {
        return may_be_missing("kubectl", super::super::WAIVED, "it is not in PATH");
    };
    let validator = match python(&place::target(), "kubernetes-validate", PINNED, COMPILED) {
        Ok(validator) => validator,
        Err(why) => return may_be_missing("kubernetes-validate", "REDOUBT_PIP_WAIVED", &why),
    };
    let place_of = std::env::temp_dir().join(format!("redoubt-schemas-{}", std::process::id()));
    std::fs::create_dir_all(&place_of).unwrap();
    let render = |folder: &str| said(Command::new(&kubectl).arg("kustomize").arg(place::root().join(folder))).unwrap();
    let judge = |texts: &[String], version: &str| {
        let mut python = Command::new("python3");
        python.args(["-m", "kubernetes_validate", "--strict", "--no-warn", "-k", version]);
        for (number, text) in texts.iter().enumerate() {
            let file = place_of.join(format!("{number}.yaml"));
            std::fs::write(&file, text).unwrap();
            python.arg(file);
        }
        said(python.env("PYTHONPATH", &validator))
    };
    let texts: Vec<String> = folders(&check::files().unwrap()).iter().map(|folder| render(folder)).collect();
    for version in VERSIONS {
        let verdict = judge(&texts, version).unwrap_or_else(|wrong| panic!("{version}: {wrong}"));
        let judged = verdict.matches("deployment/ledger").count();
        assert!(judged == texts.len() && judged > 5, "{judged} of {}: {verdict}", texts.len());
    }
    let dev = render(&format!("{FOLDER}/overlays/dev"));
    for (from, to) in [("runAsNonRoot: true", "runAsNonroot: true"), ("maxUnavailable: 1\n", "maxUnavailable: [1]\n")] {
        assert!(dev.contains(from), "{from}");
        assert!(judge(&[dev.replacen(from, to, 1)], "1.37").is_err(), "{to}");
    }
    std::fs::remove_dir_all(&place_of).unwrap();
}
