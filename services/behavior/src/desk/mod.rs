//! The analysts' desk: pages on the internal listener, for whoever has the analyst's certificate. Alerts, the newest first; one case with its reasons, among the
//! other payments of its user; and a word on what it was.
//!
//! What must hold: no page has a script or loads anything; whatever stands in the database is text on a page (the templates escape it); nobody is named, for
//! nobody's name is known here; a word is taken from a form of the desk's own pages only ([`runtime::OwnForm`]), because a browser shows its certificate to whatever
//! page makes it call.

mod door;
pub(crate) mod http;
mod pages;
mod plot;
mod store;
mod words;
