//! The Core Rule Set's own regression tests, over the wire, against the rules that are installed: whether engine and rules find what their authors say.
//! The tests are of a later version than Debian's rules, so only rules that are there can be asked for. Every paranoia runs, and nothing is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use testkit::edge;
use testkit::server::client_tls;
use testkit::waf::corpus::{self, Case};
use url::Url;

use crate::Scene;

/// The rules alone, as their authors run their tests.
const RULES: &str = r#"
Include {{directory}}/modsecurity.conf
SecRuleEngine DetectionOnly
SecArgumentsLimit 1000
SecRule REQUEST_HEADERS:Content-Type "@rx ^(?:application(?:/soap\+|/)|text/)xml" \
    "id:9501,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecDefaultAction "phase:1,log,auditlog,pass"
SecDefaultAction "phase:2,log,auditlog,pass"
SecAction "id:9502,phase:1,pass,nolog,t:none,setvar:tx.paranoia_level=4,setvar:tx.executing_paranoia_level=4,\
    setvar:tx.crs_validate_utf8_encoding=1,setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,\
    setvar:tx.total_arg_length=64000,setvar:tx.max_num_args=255,setvar:tx.max_file_size=64100,\
    setvar:tx.combined_file_sizes=65535,setvar:tx.crs_setup_version=334"
{{initialization}}
{{crs}}
"#;

/// Speaks and hears an answer out, or its head at least.
pub(crate) fn spoken(scene: &Scene, url: &Url, request: &[u8]) -> String {
    let tls = Arc::new(client_tls(&scene.pki.public_ca(), None).unwrap());
    let mut stream = TcpStream::connect(("127.0.0.1", url.port().unwrap())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut session = ClientConnection::new(tls, "localhost".try_into().unwrap()).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut stream).unwrap();
    }
    let mut stream = StreamOwned::new(session, stream);
    // Whoever is refused by the head need not take the rest.
    drop(stream.write_all(request).and_then(|()| stream.flush()));
    let (mut answer, mut piece) = (Vec::new(), [0; 16 * 1024]);
    while !is_whole(&answer) {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_none_or(|length| body.len() >= length)
}

fn bytes(case: &Case) -> Vec<u8> {
    let delimits = |(name, _): &(String, String)| {
        name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
    };
    let framed = case.body.is_empty() || case.headers.iter().any(delimits);
    let length = if framed { String::new() } else { format!("Content-Length: {}\r\n", case.body.len()) };
    let fields = case.headers.iter().fold(String::new(), |text, (name, value)| text + name + ": " + value + "\r\n");
    let head = format!("{} {} {}\r\n{fields}{length}\r\n", case.method, case.uri, case.ver);
    [head.as_bytes(), case.body.as_bytes()].concat()
}

/// What was added to the log since it was `read` bytes long.
fn found(scene: &Scene, read: &mut u64) -> BTreeSet<u32> {
    use std::io::{Seek as _, SeekFrom};
    let mut log = std::fs::File::open(scene.edge.log()).unwrap();
    log.seek(SeekFrom::Start(*read)).unwrap();
    let mut added = Vec::new();
    *read += u64::try_from(log.read_to_end(&mut added).unwrap()).unwrap();
    String::from_utf8_lossy(&added).lines().filter_map(|line| Some(edge::finding(line)?.1)).collect()
}

#[tokio::test]
async fn the_rules_find_what_their_authors_say() {
    let Some(scene) = Scene::start(Some(RULES)).await else { return };
    let Some(cases) = corpus::read().unwrap() else { return };
    let rules = corpus::rules(&scene.software.rules).unwrap();
    let url: Url = scene.front.parse().unwrap();
    let (mut good, mut refused, mut all, mut read) = (0_u32, 0_u32, 0_u32, 0_u64);
    let mut families: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let asked = |case: &&Case| {
        let named = [&case.exp, &case.noexp].into_iter().flatten().flatten().count() > 0;
        named
            && case.file.starts_with("REQUEST-9")
            && case.file.as_str() < "REQUEST-949"
            && rules.contains_key(&case.rule)
    };
    for case in cases.iter().filter(asked) {
        found(&scene, &mut read);
        let answer = spoken(&scene, &url, &bytes(case));
        let found = found(&scene, &mut read);
        let expected = case.exp.iter().flatten().all(|rule| found.contains(rule));
        let holds = expected && !case.noexp.iter().flatten().any(|rule| found.contains(rule));
        // nginx reads HTTP more strictly than the rules' authors had their server do.
        let by_nginx =
            !holds && (answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505") || answer.is_empty());
        refused += u32::from(by_nginx);
        let (of_family, whole) = families.entry(&case.file[8..11]).or_default();
        (good, all, *of_family, *whole) = (good + u32::from(holds), all + 1, *of_family + u32::from(holds), *whole + 1);
    }
    let percent = f64::from(good) * 100.0 / f64::from(all);
    println!(
        "conformance: {good} of {all} ({percent:.2} %); of the others nginx refused {refused} before any rule saw them"
    );
    for (family, (good, all)) in families {
        println!("  {family}: {good} of {all}");
    }
    assert!(all > 2_000 && percent > 82.0);
}
