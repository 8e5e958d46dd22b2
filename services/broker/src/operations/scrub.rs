//! Finds a secret that comes back: an upstream that echoes its request must not hand our key to the caller.
//!
//! All live secrets of the provider are searched for at once, in the head and the body of every answer, whatever its status:
//! - in every *form*: the text as it is, what is visible of it, and what percent-encoding, backslash escapes, HTML
//!   references, base64 and hexadecimal make of it, layer by layer until nothing is left to undo ([`forms`]). The secrets go
//!   through the same, so both meet wherever one of them was encoded;
//! - by *windows*: [`WINDOW`] bytes of a secret in a row are a hit, so a truncated echo is one too. Shorter would accuse answers
//!   that name a key by its first eight and last four characters, as is customary, and 16 minus 11 characters are no key. What
//!   a provider puts before all of its keys is shorter (`sk_live_`, `whsec_`); a key that begins with more than that is found by it.
//!
//! An answer that takes more than [`EFFORT`] times its length to undo counts as a hit: no honest one does.

use crypto::{Secret, SecretBytes};
use reqwest::header::HeaderMap;

mod forms;

/// The shortest secret that can be searched for.
pub const MIN_SECRET: usize = 16;
/// The longest; no header is longer, and every position in its forms fits 16 bits.
pub const MAX_SECRET: usize = 4096;
/// How much of a secret is a hit.
pub const WINDOW: usize = 12;
/// Bytes that are looked up; a window holds one that begins at a multiple of [`STRIDE`], wherever it begins itself.
const GRAM: usize = 4;
const STRIDE: usize = WINDOW - GRAM + 1;
/// Bytes of forms per byte of an answer. Prose taken for base64 costs 3; each further real layer less than the one before.
const EFFORT: usize = 16;
/// Bytes of forms for any answer, however short.
const BASE_EFFORT: usize = 4096;
const FILTER_WORDS: usize = 1024;

/// Searches for secrets. What it holds of them is cleared when it is dropped; it lives with their cache entry and never prints.
pub struct Scrubber {
    /// Forms of the secrets.
    needles: Vec<SecretBytes>,
    /// Every gram of the needles, sorted: gram, needle and position in one number.
    index: Secret<Vec<u64>>,
    /// A bit for the hash of each gram; most positions of an innocent answer end here.
    filter: Secret<Vec<u64>>,
}

impl Scrubber {
    /// Prepares the search for `secrets`; none is allowed and finds nothing.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut needles: Vec<SecretBytes> = Vec::new();
        for secret in secrets {
            any_form(secret, &mut |form| {
                if form.len() >= WINDOW {
                    needles.push(SecretBytes::from(form));
                }
                false
            });
        }
        let size = needles.iter().map(|needle| needle.expose().len()).sum();
        let mut index = Secret::new(Vec::with_capacity(size));
        let mut filter = Secret::new(vec![0; FILTER_WORDS]);
        for (number, needle) in (0_u64..).zip(&needles) {
            for (position, gram) in (0_u64..).zip(needle.expose().windows(GRAM)) {
                let gram = gram_of(gram);
                index.expose_mut().push(u64::from(gram) << 32 | (number & 0xffff) << 16 | position & 0xffff);
                let (word, bit) = slot(gram);
                // Default: what the filter has no bit for is looked up in the index.
                if let Some(word) = filter.expose_mut().get_mut(word) {
                    *word |= bit;
                }
            }
        }
        index.expose_mut().sort_unstable();
        Self { needles, index, filter }
    }

    /// Whether an answer holds one of the secrets, in any of its forms.
    pub fn found_in(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        if self.needles.is_empty() {
            return false;
        }
        let size = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2).sum();
        let mut head = SecretBytes::new(Vec::with_capacity(size));
        for (name, value) in headers {
            for part in [name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"] {
                head.expose_mut().extend_from_slice(part);
            }
        }
        self.found_in_text(head.expose()) || self.found_in_text(body)
    }

    /// The same for one text.
    pub fn found_in_text(&self, text: &[u8]) -> bool {
        any_form(text, &mut |form| self.holds_window(form))
    }

    /// Whether `text`, as it is, holds a window of a needle.
    fn holds_window(&self, text: &[u8]) -> bool {
        let mut grams = (0..).step_by(STRIDE).zip(text.windows(GRAM).step_by(STRIDE));
        grams.any(|(at, gram)| {
            let gram = gram_of(gram);
            let (word, bit) = slot(gram);
            self.filter.expose().get(word).is_none_or(|word| word & bit != 0) && self.window_at(text, at, gram)
        })
    }

    /// Whether the gram at `at` is part of a window.
    fn window_at(&self, text: &[u8], at: usize, gram: u32) -> bool {
        let first = self.index.expose().partition_point(|entry| entry >> 32 < u64::from(gram));
        let same = self.index.expose().iter().skip(first).take_while(|entry| *entry >> 32 == u64::from(gram));
        same.into_iter().any(|entry| {
            let (number, position) = (entry >> 16 & 0xffff, entry & 0xffff);
            let needle = usize::try_from(number).ok().and_then(|number| self.needles.get(number));
            let split = needle.zip(usize::try_from(position).ok());
            let split = split.and_then(|(needle, position)| needle.expose().split_at_checked(position));
            let (Some((left, right)), Some((before, from))) = (split, text.split_at_checked(at)) else {
                // An index that names no place in the secrets finds none of them: better an answer too few.
                return true;
            };
            let equal = |(one, other): &(&u8, &u8)| one == other;
            let backward = left.iter().rev().zip(before.iter().rev()).take_while(equal).count();
            let forward = right.iter().zip(from).take_while(equal).count();
            backward + forward >= WINDOW
        })
    }
}

/// Shows `visit` every form of `text`, until it says yes or there are no more; whether it did, or there were too many.
fn any_form(text: &[u8], visit: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    let mut effort = text.len() * EFFORT + BASE_EFFORT;
    let mut pending: Vec<SecretBytes> = Vec::new();
    let mut current: Option<SecretBytes> = None;
    loop {
        // Default: the text itself is its first form.
        let form = current.as_ref().map_or(text, |form| form.expose());
        if visit(form) {
            return true;
        }
        // Whatever can be dropped or unescaped first, because digits of base64 stay digits meanwhile.
        let mut charge = |form: &SecretBytes| {
            let left = effort.checked_sub(form.expose().len());
            // Default: nothing is left, and the next lines say that it was too much.
            effort = left.unwrap_or_default();
            left.is_some()
        };
        if let Some(simpler) = forms::visible(form).or_else(|| forms::unescaped(form)) {
            if !charge(&simpler) {
                return true;
            }
            pending.push(simpler);
        } else {
            for decoded in [forms::base64(form), forms::hex(form)].into_iter().flatten() {
                if !charge(&decoded) || visit(decoded.expose()) {
                    return true;
                }
                pending.extend(forms::readable(decoded.expose()));
            }
        }
        current = pending.pop();
        if current.is_none() {
            return false;
        }
    }
}

fn gram_of(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |gram, &byte| gram << 8 | u32::from(byte))
}

/// Where the filter has the bit of a gram: 16 bits of a multiplicative hash.
fn slot(gram: u32) -> (usize, u64) {
    let [high, low, ..] = gram.wrapping_mul(0x9e37_79b1).to_be_bytes();
    let hash = u16::from_be_bytes([high, low]);
    (usize::from(hash >> 6), 1 << (hash & 63))
}

#[cfg(test)]
mod tests;
