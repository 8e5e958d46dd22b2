//! The forms that a text can hide in, undone one layer at a time.
//!
//! Decoders are lenient where a reader somewhere may be: both alphabets of base64 at once and at every alignment, escapes of
//! several languages in one text, numeric entities without their semicolon. Each makes its text shorter, so layers end.

use crypto::{Secret, SecretBytes};
use memchr::memchr3;

use super::WINDOW;

/// Characters of base64 that hold a window.
const BASE64_RUN: usize = WINDOW.div_ceil(3) * 4;
/// Hexadecimal digits that hold a window.
const HEX_RUN: usize = WINDOW * 2;

/// Named character references (HTML §13.5) of visible ASCII and of white space (which is dropped).
const ENTITIES: [(&[u8], Option<u8>); 39] = [
    (b"amp", Some(b'&')),
    (b"lt", Some(b'<')),
    (b"gt", Some(b'>')),
    (b"quot", Some(b'"')),
    (b"apos", Some(b'\'')),
    (b"nbsp", None),
    (b"Tab", None),
    (b"NewLine", None),
    (b"ZeroWidthSpace", None),
    (b"excl", Some(b'!')),
    (b"num", Some(b'#')),
    (b"dollar", Some(b'$')),
    (b"percnt", Some(b'%')),
    (b"lpar", Some(b'(')),
    (b"rpar", Some(b')')),
    (b"ast", Some(b'*')),
    (b"midast", Some(b'*')),
    (b"plus", Some(b'+')),
    (b"comma", Some(b',')),
    (b"period", Some(b'.')),
    (b"sol", Some(b'/')),
    (b"colon", Some(b':')),
    (b"semi", Some(b';')),
    (b"equals", Some(b'=')),
    (b"quest", Some(b'?')),
    (b"commat", Some(b'@')),
    (b"lsqb", Some(b'[')),
    (b"lbrack", Some(b'[')),
    (b"bsol", Some(b'\\')),
    (b"rsqb", Some(b']')),
    (b"rbrack", Some(b']')),
    (b"Hat", Some(b'^')),
    (b"lowbar", Some(b'_')),
    (b"grave", Some(b'`')),
    (b"lcub", Some(b'{')),
    (b"lbrace", Some(b'{')),
    (b"verbar", Some(b'|')),
    (b"rcub", Some(b'}')),
    (b"rbrace", Some(b'}')),
];
/// How many of them, the first, are also known without a semicolon.
const BARE_ENTITIES: usize = 4;

/// `text` without what no secret has in it and a reader does not see: white space, control characters (the zero bytes of UTF-16)
/// and their relatives in Unicode. `None` when there is none of it.
pub(super) fn visible(text: &[u8]) -> Option<SecretBytes> {
    // Without an early end the compiler looks at many bytes at once.
    let all = |bytes: &[u8]| bytes.iter().fold(true, |all, &byte| all & is_visible(byte));
    if text.chunks(256).all(all) {
        return None;
    }
    let mut out = room(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.iter().take_while(|&&byte| is_visible(byte)).count();
        let (run, after) = rest.split_at(run);
        out.expose_mut().extend_from_slice(run);
        let dropped = match after {
            [0xc2, 0xa0 | 0xad, ..] => 2,
            [0xe2, 0x80 | 0x81, _, ..] | [0xef, 0xbb, 0xbf, ..] => 3,
            // The beginning of another character.
            [byte @ 0x80..=0xff, ..] => {
                out.expose_mut().push(*byte);
                1
            }
            _ => 1,
        };
        // Default: that was the end.
        rest = after.get(dropped..).unwrap_or_default();
    }
    (out.expose().len() < text.len()).then_some(out)
}

/// Whether a byte is seen, or is part of a character that could be: such a byte keeps what stands on its two sides apart.
fn is_visible(byte: u8) -> bool {
    let visible = byte.wrapping_sub(b'!') <= b'~' - b'!';
    visible || byte >= 0x80 && !matches!(byte, 0xc2 | 0xe2 | 0xef)
}

/// One layer of percent-encoding (RFC 3986 §2.1), backslash escapes (JSON and its relatives) and HTML references undone; `None` when
/// there is none. A character above U+00FF is dropped: no secret has one.
pub(super) fn unescaped(text: &[u8]) -> Option<SecretBytes> {
    let mut at = memchr3(b'%', b'\\', b'&', text)?;
    let mut out = room(text.len());
    let mut rest = text;
    loop {
        let (plain, marked) = rest.split_at_checked(at)?;
        out.expose_mut().extend_from_slice(plain);
        // Default: a mark that begins no escape is a character.
        let (length, character) = escape(marked).unwrap_or((1, marked.first().copied()));
        out.expose_mut().extend(character);
        rest = marked.get(length..)?;
        match memchr3(b'%', b'\\', b'&', rest) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.expose_mut().extend_from_slice(rest);
    (out.expose().len() < text.len()).then_some(out)
}

/// The escape at the beginning of `text`: its length and what it stands for.
fn escape(text: &[u8]) -> Option<(usize, Option<u8>)> {
    match text {
        [b'%' | b'\\', b'u', rest @ ..] if let Some(code) = number(rest, 4, 16) => Some((6, byte_of(code))),
        [b'%', rest @ ..] => Some((3, byte_of(number(rest, 2, 16)?))),
        [b'\\', b'x', rest @ ..] if let Some(code) = number(rest, 2, 16) => Some((4, byte_of(code))),
        [b'\\', b'u', b'{', rest @ ..] => {
            let digits = rest.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
            (rest.get(digits) == Some(&b'}')).then_some((digits + 4, byte_of(number(rest, digits, 16)?)))
        }
        [b'\\', b'U', rest @ ..] if let Some(code) = number(rest, 8, 16) => Some((10, byte_of(code))),
        [b'\\', rest @ ..] if matches!(rest.first(), Some(b'0'..=b'7')) => {
            let digits = rest.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            Some((digits + 1, byte_of(number(rest, digits, 8)?)))
        }
        [b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v', ..] => Some((2, None)),
        [b'\\', character, ..] => Some((2, Some(*character))),
        [b'&', b'#', b'x' | b'X', rest @ ..] => numeric(3, rest, 16),
        [b'&', b'#', rest @ ..] => numeric(2, rest, 10),
        [b'&', rest @ ..] => {
            let length = rest.iter().take(16).take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if let [name @ .., b';'] = rest.get(..=length)? {
                let (_, character) = ENTITIES.iter().find(|(known, _)| *known == name)?;
                return Some((length + 2, *character));
            }
            let (name, character) = ENTITIES.iter().take(BARE_ENTITIES).find(|(name, _)| rest.starts_with(name))?;
            Some((name.len() + 1, *character))
        }
        _ => None,
    }
}

/// A numeric reference whose digits begin after `head` bytes. Leading zeros do not end, so neither does the look at them.
fn numeric(head: usize, digits: &[u8], radix: u32) -> Option<(usize, Option<u8>)> {
    let count = digits.iter().take_while(|&&digit| char::from(digit).is_digit(radix)).count();
    let code = number(digits, count, radix)?;
    let semicolon = usize::from(digits.get(count) == Some(&b';'));
    Some((head + count + semicolon, byte_of(code)))
}

/// The first `count` digits; what is too large for anything counts as just that.
fn number(text: &[u8], count: usize, radix: u32) -> Option<u32> {
    let digits = text.get(..count).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_u32, |value, &digit| {
        Some(value.saturating_mul(radix).saturating_add(char::from(digit).to_digit(radix)?))
    })
}

fn byte_of(code: u32) -> Option<u8> {
    u8::try_from(code).ok()
}

/// Every run of base64 characters that could hold a window, decoded from each of four beginnings: what stands directly before the
/// encoded text shifts it. `None` when there is no such run.
pub(super) fn base64(text: &[u8]) -> Option<SecretBytes> {
    decoded(text, BASE64_RUN, sextet, |[a, b, c, d]| [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d])
}

/// The same for runs of hexadecimal digits and their two beginnings.
pub(super) fn hex(text: &[u8]) -> Option<SecretBytes> {
    decoded(text, HEX_RUN, nibble, |[high, low]| [high << 4 | low])
}

/// All runs of at least `shortest` digits, `FROM` of which make `INTO` bytes, joined as `join` says from each of `FROM` beginnings.
fn decoded<const FROM: usize, const INTO: usize>(
    text: &[u8],
    shortest: usize,
    digit: impl Fn(u8) -> u8,
    join: impl Fn([u8; FROM]) -> [u8; INTO],
) -> Option<SecretBytes> {
    let runs = runs(text, shortest, |byte| digit(byte) != NONE);
    let longest = runs.iter().map(|run| run.len()).max()?;
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut out = room(runs.iter().map(|run| (run.len() + FROM) * INTO).sum());
    let mut digits = room(longest + FROM);
    for run in runs {
        digits.expose_mut().clear();
        digits.expose_mut().extend(run.iter().map(|&byte| digit(byte)));
        // So that the last group is whole; what it adds is a zero or two.
        digits.expose_mut().extend([0; FROM].iter().skip(1));
        for start in 0..FROM {
            let (groups, _) = digits.expose().get(start..)?.as_chunks::<FROM>();
            let filled = out.expose().len();
            out.expose_mut().resize(filled + groups.len() * INTO, 0);
            let (places, _) = out.expose_mut().get_mut(filled..)?.as_chunks_mut::<INTO>();
            for (place, group) in places.iter_mut().zip(groups) {
                *place = join(*group);
            }
        }
    }
    Some(out)
}

/// The parts of a decoded text that another layer can hide in: ASCII of a window at least. What was no encoding decodes to noise, and
/// noise has next to none.
pub(super) fn readable(decoded: &[u8]) -> Option<SecretBytes> {
    let runs = runs(decoded, WINDOW, |byte| byte.is_ascii());
    let size: usize = runs.iter().map(|run| run.len() + 1).sum();
    let mut out = (size > 0).then(|| room(size))?;
    for run in runs {
        out.expose_mut().extend_from_slice(run);
        // Between them stands what belongs to nothing.
        out.expose_mut().push(NONE);
    }
    Some(out)
}

/// The runs of at least `shortest` bytes that all `belong`.
fn runs(text: &[u8], shortest: usize, belongs: impl Fn(u8) -> bool) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = text;
    // A run that is long enough covers one of these positions; the others need no look.
    while let Some(step) = rest.iter().skip(shortest - 1).step_by(shortest).position(|&byte| belongs(byte)) {
        let (before, from) = rest.split_at(shortest * (step + 1) - 1);
        let left = before.iter().rev().take_while(|&&byte| belongs(byte)).count();
        let right = from.iter().take_while(|&&byte| belongs(byte)).count();
        let (until, after) = rest.split_at(before.len() + right);
        found.extend(until.get(before.len() - left..).filter(|run| run.len() >= shortest));
        rest = after;
    }
    found
}

/// What is no digit.
const NONE: u8 = u8::MAX;

fn sextet(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => NONE,
    }
}

fn nibble(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => NONE,
    }
}

fn room(bytes: usize) -> SecretBytes {
    Secret::new(Vec::with_capacity(bytes))
}
