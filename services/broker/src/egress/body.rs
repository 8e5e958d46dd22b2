//! Reading an answer within bounds.

use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, TRANSFER_ENCODING};

use super::error::{BodyError, EgressError};

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

/// What came of an answer.
pub struct ReceivedAnswer {
    pub headers: HeaderMap,
    /// The beginning of its body, or all of it.
    pub body: Vec<u8>,
    /// Whether that is all of it.
    pub end: Result<(), EgressError>,
}

/// Reads an answer, whatever it is, up to `max` bytes of its body.
pub async fn receive(mut response: Response, max: usize) -> ReceivedAnswer {
    let headers = std::mem::take(response.headers_mut());
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    // Default: room to begin with, where no length is announced.
    let mut body = Vec::with_capacity(announced.unwrap_or(1024).min(max));
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = max - body.len();
                body.extend(chunk.iter().take(room));
                if chunk.len() > room {
                    break Err(BodyError::TooLarge.into());
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
    };
    ReceivedAnswer { headers, body, end }
}

/// Checks that an answer is not compressed and of one of the media types.
pub fn check(headers: &HeaderMap, types: &[&str]) -> Result<(), BodyError> {
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding.as_bytes() != b"identity") {
        return Err(BodyError::Encoded);
    }
    // Default: no type is none that is agreed.
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Default: likewise.
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if types.contains(&essence.as_str()) { Ok(()) } else { Err(BodyError::MediaType) }
}
