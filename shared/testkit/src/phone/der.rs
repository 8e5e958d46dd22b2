//! A DER writer, as small as the evidence of a phone needs (X.690 §8 and §10).
//!
//! Every function returns one complete element; a constructed one is built from finished elements. Tag numbers may be
//! above 30, as Android's key description and Apple's extensions have them.

/// Class and form bits of an identifier octet (X.690 §8.1.2).
const CONTEXT_CONSTRUCTED: u8 = 0xa0;

/// `SEQUENCE` of finished elements.
pub(super) fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    element(&[0x30], &elements.concat())
}

/// `SET OF` finished elements, sorted as DER wants it (X.690 §11.6).
pub(super) fn set(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut sorted = elements.to_vec();
    sorted.sort();
    element(&[0x31], &sorted.concat())
}

/// `INTEGER`, not negative.
pub(super) fn integer(value: u64) -> Vec<u8> {
    unsigned(&[0x02], &value.to_be_bytes())
}

/// `INTEGER` from big-endian bytes, not negative.
pub(super) fn integer_bytes(value: &[u8]) -> Vec<u8> {
    unsigned(&[0x02], value)
}

/// `ENUMERATED`.
pub(super) fn enumerated(value: u64) -> Vec<u8> {
    unsigned(&[0x0a], &value.to_be_bytes())
}

/// `OCTET STRING`.
pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    element(&[0x04], content)
}

/// `UTF8String`.
pub(super) fn utf8(text: &str) -> Vec<u8> {
    element(&[0x0c], text.as_bytes())
}

/// `BOOLEAN`; true is `FF` (X.690 §11.1).
pub(super) fn boolean(value: bool) -> Vec<u8> {
    element(&[0x01], &[if value { 0xff } else { 0 }])
}

/// `NULL`.
pub(super) fn null() -> Vec<u8> {
    element(&[0x05], &[])
}

/// An explicitly tagged element: `[number] EXPLICIT`.
pub(super) fn explicit(number: u32, content: &[u8]) -> Vec<u8> {
    element(&context_identifier(number), content)
}

/// Identifier octets of a constructed context tag (X.690 §8.1.2.4 for numbers above 30).
fn context_identifier(number: u32) -> Vec<u8> {
    let low = u8::try_from(number).unwrap_or(u8::MAX);
    if low <= 30 {
        return vec![CONTEXT_CONSTRUCTED | low];
    }
    let mut septets = vec![low_septet(number)];
    let mut rest = number >> 7;
    while rest > 0 {
        septets.push(low_septet(rest) | 0x80);
        rest >>= 7;
    }
    septets.push(CONTEXT_CONSTRUCTED | 0x1f);
    septets.reverse();
    septets
}

fn low_septet(number: u32) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or_default()
}

/// Minimal two's complement of a number that is not negative (X.690 §8.3.2).
fn unsigned(identifier: &[u8], big_endian: &[u8]) -> Vec<u8> {
    let significant: Vec<u8> = big_endian.iter().copied().skip_while(|byte| *byte == 0).collect();
    let content = match significant.first() {
        None => vec![0],
        Some(first) if *first >= 0x80 => [&[0], significant.as_slice()].concat(),
        Some(_) => significant,
    };
    element(identifier, &content)
}

/// Identifier, definite length in its shortest form (X.690 §10.1), content.
fn element(identifier: &[u8], content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = identifier.to_vec();
    if let Ok(short) = u8::try_from(length)
        && short < 0x80
    {
        out.push(short);
    } else {
        let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        out.push(0x80 | u8::try_from(bytes.len()).unwrap_or_default());
        out.extend(bytes);
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the Pixel 3a in `AttestationSamples`: tags 1, 503, 702 and 704 as that phone wrote them.
    #[test]
    fn tags_above_thirty_are_written_as_a_real_phone_writes_them() {
        assert_eq!(explicit(1, &set(&[integer(3), integer(2)])), [0xa1, 8, 0x31, 6, 2, 1, 2, 2, 1, 3]);
        assert_eq!(explicit(503, &null()), [0xbf, 0x83, 0x77, 2, 5, 0]);
        assert_eq!(explicit(702, &integer(0)), [0xbf, 0x85, 0x3e, 3, 2, 1, 0]);
        assert_eq!(explicit(704, &[])[..3], [0xbf, 0x85, 0x40]);
        // Apple's operating system version has tag 1400.
        assert_eq!(explicit(1400, &octets(b"14.4"))[..3], [0xbf, 0x8a, 0x78]);
    }

    #[test]
    fn integers_are_minimal_and_never_negative() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 0x7f]);
        assert_eq!(integer(128), [2, 2, 0, 0x80]);
        assert_eq!(integer(110_000), [2, 3, 1, 0xad, 0xb0]);
        assert_eq!(integer_bytes(&[0, 0, 0xff]), [2, 2, 0, 0xff]);
    }

    #[test]
    fn long_content_has_a_long_length() {
        assert_eq!(octets(&[0; 127])[..2], [4, 127]);
        assert_eq!(octets(&[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(octets(&[0; 300])[..4], [4, 0x82, 1, 44]);
    }
}
