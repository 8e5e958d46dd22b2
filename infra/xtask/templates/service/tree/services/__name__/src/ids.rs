//! What things of this service are called. They come from the wire as [`api::Id`] and go back to it.

storage::wire_id! {
    /// A note.
    NoteId;
}
