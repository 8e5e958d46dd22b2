//! A strict DER reader: definite, minimal lengths, minimal tags and integers, nothing left over.
//!
//! Own and small because a lenient reader is where two verifiers start to disagree about one certificate, and because Android's key
//! description uses context tags above 30. Lenient in one thing, and it says so: genuine hardware (the StrongBox of Pixel 3 and 3 XL, a
//! TEE of July 2026) writes a `BOOLEAN` that is true as 01, which nobody reads as false.
//! Every function borrows from the input, allocates nothing and cannot panic.

/// The bytes are not DER, or not the DER that was expected here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the expected DER")]
pub struct DerError;

/// A `BOOLEAN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boolean {
    pub value: bool,
    /// It is one of DER's two encodings of 256 (X.690 §8.2.2, §11.1).
    pub is_der: bool,
}

/// Class and number of a tag, and whether the value is made of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// `[UNIVERSAL n]`.
    Universal(u32),
    /// `[n]`, explicit or constructed.
    Context(u32),
}

/// `BOOLEAN`.
pub const BOOLEAN: Tag = Tag::Universal(1);
/// `INTEGER`.
pub const INTEGER: Tag = Tag::Universal(2);
/// `BIT STRING`.
pub const BIT_STRING: Tag = Tag::Universal(3);
/// `OCTET STRING`.
pub const OCTET_STRING: Tag = Tag::Universal(4);
/// `NULL`.
pub const NULL: Tag = Tag::Universal(5);
/// `ENUMERATED`.
pub const ENUMERATED: Tag = Tag::Universal(10);
/// `SEQUENCE`.
pub const SEQUENCE: Tag = Tag::Universal(16);
/// `SET`.
pub const SET: Tag = Tag::Universal(17);

/// Reads one value after the other.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// An error unless everything has been read.
    pub fn finish(self) -> Result<(), DerError> {
        if self.is_empty() { Ok(()) } else { Err(DerError) }
    }

    /// The next value with its tag.
    pub fn read(&mut self) -> Result<(Tag, &'a [u8]), DerError> {
        let tag = self.tag()?;
        let length = self.length()?;
        let (value, rest) = self.rest.split_at_checked(length).ok_or(DerError)?;
        self.rest = rest;
        Ok((tag, value))
    }

    /// The next value, which must have this tag.
    pub fn expect(&mut self, tag: Tag) -> Result<&'a [u8], DerError> {
        match self.read()? {
            (found, value) if found == tag => Ok(value),
            _ => Err(DerError),
        }
    }

    /// The next value as a `SEQUENCE`.
    pub fn sequence(&mut self) -> Result<Reader<'a>, DerError> {
        self.expect(SEQUENCE).map(Reader::new)
    }

    /// The next value as a `SET`.
    pub fn set(&mut self) -> Result<Reader<'a>, DerError> {
        self.expect(SET).map(Reader::new)
    }

    /// The next value as an `OCTET STRING`.
    pub fn octets(&mut self) -> Result<&'a [u8], DerError> {
        self.expect(OCTET_STRING)
    }

    /// The next value as a non-negative `INTEGER` of at most 64 bits.
    pub fn integer(&mut self) -> Result<u64, DerError> {
        self.expect(INTEGER).and_then(unsigned)
    }

    /// The next value as an `ENUMERATED`.
    pub fn enumerated(&mut self) -> Result<u64, DerError> {
        self.expect(ENUMERATED).and_then(unsigned)
    }

    /// The next value as a `BOOLEAN`.
    pub fn boolean(&mut self) -> Result<Boolean, DerError> {
        match self.expect(BOOLEAN)? {
            [octet] => Ok(Boolean { value: *octet != 0, is_der: matches!(octet, 0x00 | 0xff) }),
            _ => Err(DerError),
        }
    }

    /// The next value as a `NULL`.
    pub fn null(&mut self) -> Result<(), DerError> {
        if self.expect(NULL)?.is_empty() { Ok(()) } else { Err(DerError) }
    }

    fn byte(&mut self) -> Result<u8, DerError> {
        let (first, rest) = self.rest.split_first().ok_or(DerError)?;
        self.rest = rest;
        Ok(*first)
    }

    fn tag(&mut self) -> Result<Tag, DerError> {
        let first = self.byte()?;
        let constructed = first & 0x20 != 0;
        let number = match first & 0x1f {
            0x1f => self.long_tag()?,
            low => u32::from(low),
        };
        match first & 0xc0 {
            // Only SEQUENCE and SET are constructed in DER.
            0x00 if constructed == matches!(number, 16 | 17) => Ok(Tag::Universal(number)),
            // Every context tag read here is EXPLICIT, hence constructed.
            0x80 if constructed => Ok(Tag::Context(number)),
            _ => Err(DerError),
        }
    }

    /// X.690 §8.1.2.4: seven bits at a time, no leading zeros, only for numbers above 30.
    fn long_tag(&mut self) -> Result<u32, DerError> {
        let mut number = 0u32;
        for position in 0..3 {
            let byte = self.byte()?;
            if position == 0 && byte == 0x80 {
                return Err(DerError);
            }
            number = (number << 7) | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return if number > 30 { Ok(number) } else { Err(DerError) };
            }
        }
        Err(DerError)
    }

    /// X.690 §10.1: definite and in the fewest octets.
    fn length(&mut self) -> Result<usize, DerError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(usize::from(first));
        }
        let octets = first & 0x7f;
        if octets == 0 || octets > 3 {
            return Err(DerError);
        }
        let mut length = 0usize;
        for _ in 0..octets {
            length = (length << 8) | usize::from(self.byte()?);
        }
        let minimal = match octets {
            1 => length >= 0x80,
            2 => length > 0xff,
            _ => length > 0xffff,
        };
        if minimal { Ok(length) } else { Err(DerError) }
    }
}

fn unsigned(value: &[u8]) -> Result<u64, DerError> {
    let magnitude = match value {
        [0] => return Ok(0),
        [0, next, ..] if *next < 0x80 => return Err(DerError),
        [0, magnitude @ ..] => magnitude,
        [first, ..] if *first < 0x80 => value,
        _ => return Err(DerError),
    };
    if magnitude.len() > 8 {
        return Err(DerError);
    }
    Ok(magnitude.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_der_are_read() {
        assert_eq!(Reader::new(&[2, 1, 0]).integer(), Ok(0));
        assert_eq!(Reader::new(&[2, 2, 0, 0x80]).integer(), Ok(128));
        assert_eq!(Reader::new(&[2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255]).integer(), Ok(u64::MAX));
        assert_eq!(Reader::new(&[1, 1, 0xff]).boolean(), Ok(Boolean { value: true, is_der: true }));
        assert_eq!(Reader::new(&[1, 1, 0]).boolean(), Ok(Boolean { value: false, is_der: true }));
        assert_eq!(Reader::new(&[1, 1, 1]).boolean(), Ok(Boolean { value: true, is_der: false }));
        // [704] EXPLICIT: BF 85 40
        assert_eq!(Reader::new(&[0xbf, 0x85, 0x40, 0]).read(), Ok((Tag::Context(704), &[][..])));
    }

    #[test]
    fn values_that_only_ber_allows_are_refused() {
        let cases: [(&str, &[u8]); 9] = [
            ("long boolean", &[1, 2, 0xff, 0xff]),
            ("empty boolean", &[1, 0]),
            ("padded integer", &[2, 2, 0, 1]),
            ("negative integer", &[2, 1, 0x80]),
            ("empty integer", &[2, 0]),
            ("integer beyond 64 bits", &[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("long length that fits one octet", &[2, 0x81, 1, 0]),
            ("indefinite length", &[0x30, 0x80, 0, 0]),
            ("value shorter than its length", &[2, 2, 1]),
        ];
        for (name, bytes) in cases {
            let mut reader = Reader::new(bytes);
            assert!(
                reader.clone().integer().is_err() && reader.clone().boolean().is_err() && reader.sequence().is_err(),
                "{name}"
            );
        }
        assert!(Reader::new(&[0xbf, 0x80, 0x40, 0]).read().is_err(), "padded tag");
        assert!(Reader::new(&[0xbf, 0x1e, 0]).read().is_err(), "long tag for a small number");
        assert!(Reader::new(&[0x24, 0]).read().is_err(), "constructed octet string");
    }
}
