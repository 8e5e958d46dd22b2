//! A dotted path to one member of a JSON text, as manifests write it: `data.payout_id`.

use super::document::Document;

/// Names in a path at most: no message that we agree on is nested deeper.
const MAX_NAMES: usize = 8;

/// A path, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// Reads what a manifest says.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-$@".contains(&byte);
        let plain = |name: &str| !name.is_empty() && name.len() <= 64 && name.bytes().all(good);
        let names: Vec<&str> = text.split('.').collect();
        if names.len() > MAX_NAMES || !names.iter().all(|name| plain(name)) {
            return Err("is not a dotted path of at most 8 plain names, such as `data.id`");
        }
        Ok(Self(names.into_iter().map(str::to_owned).collect()))
    }

    /// The names, outermost first.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether one of them is the other, or leads to it: then both cannot be values of one text.
    pub fn collides(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(one, two)| one == two)
    }

    /// What stands there; `None` if nothing does.
    pub fn find<'a>(&self, body: &'a Document) -> Option<&'a Document> {
        self.0.iter().try_fold(body, |value, name| match value {
            Document::Object(members) => members.get(name),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_read_as_it_was_meant_or_not_at_all() {
        for text in ["id", "data.payout_id", "a.b.c.d.e.f.g.h", "$ref", "@id", "kebab-case"] {
            assert!(Path::parse(text).is_ok(), "{text}");
        }
        for text in ["", ".", "a.", ".a", "a..b", "*", "a.*", "/data/id", "a b", "a[0]", "ä", "a.b.c.d.e.f.g.h.i"] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
        assert!(Path::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn it_finds_what_stands_there_and_nothing_beside_it() {
        let body = Document::from(json!({ "a": { "b": "x" }, "a.b": "y", "list": [{ "b": "z" }] }));
        let find = |path: &str| Path::parse(path).unwrap().find(&body).cloned();
        assert_eq!(find("a.b"), Some(Document::Text("x".to_owned())));
        for path in ["b", "a.b.c", "list.b", "list.0", "A.b"] {
            assert_eq!(find(path), None, "{path}");
        }
    }
}
