//! What documents promise of themselves: their links lead to what is there, to a heading if they name one, and the page that is called one is one. Of what
//! comments and programs say of documents, that those are there.

use std::collections::BTreeSet;
use std::path::Path;

use super::Complaints;
use super::sources::Source;

/// What calls itself one page, and the lines that are one.
const ONE_PAGE: (&str, usize) = ("docs/ARCHITECTURE.md", 120);

/// `[text](target)`.
pub(super) struct Link<'a> {
    pub(super) text: &'a str,
    pub(super) target: &'a str,
}

/// `exists` knows what is no text, such as pictures, and folders.
pub(super) fn all(files: &[Source], exists: impl Fn(&str) -> bool) -> Complaints {
    let mut complaints = Complaints::new();
    for file in files {
        let broken =
            if is_document(&file.path) { broken_links(file, files, &exists) } else { lost_documents(file, files) };
        complaints.extend(broken);
    }
    let (path, most) = ONE_PAGE;
    match files.iter().find(|file| file.path == path).map(|file| file.text.lines().count()) {
        None => complaints.push(format!("{path} is missing")),
        Some(lines) if lines > most => {
            complaints.push(format!("{path}: {lines} lines are not one page, which is {most} at most"));
        }
        Some(_) => (),
    }
    complaints
}

fn is_document(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "md")
}

fn broken_links(document: &Source, files: &[Source], exists: &impl Fn(&str) -> bool) -> Complaints {
    let mut complaints = Complaints::new();
    for (number, line) in prose(&document.text) {
        let pictures = ["src=\"", "srcset=\""].into_iter().flat_map(|sign| line.split(sign).skip(1));
        let pictures = pictures.filter_map(|rest| rest.split('"').next());
        for target in links(line).iter().map(|link| link.target).chain(pictures) {
            if let Some(what) = broken(&document.path, target, files, exists) {
                complaints.push(format!("{}:{number}: {what}", document.path));
            }
        }
    }
    complaints
}

/// What is wrong with a link in a document, if it is none to elsewhere.
fn broken(document: &str, target: &str, files: &[Source], exists: &impl Fn(&str) -> bool) -> Option<String> {
    if target.contains(':') {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = if path.is_empty() { document.to_owned() } else { resolved(document, path)? };
    let file = files.iter().find(|file| file.path == path);
    if file.is_none() && !exists(&path) {
        return Some(format!("{path} is not there"));
    }
    let (anchor, file) = (anchor?, file.filter(|file| is_document(&file.path))?);
    (!anchors(&file.text).contains(anchor)).then(|| format!("{path} has no heading #{anchor}"))
}

/// From the root, by a path from the folder of a document.
pub(super) fn resolved(document: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a document, as GitHub makes them of headings, and those that it names itself.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let named = line.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next());
        anchors.extend(named.map(str::to_owned));
        if let Some((_, heading)) = line.split_once("# ").filter(|(signs, _)| signs.bytes().all(|byte| byte == b'#')) {
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            anchors.insert(kept.collect::<String>().to_lowercase().replace(' ', "-"));
        }
    }
    anchors
}

/// The lines that are in no block of code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// The documents that a program or another text names, and that are not there.
fn lost_documents(file: &Source, files: &[Source]) -> Complaints {
    let mut complaints = Complaints::new();
    for (number, line) in (1..).zip(file.program().lines()) {
        for (at, sign) in line.match_indices("docs/") {
            let rest = line.get(at + sign.len()..).unwrap_or_default(); // Default: nothing follows.
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c)).unwrap_or(rest.len()); // Default: all of it.
            let Some((name, _)) = rest.get(..end).and_then(|name| name.split_once(".md")) else { continue };
            let path = format!("docs/{name}.md");
            if !files.iter().any(|file| file.path == path) {
                complaints.push(format!("{}:{number}: {path} is not there", file.path));
            }
        }
    }
    complaints
}

pub(super) fn links(line: &str) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    for (at, _) in line.match_indices("](") {
        let (Some(before), Some(after)) = (line.get(..at), line.get(at + 2..)) else { continue };
        if let (Some((_, text)), Some((target, _))) = (before.rsplit_once('['), after.split_once(')')) {
            links.push(Link { text, target });
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# One page\n\n## Who ends TLS, on the way\n\n### <a id=\"a1\"></a>1 · One\n";

    fn complaints(path: &str, text: &str) -> Complaints {
        let source = |(path, text): (&str, &str)| Source { path: path.to_owned(), text: text.to_owned() };
        all(&[source((ONE_PAGE.0, PAGE)), source((path, text))], |path| {
            ["docs/images/x.png", "docs/adr"].contains(&path)
        })
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "# G\n[a](../ARCHITECTURE.md) [b](../ARCHITECTURE.md#who-ends-tls-on-the-way) [c](../ARCHITECTURE.md#a1) [d](#g) [e](../adr/)\n\
            <img src=\"../images/x.png\"> [f](https://example.com/x#y)\n```sh\n[no](nowhere.md)\n```\n";
        assert_eq!(complaints("docs/guides/g.md", text), Complaints::new());
    }

    #[test]
    fn a_link_to_what_is_not_there_is_named_with_its_line() {
        for (link, says) in [
            ("[a](ARCHITECTURE.md)", "docs/guides/ARCHITECTURE.md is not there"),
            ("[a](../ARCHITECTURE.md#who-ends-tls)", "docs/ARCHITECTURE.md has no heading #who-ends-tls"),
            ("[a](#nowhere)", "docs/guides/g.md has no heading #nowhere"),
            ("<source srcset=\"../images/y.png\">", "docs/images/y.png is not there"),
        ] {
            assert_eq!(
                complaints("docs/guides/g.md", &format!("# G\n{link}\n")),
                [format!("docs/guides/g.md:2: {says}")]
            );
        }
    }

    #[test]
    fn a_document_that_a_program_names_is_there() {
        assert_eq!(complaints("a.rs", "// see docs/ARCHITECTURE.md#x.\n"), Complaints::new());
        assert_eq!(complaints("a.rs", "\n//! (docs/gone.md)\n"), ["a.rs:2: docs/gone.md is not there"]);
    }

    #[test]
    fn what_is_called_one_page_is_one() {
        let page = |lines: usize| Source { path: ONE_PAGE.0.to_owned(), text: "x\n".repeat(lines) };
        assert_eq!(all(&[page(120)], |_| true), Complaints::new());
        let said = "docs/ARCHITECTURE.md: 121 lines are not one page, which is 120 at most";
        assert_eq!(all(&[page(121)], |_| true), [said]);
        assert_eq!(all(&[], |_| true), ["docs/ARCHITECTURE.md is missing"]);
    }
}
