//! A DER writer for tests, written apart from the reader under test.

/// Identifier octets, then length, then content.
pub(crate) fn element(identifier: &[u8], content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = identifier.to_vec();
    match length {
        0..=0x7f => out.push(length as u8),
        0x80..=0xff => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

pub(crate) fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    element(&[0x30], &elements.concat())
}

pub(crate) fn set(elements: &[Vec<u8>]) -> Vec<u8> {
    element(&[0x31], &elements.concat())
}

pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    element(&[4], content)
}

pub(crate) fn null() -> Vec<u8> {
    element(&[5], &[])
}

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    element(&[1], &[if value { 0xff } else { 0 }])
}

pub(crate) fn integer(value: u64) -> Vec<u8> {
    element(&[2], &minimal(value))
}

pub(crate) fn enumerated(value: u64) -> Vec<u8> {
    element(&[10], &minimal(value))
}

pub(crate) fn explicit(number: u32, content: &[u8]) -> Vec<u8> {
    let identifier = match number {
        0..=30 => vec![0xa0 | number as u8],
        31..=127 => vec![0xbf, number as u8],
        _ => vec![0xbf, 0x80 | (number >> 7) as u8, (number & 0x7f) as u8],
    };
    element(&identifier, content)
}

fn minimal(value: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    if bytes.first().is_none_or(|first| *first >= 0x80) {
        bytes.insert(0, 0);
    }
    bytes
}
