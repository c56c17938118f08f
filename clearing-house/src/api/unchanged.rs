//! Answers that did not change since the caller saw them are not sent again.
//!
//! The `ETag` is a digest of the answer itself, so that it cannot be stale: what a caller saves is
//! the way, not our look into the books.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::signature::Digest256;

/// The longest answer there is: 10,000 lines of an account's statement.
const ANSWER_LEN_MAX: usize = 16 * 1024 * 1024;

/// Gives an answer its tag, or says that the caller has it.
pub(super) async fn tag(request: Request, next: Next) -> Response {
    let asks = matches!(*request.method(), Method::GET | Method::HEAD);
    let seen = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    if !asks || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, ANSWER_LEN_MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = format!("\"{}\"", Digest256::of(&body));
    if is_seen(seen.as_ref(), &tag) {
        return (StatusCode::NOT_MODIFIED, etag(&tag)).into_response();
    }
    parts.headers.extend(etag(&tag));
    Response::from_parts(parts, Body::from(body))
}

fn etag(tag: &str) -> HeaderMap {
    HeaderValue::from_str(tag)
        .map(|tag| HeaderMap::from_iter([(header::ETAG, tag)]))
        .unwrap_or_default()
}

fn is_seen(seen: Option<&HeaderValue>, tag: &str) -> bool {
    let seen = seen.and_then(|seen| seen.to_str().ok()).unwrap_or_default();
    seen.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_seen_by_its_tag_strong_or_weak_or_by_any() {
        let seen = |text: &'static str| is_seen(Some(&HeaderValue::from_static(text)), "\"a1\"");
        for yes in ["\"a1\"", "W/\"a1\"", "\"b\", \"a1\"", "*"] {
            assert!(seen(yes), "{yes}");
        }
        for no in ["", "a1", "\"a2\""] {
            assert!(!seen(no), "{no}");
        }
        assert!(!is_seen(None, "\"a1\""));
    }
}
