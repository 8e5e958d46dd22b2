//! What a page is asked: its fields, each with what it takes, and the links that keep them. What does not fit is named beside its field, and so is what is no
//! field of the page. Until that is mended nothing is looked for: a list that left out what it did not understand would pass for the answer.

use std::collections::BTreeSet;

use ladder::terminal::cut;
use testkit::pages::Asked;
use url::form_urlencoded;

/// Lines of a list on one page: on a phone, a few screens.
const PART: usize = 25;
/// Characters of what somebody typed that are said again.
const SAID: usize = 60;
/// Whether a page is asked for again and again.
const LIVE: &str = "live";
/// Which part of a list.
const PAGE: &str = "page";

/// Whether a page is asked for again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Live {
    /// It stays as it is.
    Never,
    On,
    /// The reader has switched it off.
    Off,
}

/// How a field is shown.
pub(super) enum Shape {
    Text,
    /// One of these, or none.
    Choice(Vec<String>),
    /// `on`, or not given.
    Check,
    /// Links carry it; nobody types it.
    Carried,
}

/// A field of a page.
pub(super) struct Field {
    /// In the address.
    pub(super) name: &'static str,
    /// To people.
    pub(super) label: &'static str,
    pub(super) shape: Shape,
    /// In words.
    takes: String,
    fits: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// What was given, without the spaces around it; empty if it was left empty or out.
    pub(super) value: String,
    /// What does not fit.
    pub(super) wrong: Option<String>,
}

impl Field {
    pub(super) fn new(
        name: &'static str,
        label: &'static str,
        shape: Shape,
        takes: impl Into<String>,
        fits: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { name, label, shape, takes: takes.into(), fits: Box::new(fits), value: String::new(), wrong: None }
    }

    /// A text in which any will do.
    pub(super) fn words(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Shape::Text, "at most 200 characters", |value| value.chars().count() <= 200)
    }

    /// One of these, all of which are known.
    pub(super) fn one_of(name: &'static str, label: &'static str, choices: Vec<String>) -> Self {
        let known = choices.clone();
        let takes =
            if choices.is_empty() { "nothing yet".to_owned() } else { format!("one of {}", choices.join(", ")) };
        Self::new(name, label, Shape::Choice(choices), takes, move |value| known.iter().any(|one| one == value))
    }

    pub(super) fn check(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Shape::Check, "on, or is left out", |value| value == "on")
    }

    /// Of a page that is asked for again and again.
    pub(super) fn live() -> Self {
        Self::new(LIVE, LIVE, Shape::Carried, "off, or is left out", |value| value == "off")
    }

    /// Of a page that shows a part of a list.
    pub(super) fn page() -> Self {
        let number = |value: &str| value.parse::<u32>().is_ok_and(|number| number > 0);
        Self::new(PAGE, PAGE, Shape::Carried, "a number from 1", number)
    }

    /// Whether people see it.
    pub(super) fn is_shown(&self) -> bool {
        !matches!(self.shape, Shape::Carried)
    }

    fn fill(&mut self, value: &str) {
        value.clone_into(&mut self.value);
        self.wrong = (!value.is_empty() && !(self.fits)(value)).then(|| self.refused());
    }

    fn refused(&self) -> String {
        format!("“{}” takes {}, and not “{}”.", self.label, self.takes, cut(&self.value, SAID))
    }
}

/// The fields of one page, as they were filled in.
pub(super) struct Form {
    path: String,
    fields: Vec<Field>,
    /// What is wrong with none of the fields.
    complaints: Vec<String>,
}

/// A part of a list.
#[derive(Default)]
pub(super) struct Part {
    /// From 1; no more than `last` in an empty list.
    pub(super) first: usize,
    pub(super) last: usize,
    /// How many there are.
    pub(super) all: usize,
    /// Links to the parts before and after it.
    pub(super) newer: Option<String>,
    pub(super) older: Option<String>,
}

impl Form {
    pub(super) fn read(asked: &Asked, fields: Vec<Field>) -> Self {
        let mut form = Self { path: asked.path.clone(), fields, complaints: Vec::new() };
        let mut given = BTreeSet::new();
        for (name, value) in form_urlencoded::parse(asked.query.as_bytes()) {
            let Some(field) = form.fields.iter_mut().find(|field| field.name == name) else {
                let names: Vec<&str> = form.fields.iter().map(|field| field.name).collect();
                let has =
                    if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
                form.complaints.push(format!("“{}” is no field of this page: {has}.", cut(&name, SAID)));
                continue;
            };
            if given.insert(field.name) {
                field.fill(value.trim());
            } else {
                form.complaints
                    .push(format!("“{}” is given more than once, and this page takes it once.", field.label));
            }
        }
        form
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
    }

    /// Of a field that the page has; empty if nothing was given.
    pub(super) fn value(&self, name: &str) -> &str {
        // Default: what a page has not is as what was left out.
        self.fields.iter().find(|field| field.name == name).map_or("", |field| &field.value)
    }

    /// Whether something does not fit.
    pub(super) fn is_wrong(&self) -> bool {
        !self.complaints.is_empty() || self.fields.iter().any(|field| field.wrong.is_some())
    }

    /// Whether anything that people choose by was given.
    pub(super) fn narrows(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.shape, Shape::Text | Shape::Choice(_)) && !field.value.is_empty())
    }

    /// What is wrong with none of the fields that are shown.
    pub(super) fn complaints(&self) -> Vec<String> {
        let carried = self.fields.iter().filter(|field| !field.is_shown());
        carried.filter_map(|field| field.wrong.clone()).chain(self.complaints.clone()).collect()
    }

    /// What does not fit is not asked for again.
    pub(super) fn live(&self) -> Live {
        if self.is_wrong() {
            return Live::Never;
        }
        match self.fields.iter().find(|field| field.name == LIVE) {
            None => Live::Never,
            Some(field) if field.value == "off" => Live::Off,
            Some(_) => Live::On,
        }
    }

    /// The values that a choice has, if they are known only now.
    pub(super) fn offer(&mut self, name: &str, choices: impl IntoIterator<Item = String>) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            let value = std::mem::take(&mut field.value);
            *field = Field::one_of(field.name, field.label, choices.into_iter().collect());
            field.fill(&value);
        }
    }

    /// This page with these fields otherwise.
    pub(super) fn link(&self, changed: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for field in &self.fields {
            let other = changed.iter().find(|(name, _)| *name == field.name).map(|(_, value)| *value);
            // Default: what is not changed stays.
            let value = other.unwrap_or(&field.value);
            if !value.is_empty() {
                query.append_pair(field.name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }

    /// The same, from the first part of its list.
    pub(super) fn first_page(&self, changed: &[(&str, &str)]) -> String {
        self.link(&[changed, &[(PAGE, "")]].concat())
    }

    /// The other way: live if it is held still, and held still if it is live.
    pub(super) fn turned(&self) -> String {
        self.link(&[(LIVE, if self.live() == Live::On { "off" } else { "" })])
    }

    /// Leaves of a list what stands on the page that is asked for; nothing while something does not fit.
    pub(super) fn part<T>(&mut self, list: &mut Vec<T>) -> Part {
        if self.is_wrong() {
            list.clear();
            return Part::default();
        }
        let all = list.len();
        let pages = all.div_ceil(PART).max(1);
        // Default: the first.
        let page = self.value(PAGE).parse::<usize>().unwrap_or(1);
        if page > pages
            && let Some(field) = self.fields.iter_mut().find(|field| field.name == PAGE)
        {
            field.takes = if pages == 1 { "1 here".to_owned() } else { format!("a number from 1 to {pages} here") };
            field.wrong = Some(field.refused());
            list.clear();
            return Part::default();
        }
        let skipped = (page - 1).saturating_mul(PART);
        list.drain(..skipped.min(list.len()));
        list.truncate(PART);
        let link = |page: usize| (1..=pages).contains(&page).then(|| self.link(&[(PAGE, &page.to_string())]));
        Part { first: skipped + 1, last: skipped + list.len(), all, newer: link(page - 1), older: link(page + 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(query: &str) -> Form {
        let asked = Asked { path: "/list".to_owned(), query: query.to_owned() };
        let service = Field::one_of("service", "Service", vec!["auth".to_owned(), "ledger".to_owned()]);
        let status = Field::new("status", "Status", Shape::Text, "three digits", |value| value.len() == 3);
        Form::read(&asked, vec![service, status, Field::check("all", "All"), Field::live(), Field::page()])
    }

    #[test]
    fn what_does_not_fit_is_said_of_its_field_with_what_it_takes() {
        for right in ["", "service=", "service=auth&status=+404+&all=on&live=off&page=3"] {
            assert!(!form(right).is_wrong(), "{right}");
        }
        for (query, field, words) in [
            ("service=nobody", "service", "“Service” takes one of auth, ledger, and not “nobody”."),
            ("status=abcd", "status", "“Status” takes three digits, and not “abcd”."),
            ("all=yes", "all", "“All” takes on, or is left out, and not “yes”."),
        ] {
            let form = form(query);
            let wrong = form.fields().find(|one| one.name == field).unwrap().wrong.clone();
            assert_eq!(wrong.as_deref(), Some(words));
            assert!(form.is_wrong() && form.complaints().is_empty(), "{query}");
        }
        for (query, words) in [
            ("live=maybe", "“live” takes off, or is left out, and not “maybe”."),
            ("page=0", "“page” takes a number from 1, and not “0”."),
            ("stauts=404", "“stauts” is no field of this page: it has service, status, all, live, page."),
            ("status=404&status=500", "“Status” is given more than once, and this page takes it once."),
        ] {
            assert!(form(query).is_wrong());
            assert_eq!(form(query).complaints(), [words]);
        }
        let long = form(&format!("{}=1", "x".repeat(5000))).complaints().concat();
        assert!(long.chars().count() < 200, "{long}");
    }

    #[test]
    fn a_list_is_shown_in_parts_whose_links_keep_what_was_asked() {
        let part = |query: &str, all: usize| {
            let (mut form, mut list) = (form(query), (1..=all).collect::<Vec<_>>());
            let part = form.part(&mut list);
            (list.first().copied(), list.last().copied(), part.newer, part.older, form.complaints())
        };
        let link = |query: &str| Some(format!("/list?{query}"));
        let none = Vec::<String>::new;
        assert_eq!(part("", 25), (Some(1), Some(25), None, None, none()));
        assert_eq!(part("status=404", 26), (Some(1), Some(25), None, link("status=404&page=2"), none()));
        let middle = part("status=404&live=off&page=2", 60);
        let links = (link("status=404&live=off&page=1"), link("status=404&live=off&page=3"));
        assert_eq!(middle, (Some(26), Some(50), links.0, links.1, none()));
        assert_eq!(part("page=3", 60), (Some(51), Some(60), link("page=2"), None, none()));
        let (first, _, newer, older, complaints) = part("page=4", 60);
        assert_eq!((first, newer, older), (None, None, None));
        assert_eq!(complaints, ["“page” takes a number from 1 to 3 here, and not “4”."]);
        let (first, _, newer, older, complaints) = part("status=4&page=9", 60);
        assert_eq!(
            (first, newer, older, complaints),
            (None, None, None, none()),
            "of an answer that nobody has there are no parts"
        );
    }

    #[test]
    fn whoever_holds_a_page_still_keeps_what_was_asked() {
        assert_eq!(form("status=404").turned(), "/list?status=404&live=off");
        assert_eq!(form("status=404&live=off").turned(), "/list?status=404");
        assert_eq!(form("page=2&live=off").first_page(&[("all", "on")]), "/list?all=on&live=off");
    }
}
