//! Texts that no rule of ours was written with: attacks of tools that look for holes, by their authors, out of Debian's packages; and what honest people are
//! called and write by a generator of somebody else's (`PyPI`'s Faker), with a list that was made once and is not to be looked at while rules are changed.
//!
//! Whoever changes a rule because of one of these has spent them: from then on they are texts like those of [`super::texts`], and others have to be found.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};

use super::Honest;
use crate::missing::may_be_missing;

const FAKER: (&str, &str) = ("faker==40.63.0", "36627c20b575b4138f54b6c21f8703e9ab122fd487aca11319beec2aa6ca7232");
/// Prints a line for each text: its kind, a tab, and the text.
const PROGRAM: &str = include_str!("held_out.py");
const ATTACKS: &str = "usr/lib/python3/dist-packages/wapitiCore/data/attacks";

/// The attacks of one author.
pub struct Source {
    /// Which.
    pub name: &'static str,
    /// Them.
    pub attacks: Vec<String>,
}

/// All of them; `None` after a complaint that nobody overlooks ([`may_be_missing`]; `REDOUBT_HELD_OUT_WAIVED` goes without).
pub fn texts() -> Option<(Vec<Source>, Honest)> {
    let read = attacks().and_then(|attacks| Ok((attacks, honest()?)));
    let complain = |reason: &anyhow::Error| {
        may_be_missing("attacks and texts that nobody tuned on", "REDOUBT_HELD_OUT_WAIVED", &format!("{reason:#}"));
    };
    read.inspect_err(complain).ok()
}

fn say(line: &str) {
    drop(std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes()));
}

fn package(name: &str) -> Result<std::path::PathBuf> {
    ladder::debian::unpacked(name, &crate::database::work_dir(), say).map_err(|reason| anyhow!("{name}: {reason}"))
}

fn read(folder: &Path, file: &str) -> Result<String> {
    let file = folder.join(file);
    // Some have bytes of old encodings in them.
    Ok(String::from_utf8_lossy(&std::fs::read(&file).with_context(|| file.display().to_string())?).into_owned())
}

fn attacks() -> Result<Vec<Source>> {
    let (sqlmap, wapiti, wfuzz) = (package("sqlmap")?, package("wapiti")?, package("wfuzz")?);
    let mut injections = Vec::new();
    let boundaries = boundaries(&read(&sqlmap, "usr/share/sqlmap/data/xml/boundaries.xml")?);
    for kind in ["boolean_blind", "error_based", "inline_query", "stacked_queries", "time_blind"] {
        let tests = read(&sqlmap, &format!("usr/share/sqlmap/data/xml/payloads/{kind}.xml"))?;
        injections.extend(tests.split("<test>").skip(1).filter_map(injection));
    }
    let around = injections.iter().zip(boundaries.iter().cycle());
    let injections = around.map(|(text, (before, after))| format!("1{before} {text}{after}")).collect();
    let mut scanner = Vec::new();
    for file in ["blindSQLPayloads.txt", "execPayloads.txt"] {
        scanner.extend(read(&wapiti.join(ATTACKS), file)?.lines().map(str::to_owned));
    }
    for file in ["xssPayloads.ini", "fileHandlingPayloads.ini"] {
        let text = read(&wapiti.join(ATTACKS), file)?;
        scanner.extend(text.lines().filter_map(|line| line.strip_prefix("payload = ").map(str::to_owned)));
    }
    let mut lists = Vec::new();
    for file in ["SQL.txt", "XSS.txt", "Traversal.txt", "XML.txt"] {
        let list = read(&wfuzz, &format!("usr/share/wfuzz/wordlist/Injections/{file}"))?;
        // Written for a URL.
        lists.extend(list.lines().map(|line| super::corpus::unescaped(line).unwrap_or_else(|| line.to_owned())));
    }
    let source = |name, texts: Vec<String>| Source { name, attacks: kept(texts) };
    Ok(vec![source("sqlmap", injections), source("wapiti", scanner), source("wfuzz's lists", lists)])
}

/// Filled in as the tools fill them in; those that are as long as a text of ours may be, in one line, no two alike, and no word or number that means
/// nothing by itself.
fn kept(texts: Vec<String>) -> Vec<String> {
    let filled = texts.into_iter().map(|text| filled(text.trim()));
    let mut kept: Vec<String> = filled.filter(|text| is_one(text)).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

fn is_one(text: &str) -> bool {
    let words = text.chars().all(|c| c.is_alphanumeric() || c == ' ' || c == '_');
    // What is left of a mark is for a place that we do not have.
    let mark = text.split('[').skip(1).any(|rest| {
        rest.split_once(']')
            .is_some_and(|(name, _)| name.len() > 1 && name.bytes().all(|c| c.is_ascii_uppercase() || c == b'_'))
    });
    (3..=140).contains(&text.chars().count()) && !words && !mark && !text.chars().any(char::is_control)
}

fn filled(text: &str) -> String {
    [
        ("[RANDNUM]", "4821"),
        ("[RANDNUM1]", "7730"),
        ("[RANDNUM2]", "1954"),
        ("[RANDSTR]", "kQzv"),
        ("[DELIMITER_START]", "qkbxq"),
        ("[DELIMITER_STOP]", "qzjvq"),
        ("[SLEEPTIME]", "5"),
        ("[DELAYED]", "4821"),
        ("[ORIGVALUE]", "1"),
        ("[INFERENCE]", "4821=4821"),
        ("[QUERY]", "SELECT version()"),
        ("[GENERIC_SQL_COMMENT]", "-- -"),
        ("[VALUE]", "1"),
        ("[TIME]", "5"),
        ("[TIMEOUT]", ""),
        ("[EXTERNAL_ENDPOINT]", "https://attacker.example/"),
        ("__XSS__", "w1x2"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (mark, value)| text.replace(mark, value))
}

/// Of one of sqlmap's tests its request: the text, and the comment that cuts the rest of the statement off.
fn injection(test: &str) -> Option<String> {
    let request = test.split_once("<request>")?.1.split_once("</request>")?.0;
    let request = request.rsplit_once("-->").map_or(request, |(_, rest)| rest);
    Some(element(request, "payload")? + &element(request, "comment").unwrap_or_default())
}

/// What sqlmap writes before and after, to get out of where a statement has the value and back.
fn boundaries(file: &str) -> Vec<(String, String)> {
    let all = file.split("<boundary>").skip(2); // the first one is in the file's own explanation
    let pair = |one: &str| Some((element(one, "prefix")?, element(one, "suffix")?));
    all.filter_map(pair).collect()
}

fn element(text: &str, name: &str) -> Option<String> {
    let inside = text.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>"))?.0;
    Some(
        inside
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&"),
    )
}

fn honest() -> Result<Honest> {
    let (package, sha256) = FAKER;
    let folder = ladder::wheel::bring(package, sha256, &crate::database::work_dir(), say);
    let said =
        folder.and_then(|folder| ladder::wheel::python(PROGRAM, &folder)).map_err(|why| anyhow!("{package}: {why}"))?;
    let of = |kind: &str| {
        let lines = said.lines().filter_map(|line| line.split_once('\t')).filter(|(this, _)| *this == kind);
        let mut texts: Vec<String> = lines.map(|(_, text)| text.to_owned()).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    };
    let mut texts = of("text");
    texts.extend(written());
    let ibans = of("iban").into_iter().map(|iban| ("payee: IBAN", iban));
    let codes = ibans.chain(of("email").into_iter().map(|email| ("login: email", email))).collect();
    Ok(Honest { texts, codes })
}

/// References as people write them, in many languages, with what they have of punctuation. `{n}` is a number.
fn written() -> impl Iterator<Item = String> {
    let lines = WRITTEN.lines().map(str::trim).filter(|line| !line.is_empty());
    (0_u32..).zip(lines).map(|(at, line)| line.replace("{n}", &(2_731 + at * 613).to_string()))
}

const WRITTEN: &str = include_str!("held_out.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_of_sqlmaps_becomes_what_it_sends() {
        let test = "<title>t</title><request><!-- <payload>no</payload> --><payload>AND [RANDNUM]&gt;(SELECT 1)</payload>\
                    <comment>[GENERIC_SQL_COMMENT]</comment></request>";
        assert_eq!(kept(injection(test).into_iter().collect()), ["AND 4821>(SELECT 1)-- -"]);
        let file = "a <boundary> b <boundary><prefix>')</prefix><suffix>AND ('[RANDSTR]'='</suffix></boundary>";
        assert_eq!(boundaries(file), [("')".to_owned(), "AND ('[RANDSTR]'='".to_owned())]);
    }

    #[test]
    fn words_and_what_is_for_other_places_are_left_out() {
        let texts = ["order by", "--", "[COLSTART]--", "a\tb<", "<b>[1]"].map(str::to_owned);
        assert_eq!(kept(texts.to_vec()), ["<b>[1]"]);
    }
}
