//! Files of a crate that import each other in a circle: neither can be understood, moved or tested without the other.
//!
//! An arrow runs from a file to the file that *defines* what it names by a path (`use crate::…`, `super::x::y`): what a face
//! (`mod.rs`, `lib.rs`) merely hands on (`pub use`) leads through it. What a module takes from those below it is no arrow, for it consists of them, and
//! a file's own tests do not count.
//!
//! Where a service is in [`ONE_WAY`], its folders too import each other one way only.

use std::collections::{BTreeMap, BTreeSet};

use super::Complaints;
use super::sources::Source;

/// Services whose folders are held to it, as one that is put in here is from then on.
const ONE_WAY: [&str; 1] = ["services/auth"];

/// A file as a module.
struct Module {
    file: String,
    /// `use` trees, one by one: the path, and the name that it has here.
    uses: Vec<(Vec<String>, String, bool)>,
    /// Other paths of two names and more.
    paths: Vec<Vec<String>>,
}

/// The modules of one crate, by path from its root.
type Modules = BTreeMap<Vec<String>, Module>;

/// Each circle of each crate.
pub(super) fn all(files: &[Source]) -> Complaints {
    let mut crates: BTreeMap<String, Modules> = BTreeMap::new();
    for file in files {
        let Some((name, path)) = file.path.strip_suffix(".rs").and_then(|path| path.split_once("/src/")) else {
            continue;
        };
        let mut place: Vec<String> = path.split('/').map(str::to_owned).collect();
        if place.first().is_some_and(|first| first == "bin") || place.last().is_some_and(|last| last.ends_with("tests"))
        {
            continue;
        }
        if place.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            place.pop();
        }
        let module = Module::read(file);
        crates.entry(name.to_owned()).or_default().entry(place).or_insert(module);
    }
    let found = crates.iter().flat_map(|(name, modules)| {
        let files = between_files(modules);
        let mut complaints = circles(&files, "files");
        if ONE_WAY.contains(&name.as_str()) {
            complaints.extend(circles(&between_folders(&files), "folders"));
        }
        complaints
    });
    found.collect()
}

/// Which names what.
type Arrows<'m> = BTreeMap<&'m str, BTreeSet<&'m str>>;

fn between_files(modules: &Modules) -> Arrows<'_> {
    let file = |place| modules.get(place).map(|module| module.file.as_str());
    let to = |place, module| arrows(modules, place, module).into_iter().filter_map(file).collect();
    modules.iter().map(|(place, module)| (module.file.as_str(), to(place, module))).collect()
}

/// The same between the folders in `src` that the files are in; files beside them are what all of them stand on, or what ties them together.
fn between_folders<'m>(files: &Arrows<'m>) -> Arrows<'m> {
    let folder = |file: &'m str| file.split_once("/src/").and_then(|(_, path)| Some(path.split_once('/')?.0));
    let mut folders = Arrows::new();
    for (file, to) in files {
        let Some(from) = folder(file) else { continue };
        let to = to.iter().filter_map(|file| folder(file)).filter(|to| *to != from);
        folders.entry(from).or_default().extend(to);
    }
    folders
}

fn circles(arrows: &Arrows<'_>, what: &str) -> Complaints {
    let mut complaints = Vec::new();
    let mut told = BTreeSet::new();
    for place in arrows.keys() {
        let ahead = reached(arrows, place);
        let circle: Vec<_> = ahead.iter().filter(|other| reached(arrows, other).contains(place)).copied().collect();
        if !circle.is_empty() && told.insert(circle.clone()) {
            let ties = circle.iter().flat_map(|from| {
                let to = arrows.get(from).into_iter().flatten().filter(|to| circle.contains(to));
                to.map(move |to| format!("{from} -> {to}")).collect::<Vec<_>>()
            });
            complaints.push(format!("a circle of {} {what}: {}", circle.len(), ties.collect::<Vec<_>>().join(", ")));
        }
    }
    complaints
}

/// What can be reached by at least one arrow.
fn reached<'m>(arrows: &Arrows<'m>, from: &str) -> BTreeSet<&'m str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<_> = arrows.get(from).into_iter().flatten().copied().collect();
    while let Some(place) = next.pop() {
        if reached.insert(place) {
            next.extend(arrows.get(place).into_iter().flatten().copied());
        }
    }
    reached
}

fn arrows<'m>(modules: &'m Modules, place: &[String], module: &Module) -> BTreeSet<&'m Vec<String>> {
    // What a face hands on is no need of its own.
    let own = module.uses.iter().filter(|(.., handed_on)| !handed_on).map(|(path, ..)| path);
    // A path may begin with a name that was brought in: `use crate::a; … a::f()`.
    let whole = |path: &Vec<String>| {
        let brought = path.first().and_then(|first| module.uses.iter().find(|(_, here, _)| here == first));
        brought.map_or_else(|| path.clone(), |(from, ..)| [from, path.get(1..).unwrap_or_default()].concat())
    };
    let paths = module.paths.iter().map(whole);
    let all = own.cloned().chain(paths).filter_map(|path| defined_in(modules, place, &path, 0));
    all.filter(|to| !to.starts_with(place)).collect()
}

/// The module that defines what a path names, if it is one of this crate.
fn defined_in<'m>(modules: &'m Modules, from: &[String], path: &[String], depth: usize) -> Option<&'m Vec<String>> {
    let (mut at, mut rest) = start(modules, from, path)?;
    while let Some((name, others)) = rest.split_first() {
        let child = [&at[..], std::slice::from_ref(name)].concat();
        if modules.contains_key(&child) {
            (at, rest) = (child, others);
            continue;
        }
        let module = modules.get(&at)?;
        let handed_on = module.uses.iter().filter(|(_, here, handed_on)| *handed_on && (here == name || here == "*"));
        let mut leads = handed_on.filter_map(|(path, here, _)| {
            let path = if here == "*" { [&path[..], std::slice::from_ref(name)].concat() } else { path.clone() };
            defined_in(modules, &at, &path, depth + 1)
        });
        if let Some(found) = leads.rfind(|_| depth < 8) {
            return Some(found);
        }
        break;
    }
    modules.get_key_value(&at).map(|(place, _)| place)
}

/// Where a path begins, and what is left of it. A path that begins with neither `crate`, `self`, `super` nor a child is another crate's.
fn start<'p>(modules: &Modules, from: &[String], path: &'p [String]) -> Option<(Vec<String>, &'p [String])> {
    let (first, mut rest) = path.split_first()?;
    let mut at = match first.as_str() {
        "crate" => Vec::new(),
        "self" => from.to_vec(),
        "super" => from.split_last()?.1.to_vec(),
        child => {
            let child = [from, &[child.to_owned()][..]].concat();
            return modules.contains_key(&child).then_some((child, rest));
        }
    };
    while let Some((again, others)) = rest.split_first().filter(|(name, _)| *name == "super") {
        let _ = again;
        at.pop()?;
        rest = others;
    }
    Some((at, rest))
}

impl Module {
    fn read(file: &Source) -> Self {
        let words = words(file.program());
        let (mut uses, mut paths) = (Vec::new(), Vec::new());
        let mut words = words.iter().map(String::as_str).peekable();
        let mut before = "";
        let mut path: Vec<String> = Vec::new();
        while let Some(word) = words.next() {
            if word == "use" {
                let tree: Vec<&str> = std::iter::from_fn(|| words.next_if(|word| *word != ";")).collect();
                let handed_on = before == "pub" || before == ")";
                expand(&tree, &[], &mut |path, name| uses.push((path, name, handed_on)));
            } else if is_name(word) {
                path.push(word.to_owned());
                if words.next_if_eq(&"::").is_some() && words.peek().is_some_and(|next| is_name(next)) {
                    continue;
                }
                if path.len() > 1 {
                    paths.push(std::mem::take(&mut path));
                }
                path.clear();
            }
            before = word;
        }
        Self { file: file.path.clone(), uses, paths }
    }
}

/// `a::{b, c::d as e}` → `a::b` here `b`, `a::c::d` here `e`.
fn expand(tree: &[&str], before: &[String], found: &mut impl FnMut(Vec<String>, String)) {
    let mut path = before.to_vec();
    let mut rest = tree;
    while let Some((word, others)) = rest.split_first() {
        rest = others;
        match *word {
            "::" => {}
            "{" => {
                let inside = rest.split_last().map_or(rest, |(_, inside)| inside);
                return branches(inside).into_iter().for_each(|branch| expand(branch, &path, &mut *found));
            }
            "as" => return found(path, rest.first().map_or_else(String::new, |name| (*name).to_owned())),
            "*" => return found(path, "*".to_owned()),
            "self" if !before.is_empty() => {}
            name => path.push(name.to_owned()),
        }
    }
    let name = path.last().cloned().unwrap_or_default();
    found(path, name);
}

/// At the commas that are in no inner braces.
fn branches<'t>(tree: &'t [&'t str]) -> Vec<&'t [&'t str]> {
    let mut depth = 0_usize;
    let split = tree.split(|word| {
        match *word {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *word == ","
    });
    split.filter(|branch| !branch.is_empty()).collect()
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Names, `::` and single signs; no comments, and of a string only that there is one.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if let Some(end) = comment_or_string(rest) {
            end
        } else if is_name(rest) || first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            words.extend(rest.get(..end).map(str::to_owned));
            end
        } else if rest.starts_with("::") {
            words.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                words.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    words
}

/// How long the comment or string is that the text begins with.
fn comment_or_string(text: &str) -> Option<usize> {
    let until = |begin: usize, end: &str| {
        let rest = text.get(begin..).unwrap_or_default();
        Some(rest.find(end).map_or(text.len(), |at| begin + at + end.len()))
    };
    if text.starts_with("//") {
        return until(2, "\n");
    }
    if text.starts_with("/*") {
        return until(2, "*/");
    }
    if text.starts_with("r#\"") {
        return until(3, "\"#");
    }
    if text.starts_with("r\"") {
        return until(2, "\"");
    }
    let mut escaped = false;
    let inside = text.strip_prefix('"')?;
    let end = inside.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    Some(end.map_or(text.len(), |end| end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_of(files: &[(&str, &str)]) -> Complaints {
        circles_in("services/x", files)
    }

    fn circles_in(service: &str, files: &[(&str, &str)]) -> Complaints {
        let source =
            |(path, text): &(&str, &str)| Source { path: format!("{service}/src/{path}"), text: (*text).to_owned() };
        all(&files.iter().map(source).collect::<Vec<_>>())
    }

    #[test]
    fn two_files_that_import_each_other_are_a_circle_and_the_ties_are_named() {
        let found = circles_of(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::{self, B as Other};\nstruct A;"),
            ("b.rs", "fn f() -> super::a::A { todo!() }"),
        ]);
        assert_eq!(
            found,
            [
                "a circle of 2 files: services/x/src/a.rs -> services/x/src/b.rs, services/x/src/b.rs -> services/x/src/a.rs"
            ]
        );
    }

    #[test]
    fn one_way_is_none_and_neither_is_declaring_or_handing_on() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a/mod.rs", "mod inner; pub(crate) use inner::A;"),
            ("a/inner.rs", "pub struct A;"),
            ("b.rs", "use crate::A; use crate::a; fn f(_: a::A) {}"),
        ];
        assert_eq!(circles_of(&files), Vec::<String>::new());
        let back = [files[0], files[1], ("a/inner.rs", "pub struct A(crate::b::B);"), files[3]];
        assert_eq!(circles_of(&back).len(), 1);
        let by_name = [back[0], back[1], back[2], ("b.rs", "use crate::a; fn f(_: a::A) {}")];
        assert_eq!(circles_of(&by_name).len(), 1);
    }

    #[test]
    fn a_face_is_looked_through_to_the_file_that_defines() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod inner; mod other; pub(crate) use inner::*; pub(crate) use other::{Other as Named};"),
            ("a/inner.rs", "use crate::b::B; pub struct A;"),
            ("a/other.rs", "pub struct Other;"),
        ];
        assert_eq!(circles_of(&[&files[..], &[("b.rs", "use crate::a::Named;")]].concat()), Vec::<String>::new());
        assert_eq!(circles_of(&[&files[..], &[("b.rs", "use crate::a::A;")]].concat()).len(), 1);
    }

    #[test]
    fn a_module_consists_of_those_below_it_and_they_may_use_what_it_defines() {
        let face = ("a/mod.rs", "mod child; mod other; use child::g; struct A; fn f() { other::h() }");
        let children = [("a/child.rs", "fn g(_: super::A) {}"), ("a/other.rs", "use super::A; fn h() {}")];
        assert_eq!(circles_of(&[&[("lib.rs", "mod a;"), face][..], &children].concat()), Vec::<String>::new());
        let through =
            [children[0], ("a/other.rs", "use super::child::g; use crate::b::B;"), ("b.rs", "use crate::a::A;")];
        assert_eq!(circles_of(&[&[("lib.rs", "mod a; mod b;"), face][..], &through].concat()), Vec::<String>::new());
        let back = [("a/child.rs", "use super::other::h;"), ("a/other.rs", "use super::child::g;")];
        assert_eq!(circles_of(&[&[("lib.rs", "mod a;"), face][..], &back].concat()).len(), 1);
    }

    #[test]
    fn where_folders_go_one_way_two_that_name_each_other_are_a_circle() {
        let files = [
            ("lib.rs", "mod a; mod b; mod leaf;"),
            ("a/mod.rs", "mod model; mod operation;"),
            ("a/model.rs", "struct Model;"),
            ("a/operation.rs", "use crate::b::store::find; use crate::leaf::LEAF;"),
            ("b/mod.rs", "pub mod store;"),
            ("b/store.rs", "use crate::a::model::Model; use crate::leaf::LEAF; fn find() {}"),
            ("leaf.rs", "const LEAF: u8 = 0;"),
        ];
        assert_eq!(circles_of(&files), Vec::<String>::new(), "no circle of files");
        assert_eq!(circles_in(ONE_WAY[0], &files), ["a circle of 2 folders: a -> b, b -> a"]);
        assert_eq!(circles_in(ONE_WAY[0], &files[..5]), Vec::<String>::new());
    }

    #[test]
    fn comments_strings_tests_and_other_crates_do_not_count() {
        let b = "// crate::a::A\nconst X: &str = \"\\\" crate::a::A\";\n#[cfg(test)]\nmod tests { use crate::a::A; }";
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::X; use serde::a::A;"), ("b.rs", b)];
        assert_eq!(circles_of(&files), Vec::<String>::new());
        assert_eq!(circles_of(&[files[0], files[1], ("b_tests.rs", "use crate::a::A;")]), Vec::<String>::new());
    }
}
