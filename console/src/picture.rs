//! A picture as it is shown: what it is by its first bytes, whatever anybody calls it. What is no
//! picture is not answered with.

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::signature::Digest256;

/// A picture that is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub media_type: &'static str,
    pub bytes: Bytes,
}

impl Picture {
    /// A picture of these bytes; nothing where they are none.
    pub(crate) fn try_new(bytes: impl Into<Bytes>) -> Option<Self> {
        let bytes = bytes.into();
        let media_type = media_type(&bytes)?;
        Some(Self { media_type, bytes })
    }

    /// What it is known by.
    pub(crate) fn digest(&self) -> Digest256 {
        Digest256::of(&self.bytes)
    }
}

impl IntoResponse for Picture {
    fn into_response(self) -> Response {
        let tag = format!("\"{}\"", self.digest());
        let kind = [(header::CONTENT_TYPE, self.media_type.to_owned()), (header::ETAG, tag)];
        (kind, self.bytes).into_response()
    }
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_first_bytes_say() {
        let kind = |bytes: &'static [u8]| Picture::try_new(bytes).map(|one| one.media_type);
        assert_eq!(kind(b"\xff\xd8\xff of a plate"), Some("image/jpeg"));
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n of the whole"), Some("image/png"));
        for none in [b"<script>".as_slice(), b"", b"GIF89a", b"\xff\xd8"] {
            assert_eq!(kind(none), None);
        }
    }
}
