//! The structured fields (RFC 9651) of a signature, as far as our profile knows them: read without being built as objects, written in the canonical form.
//!
//! A reader is lenient in what a conforming signer may write (order, white space) and strict in what could be read in two ways: of two members, or
//! two parameters, of one name RFC 9651 keeps the last, and another reader may have taken the first. Two are refused.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt::Write as _;

use sfv::visitor::{DictionaryVisitor, EntryVisitor, InnerListVisitor, ItemVisitor, ParameterVisitor};
use sfv::{BareItemFromInput, Integer, KeyRef, Parser};

use super::SignatureError;

/// A component identifier (RFC 9421 §2): a name, and `req` when it is the request's, inside an answer (§2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Component<'a> {
    pub(super) name: &'a str,
    pub(super) req: bool,
}

impl<'a> Component<'a> {
    /// One of the message itself.
    pub(super) const fn of(name: &'a str) -> Self {
        Self { name, req: false }
    }

    /// One of the request, inside an answer.
    pub(super) const fn of_request(name: &'a str) -> Self {
        Self { name, req: true }
    }

    /// Writes it as it stands in the signature base and among the parameters.
    pub(super) fn write(self, out: &mut String) {
        out.push('"');
        out.push_str(self.name);
        out.push_str(if self.req { "\";req" } else { "\"" });
    }
}

/// The value of a parameter of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Integer(i64),
    /// Printable ASCII without `"` and `\`: neither a nonce nor a key id of ours has them, so nothing is ever escaped.
    Text(&'a str),
}

/// What a signature covers, in its order, and its parameters, in theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Params<'a> {
    pub(super) components: Vec<Component<'a>>,
    pub(super) parameters: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Params<'a> {
    /// As RFC 9651 §4.1.1.1 writes an inner list: the value of `@signature-params` (RFC 9421 §2.3).
    pub(super) fn write(&self) -> Result<String, SignatureError> {
        let mut out = String::with_capacity(32 * (self.components.len() + self.parameters.len()));
        let mut before = '(';
        for component in &self.components {
            out.push(before);
            component.write(&mut out);
            before = ' ';
        }
        out.push_str(if self.components.is_empty() { "()" } else { ")" });
        for (name, value) in &self.parameters {
            let written = match value {
                Value::Integer(number) if Integer::try_from(*number).is_ok() => write!(out, ";{name}={number}"),
                Value::Text(text) if is_plain(text) => write!(out, ";{name}=\"{text}\""),
                _ => return Err(SignatureError::Parameter),
            };
            written.map_err(|_| SignatureError::Parameter)?;
        }
        Ok(out)
    }

    /// There must be exactly the named parameters.
    pub(super) fn expect_exactly(&self, names: &[&str]) -> Result<(), SignatureError> {
        let known = |name: &&str| self.parameters.iter().any(|(given, _)| given == name);
        // None is there twice, so equal numbers mean equal sets.
        if self.parameters.len() == names.len() && names.iter().all(known) {
            Ok(())
        } else {
            Err(SignatureError::Parameter)
        }
    }

    fn value(&self, name: &str) -> Result<Value<'a>, SignatureError> {
        let found = self.parameters.iter().find(|(given, _)| *given == name);
        found.map(|(_, value)| *value).ok_or(SignatureError::Parameter)
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, SignatureError> {
        match self.value(name)? {
            Value::Text(text) => Ok(text),
            Value::Integer(_) => Err(SignatureError::Parameter),
        }
    }

    pub(super) fn integer(&self, name: &str) -> Result<i64, SignatureError> {
        match self.value(name)? {
            Value::Integer(number) => Ok(number),
            Value::Text(_) => Err(SignatureError::Parameter),
        }
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\')
}

/// Reads `field`, a dictionary whose only member is an inner list called `name`: components and parameters of a signature.
pub(super) fn only_list<'a>(field: &'a str, name: &str) -> Result<Params<'a>, SignatureError> {
    let read = read(field, name)?;
    match read.member {
        Member::List(components) => Ok(Params { components, parameters: read.parameters }),
        _ => Err(SignatureError::Malformed),
    }
}

/// Reads `field`, a dictionary whose only member is a byte sequence called `name`, without parameters: a MAC, a digest.
pub(super) fn only_bytes(field: &str, name: &str) -> Result<Vec<u8>, SignatureError> {
    let read = read(field, name)?;
    match read.member {
        Member::Bytes(bytes) if read.parameters.is_empty() => Ok(bytes),
        _ => Err(SignatureError::Malformed),
    }
}

fn read<'a>(field: &'a str, name: &str) -> Result<Reading<'a>, SignatureError> {
    let reading = Parser::new(field).parse_dictionary_with_visitor(Reading::default());
    let reading = reading.map_err(|_| SignatureError::Malformed)?;
    match (reading.names.as_slice(), reading.wrong) {
        ([only], None) if *only == name => Ok(reading),
        ([only], Some(error)) if *only == name => Err(error),
        _ => Err(SignatureError::Malformed),
    }
}

#[derive(Default)]
enum Member<'a> {
    #[default]
    Other,
    Bytes(Vec<u8>),
    List(Vec<Component<'a>>),
}

/// A dictionary while it is read.
#[derive(Default)]
struct Reading<'a> {
    names: Vec<&'a str>,
    member: Member<'a>,
    parameters: Vec<(&'a str, Value<'a>)>,
    /// The first thing that is well-formed and not of our profile.
    wrong: Option<SignatureError>,
}

impl<'a> Reading<'a> {
    fn refuse(&mut self, error: SignatureError) {
        self.wrong.get_or_insert(error);
    }

    /// A component; its parameters follow.
    fn component(&mut self, item: BareItemFromInput<'a>) {
        let BareItemFromInput::String(name) = item else { return self.refuse(SignatureError::ComponentUnexpected) };
        // A name with an escape in it is owned: no component has one.
        let Cow::Borrowed(name) = name else { return self.refuse(SignatureError::ComponentUnexpected) };
        if let Member::List(components) = &mut self.member {
            components.push(Component::of(name.as_str()));
        }
    }
}

impl<'a> DictionaryVisitor<'a> for Reading<'a> {
    type Out = Self;
    type Error = Infallible;

    fn entry(&mut self, key: &'a KeyRef) -> Result<impl EntryVisitor<'a>, Infallible> {
        self.names.push(key.as_str());
        Ok(Entry(self))
    }

    fn finish(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

/// A visitor of one item, which it may keep what it has borrowed for.
fn once<'a, V, F: FnOnce(BareItemFromInput<'a>) -> Result<V, Infallible>>(visit: F) -> F {
    visit
}

/// The value of a member.
struct Entry<'r, 'a>(&'r mut Reading<'a>);

impl<'a> EntryVisitor<'a> for Entry<'_, 'a> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(once(move |item| {
            if let BareItemFromInput::ByteSequence(bytes) = item {
                self.0.member = Member::Bytes(bytes);
            }
            Ok(Parameters(self.0))
        }))
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Infallible> {
        self.0.member = Member::List(Vec::with_capacity(12));
        Ok(Components(self.0))
    }
}

/// The items of the inner list.
struct Components<'r, 'a>(&'r mut Reading<'a>);

impl<'a> InnerListVisitor<'a> for Components<'_, 'a> {
    type Error = Infallible;

    fn item(&mut self) -> Result<impl ItemVisitor<'a>, Infallible> {
        let reading = &mut *self.0;
        Ok(once(move |item| {
            reading.component(item);
            Ok(OfComponent(reading))
        }))
    }

    fn finish(self) -> Result<impl ParameterVisitor<'a>, Infallible> {
        Ok(Parameters(self.0))
    }
}

/// The parameters of one component: we know `req`.
struct OfComponent<'r, 'a>(&'r mut Reading<'a>);

impl<'a> ParameterVisitor<'a> for OfComponent<'_, 'a> {
    type Out = ();
    type Error = Infallible;

    fn parameter(&mut self, key: &'a KeyRef, value: BareItemFromInput<'a>) -> Result<(), Infallible> {
        let component = match &mut self.0.member {
            Member::List(components) => components.last_mut(),
            _ => None,
        };
        match (key.as_str(), value, component) {
            ("req", BareItemFromInput::Boolean(true), Some(component)) if !component.req => component.req = true,
            _ => self.0.refuse(SignatureError::ComponentUnexpected),
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The parameters of the member itself.
struct Parameters<'r, 'a>(&'r mut Reading<'a>);

impl<'a> ParameterVisitor<'a> for Parameters<'_, 'a> {
    type Out = ();
    type Error = Infallible;

    fn parameter(&mut self, key: &'a KeyRef, value: BareItemFromInput<'a>) -> Result<(), Infallible> {
        let value = match value {
            BareItemFromInput::Integer(number) => Some(Value::Integer(number.into())),
            // With an escape in it, it is owned.
            BareItemFromInput::String(Cow::Borrowed(text)) => Some(Value::Text(text.as_str())),
            _ => None,
        };
        let twice = self.0.parameters.iter().any(|(given, _)| *given == key.as_str());
        match value {
            Some(value) if !twice => self.0.parameters.push((key.as_str(), value)),
            _ => self.0.refuse(SignatureError::Parameter),
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}
