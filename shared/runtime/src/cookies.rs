//! Cookies as they came: bytes, compared as bytes.
//!
//! The web framework's parser decodes names, trims whatever Unicode calls a space, takes the first of several, and gives up on
//! all cookies when one of them is not UTF-8. Each of these lets somebody who may set cookies under a neighbouring name
//! plant one that browsers do not guard as `__Host-` and that the server takes for its own, or shut everybody out. So:
//! - a name is ours if it is ours byte for byte;
//! - what others have set is skipped, whatever is in it;
//! - two cookies of one name of ours are a refusal, because nothing says which of them is ours (RFC 6265 §4.2.2);
//! - their size is bounded before anything is compared. Not their number: a neighbour may plant as many as a browser keeps.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// Bytes of all `Cookie` fields together.
pub const MAX_BYTES: usize = 16 * 1024;

/// Why a request's cookies are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CookieError {
    /// More of them than are read.
    #[error("cookies_too_many")]
    TooMany,
    /// Two of the name that was asked for.
    #[error("cookie_doubled")]
    Doubled,
}

/// The cookies of a request. No `Debug`: they are secrets.
#[derive(Clone)]
pub struct Cookies<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Cookies<'a> {
    /// Takes a request's `Cookie` fields apart.
    pub fn of(request: &'a HttpRequest) -> Result<Self, CookieError> {
        Self::read(request.headers())
    }

    /// The same where there are only its header fields.
    pub fn read(headers: &'a HeaderMap) -> Result<Self, CookieError> {
        let fields = || headers.get_all(header::COOKIE).map(HeaderValue::as_bytes);
        let pairs = || fields().flat_map(|field| field.split(|byte| *byte == b';'));
        let bytes: usize = fields().map(<[u8]>::len).sum();
        if bytes > MAX_BYTES {
            return Err(CookieError::TooMany);
        }
        Ok(Self(pairs().filter_map(pair).collect()))
    }

    /// The one cookie of that name.
    pub fn get(&self, name: &str) -> Result<Option<&'a [u8]>, CookieError> {
        let mut values = self.0.iter().filter(|(known, _)| *known == name.as_bytes()).map(|(_, value)| *value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(CookieError::Doubled),
        }
    }

    /// What follows `prefix` in the names that begin with it, in the order in which they came: browsers send older cookies
    /// first (RFC 6265 §5.4).
    pub fn names_after(&self, prefix: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(name, _)| name.strip_prefix(prefix.as_bytes()))
    }
}

/// A name and a value. One space stands after a semicolon (RFC 6265 §4.2.1); any other is part of the name, which is then
/// none of ours. What has no `=` has no name.
fn pair(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let pair = pair.strip_prefix(b" ").unwrap_or(pair);
    let at = pair.iter().position(|byte| *byte == b'=')?;
    let (name, value) = pair.split_at_checked(at)?;
    value.split_first().map(|(_, value)| (name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "__Host-x";

    fn headers(fields: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::COOKIE, HeaderValue::from_bytes(field).unwrap());
        }
        headers
    }

    fn found(fields: &[&[u8]]) -> Result<Option<Vec<u8>>, CookieError> {
        let headers = headers(fields);
        Cookies::read(&headers)?.get(NAME).map(|value| value.map(<[u8]>::to_vec))
    }

    #[test]
    fn a_cookie_is_found_wherever_it_stands() {
        let ours = || Ok(Some(b"1".to_vec()));
        assert_eq!(found(&[b"__Host-x=1"]), ours());
        assert_eq!(found(&[b"a=b; __Host-x=1; c=d"]), ours());
        assert_eq!(found(&[b"a=b;__Host-x=1"]), ours());
        assert_eq!(found(&[b"a=b", b"__Host-x=1"]), ours());
        assert_eq!(found(&[b"__Host-x=a=b\"%20 "]), Ok(Some(b"a=b\"%20 ".to_vec())), "a value is not touched");
        assert_eq!((found(&[]), found(&[b""]), found(&[b"; ;=;"])), (Ok(None), Ok(None), Ok(None)));
    }

    #[test]
    fn a_name_that_only_looks_like_ours_is_not_ours() {
        let others: [&[u8]; 12] = [
            b"%5F_Host-x=1",
            b"__host-x=1",
            b"__Host-x =1",
            b"  __Host-x=1",
            b"\t__Host-x=1",
            b"__Host-x",
            b"=__Host-x=1",
            b"__Host-xx=1",
            b"\xc2\xa0__Host-x=1",
            b"\xe3\x80\x80__Host-x=1",
            b"\xff__Host-x=1",
            b"\"__Host-x\"=1",
        ];
        for other in others {
            assert_eq!(found(&[other]), Ok(None), "{}", String::from_utf8_lossy(other));
            let both = [other, b"; __Host-x=2"].concat();
            assert_eq!(found(&[&both]), Ok(Some(b"2".to_vec())), "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn two_of_our_name_are_refused_and_two_of_anothers_are_not() {
        for fields in
            [&[&b"__Host-x=1; __Host-x=1"[..]][..], &[b"__Host-x=1", b"__Host-x="], &[b"__Host-x=; __Host-x=1"]]
        {
            assert_eq!(found(fields), Err(CookieError::Doubled));
        }
        assert_eq!(found(&[b"a=1; a=2; __Host-x=1"]), Ok(Some(b"1".to_vec())));
    }

    #[test]
    fn their_size_is_bounded_and_not_their_number() {
        let long = [b"a=".to_vec(), vec![b'x'; MAX_BYTES]].concat();
        assert_eq!(found(&[&long]), Err(CookieError::TooMany));
        let many: Vec<&[u8]> = vec![b"b=1"; 1_000];
        assert_eq!(found(&many), Ok(None));
    }

    #[test]
    fn names_of_one_prefix_come_in_their_order() {
        let headers = headers(&[b"__Host-x-2=a; b=c; __Host-x-1=", b"__Host-x-\xff=1; __host-x-3=1"]);
        let cookies = Cookies::read(&headers).unwrap();
        let names: Vec<_> = cookies.names_after("__Host-x-").collect();
        assert_eq!(names, [&b"2"[..], b"1", b"\xff"]);
    }
}
