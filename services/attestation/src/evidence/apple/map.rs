//! CBOR maps with texts for keys, read by name: in any order, with fields that are not known, none twice.
//!
//! Apple adds fields between two releases of iOS, and a phone must not be taken for a liar because of it. Two parsers cannot be led to
//! different readings all the same: a name stands once, lengths are definite, and what is read has one type.

use minicbor::Decoder;
use minicbor::decode::Error;

/// Most fields; Apple's longest map has four.
const FIELDS: u64 = 16;
/// Longest name, in bytes.
const NAME: usize = 64;

/// Reads a map. `known` takes the value of a field and says true, or leaves a field that it does not know untouched and says false; such a
/// value is skipped. Tells whether there was any.
pub(super) fn read<'a>(
    cbor: &mut Decoder<'a>,
    mut known: impl FnMut(&'a str, &mut Decoder<'a>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let count =
        cbor.map()?.filter(|count| *count <= FIELDS).ok_or_else(|| Error::message("not a map of few fields"))?;
    let (mut names, mut unknown) = (Vec::new(), false);
    for _ in 0..count {
        let name = cbor.str()?;
        if name.len() > NAME || names.contains(&name) {
            return Err(Error::message("a name that is too long or stands twice"));
        }
        names.push(name);
        if !known(name, cbor)? {
            // Not recursive, and no longer than the object.
            cbor.skip()?;
            unknown = true;
        }
    }
    Ok(unknown)
}
