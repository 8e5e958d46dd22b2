//! Notes: what an operator writes down, once, under an id of their own choice, so that whoever hears no answer writes it again and there is one.

pub(crate) mod http;
mod model;
mod read;
mod store;
mod write;
