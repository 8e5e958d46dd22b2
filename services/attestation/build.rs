//! `embed_migrations!` has cargo look after the files that it has read. A migration that is new is none of those.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
