//! Reading an answer within bounds.

use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use thiserror::Error;

use super::EgressError;

/// A body that is not read to its end, or not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// More bytes than the operation allows.
    #[error("the answer is too large")]
    TooLarge,
    /// Compressed, although we asked for identity: a bomb is not unpacked to find out.
    #[error("the answer is compressed")]
    Encoded,
    /// Another media type than agreed.
    #[error("the answer is of another media type")]
    MediaType,
    /// Where it ends is said twice, or in a way that readers understand differently. Whatever follows on the connection could be
    /// taken for the answer to another request (RFC 9112 §6.3, §11.2).
    #[error("the answer's length is ambiguous")]
    Framing,
}

/// Looks at the head of an answer of any status: its end must be given by one plain `Content-Length`, by chunks alone, or by the
/// end of the connection. An answer that does not pass is dropped unread, and the connection with it.
pub fn check_framing(response: &Response) -> Result<(), BodyError> {
    let all = |name| response.headers().get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    let plain = match (all(TRANSFER_ENCODING).as_slice(), all(CONTENT_LENGTH).as_slice()) {
        ([], []) => true,
        ([], [length]) => length.iter().all(u8::is_ascii_digit),
        ([coding], []) => coding.eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    if plain { Ok(()) } else { Err(BodyError::Framing) }
}

/// Reads a body of at most `max` bytes. Beside it stands whether its media type is one of `types`: what is of another one is read to be
/// searched, not to be used.
pub async fn read(
    mut response: Response,
    types: &[&str],
    max: usize,
) -> Result<(Vec<u8>, Result<(), BodyError>), EgressError> {
    if response.headers().get_all(CONTENT_ENCODING).iter().any(|coding| coding.as_bytes() != b"identity") {
        return Err(BodyError::Encoded.into());
    }
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let agreed = if types.contains(&essence.as_str()) { Ok(()) } else { Err(BodyError::MediaType) };
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > max) {
        return Err(BodyError::TooLarge.into());
    }
    let mut body = Vec::with_capacity(announced.unwrap_or(1024));
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > max - body.len() {
            return Err(BodyError::TooLarge.into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body, agreed))
}

/// Whether a JSON text nests at most `limit` deep. Looked at before parsing, because a parser recurses.
pub fn depth_within(json: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => (),
        }
        if depth > limit {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_strings_only() {
        assert!(depth_within(br#"{"a":[{"b":"[[[[\"[["}]}"#, 3));
        assert!(!depth_within(br#"{"a":[{"b":[]}]}"#, 3));
        assert!(depth_within(b"", 0));
        assert!(!depth_within("[".repeat(100_000).as_bytes(), 32));
    }
}
