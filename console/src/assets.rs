//! The style, the script and the icon: three files, part of the program.
//!
//! Their addresses carry a digest of their content, so that a browser may keep them for ever and
//! still sees the next version at once.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::signature::Digest256;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset {
        name: "console.css",
        media_type: "text/css; charset=utf-8",
        content: include_str!("../assets/console.css"),
    },
    Asset {
        name: "console.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_str!("../assets/console.js"),
    },
    Asset {
        name: "icon.svg",
        media_type: "image/svg+xml",
        content: include_str!("../assets/icon.svg"),
    },
];

/// The address of an asset.
pub(crate) fn url(name: &str) -> String {
    let content = ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.content);
    let digest = Digest256::of(content.as_bytes()).to_string();
    format!("/assets/{name}?v={}", digest.get(..12).unwrap_or_default())
}

/// Serves an asset.
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.media_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ],
            asset.content,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
