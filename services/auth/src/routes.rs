//! All routes: method, path, permission (in the handler's type), handler.

use actix_web::http::Method;
use defense::{Routes, policy};
use runtime::{RouteDoc, with_refusals};

use crate::pages::http as pages;
use crate::paths::{
    APPROVE, AUTHORIZE, CODE, CONSENT, ENROLL, JWKS, LOGIN, PAR, PASSKEY, REGISTER, SECOND_FACTOR, TOKEN, USERINFO,
};
use crate::{authorizations, discovery, keys, support, tokens, userinfo};

runtime::problems! {
    /// Of a second factor that is to be removed.
    Removal: 404 PERSON_NOT_FOUND;
}

/// What the world reaches. All of it is `Public`, because this is where callers become somebody: clients authenticate in
/// the request, people on the pages.
pub fn public() -> Routes {
    Routes::public()
        .add(
            policy::Metadata,
            Method::GET,
            "/.well-known/openid-configuration",
            "Provider metadata.",
            discovery::http::get_metadata,
        )
        .add(
            policy::Metadata,
            Method::GET,
            "/.well-known/oauth-authorization-server",
            "The same (RFC 8414).",
            discovery::http::get_metadata,
        )
        .add(policy::Metadata, Method::GET, JWKS, "Public keys.", keys::http::get_jwks)
        .add(policy::Token, Method::POST, PAR, "Pushes an authorization request.", authorizations::http::post_par)
        .add(policy::Page, Method::GET, AUTHORIZE, "Begins in the browser.", pages::authorize::get_authorize)
        .add(policy::Page, Method::POST, AUTHORIZE, "Begins in the browser.", pages::authorize::post_authorize)
        .add(policy::Page, Method::GET, LOGIN, "The login page.", pages::login::get_login)
        .add(policy::Login, Method::POST, LOGIN, "Logs in.", pages::login::post_login)
        .add(policy::Page, Method::GET, REGISTER, "The page that makes a login.", pages::login::get_register)
        .add(policy::Login, Method::POST, REGISTER, "Makes a login.", pages::login::post_register)
        .add(policy::Page, Method::GET, CODE, "Asks for the second factor.", pages::code::get_code)
        .add(policy::Factor, Method::POST, CODE, "Logs in with it.", pages::code::post_code)
        .add(policy::Page, Method::GET, SECOND_FACTOR, "What one has.", pages::second_factor::get_second_factor)
        .add(policy::Factor, Method::POST, SECOND_FACTOR, "Changes it.", pages::second_factor::post_second_factor)
        .add(policy::Page, Method::GET, ENROLL, "An app's secret.", pages::second_factor::get_enroll)
        .add(policy::Factor, Method::POST, ENROLL, "Sets the app up.", pages::second_factor::post_enroll)
        .add(policy::Page, Method::GET, PASSKEY, "A passkey to be made.", pages::passkey::get_passkey)
        .add(policy::Factor, Method::POST, PASSKEY, "Adds it.", pages::passkey::post_passkey)
        .add(policy::Page, Method::GET, CONSENT, "What the client asks for.", pages::consent::get_consent)
        .add(policy::Page, Method::POST, CONSENT, "Allows or denies it.", pages::consent::post_consent)
        .add(policy::Page, Method::GET, APPROVE, "The payment to approve.", pages::approve::get_approve)
        .add(policy::Factor, Method::POST, APPROVE, "Approves it or not.", pages::approve::post_approve)
        .add(policy::Token, Method::POST, TOKEN, "Redeems a code or a refresh token.", tokens::http::post_token)
        .add(policy::Token, Method::GET, USERINFO, "Who the person is.", userinfo::http::userinfo_endpoint)
        .add(policy::Token, Method::POST, USERINFO, "Who the person is.", userinfo::http::userinfo_endpoint)
        .add(policy::Metadata, Method::GET, "/style.css", "The pages' style sheet.", pages::assets::get_style)
        .add(policy::Metadata, Method::GET, "/favicon.ico", "The pages' mark.", pages::assets::get_favicon)
        .add(policy::Metadata, Method::GET, "/passkey.js", "Asks for a passkey.", pages::assets::get_passkey)
        .add(policy::Metadata, Method::GET, "/captcha.js", "Starts the widget.", pages::assets::get_captcha)
        .add(policy::Metadata, Method::GET, "/captcha-score.js", "Asks for a token.", pages::assets::get_captcha_score)
        .add(policy::Metadata, Method::GET, "/altcha.js", "The widget.", pages::assets::get_altcha)
        .add(policy::Metadata, Method::GET, "/altcha-pbkdf2.js", "Its worker.", pages::assets::get_altcha_worker)
        .add(policy::Metadata, Method::GET, "/altcha.css", "Its style sheet.", pages::assets::get_altcha_style)
}

/// What the other services reach.
pub fn internal() -> Routes {
    Routes::internal()
        .add(policy::Internal, Method::GET, JWKS, "Public keys, for resource servers.", keys::http::get_jwks)
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/second-factor-removals",
            "Removes a second factor that somebody has lost.",
            with_refusals::<Removal, _>(support::http::post_removal),
        )
}

/// Both tables.
pub fn docs() -> Vec<RouteDoc> {
    let mut docs = public().docs();
    docs.extend(internal().docs());
    docs
}
