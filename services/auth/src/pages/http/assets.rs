//! The files that pages load, part of the binary.

use actix_web::HttpResponse;
use actix_web::http::header;
use defense::Public;

use crate::http::{Picture, Script, StyleSheet};
use crate::pages::STYLE;

const FAVICON: &str = include_str!("../../../assets/favicon.svg");
const PASSKEY: &str = include_str!("../../../assets/passkey.js");
const CAPTCHA: &str = include_str!("../../../assets/captcha.js");
const CAPTCHA_SCORE: &str = include_str!("../../../assets/captcha-score.js");
/// As published: `assets/altcha/README.md` says what they are and where they come from.
const ALTCHA: &str = include_str!("../../../assets/altcha/altcha.min.js");
const ALTCHA_WORKER: &str = include_str!("../../../assets/altcha/pbkdf2.js");
const ALTCHA_STYLE: &str = include_str!("../../../assets/altcha/altcha.css");

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

fn file(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(text)
}

/// Public: it is the same for everybody.
pub async fn get_style(_: Public) -> StyleSheet {
    StyleSheet(file(CSS, STYLE))
}

/// Public: it is the same for everybody. Under the name that browsers ask for unasked, so that no such request is a stray.
pub async fn get_favicon(_: Public) -> Picture {
    Picture(file("image/svg+xml", FAVICON))
}

/// Public: it is the same for everybody.
pub async fn get_passkey(_: Public) -> Script {
    Script(file(SCRIPT, PASSKEY))
}

/// Public: it is the same for everybody.
pub async fn get_captcha(_: Public) -> Script {
    Script(file(SCRIPT, CAPTCHA))
}

/// Public: it is the same for everybody.
pub async fn get_captcha_score(_: Public) -> Script {
    Script(file(SCRIPT, CAPTCHA_SCORE))
}

/// Public: it is the same for everybody.
pub async fn get_altcha(_: Public) -> Script {
    Script(file(SCRIPT, ALTCHA))
}

/// Public: it is the same for everybody.
pub async fn get_altcha_worker(_: Public) -> Script {
    Script(file(SCRIPT, ALTCHA_WORKER))
}

/// Public: it is the same for everybody.
pub async fn get_altcha_style(_: Public) -> StyleSheet {
    StyleSheet(file(CSS, ALTCHA_STYLE))
}
