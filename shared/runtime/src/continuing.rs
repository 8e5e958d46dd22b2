//! Clients that wait to be told before they send a body (`Expect: 100-continue`, RFC 9110 §10.1.1).
//!
//! The framework tells them to go on before anything has looked at the head. So what it says is held back where it would leave ([`Continue::hold`]), and is said
//! when somebody begins to read the body: whoever is refused by what the head shows gets the refusal alone, and has sent no body for nothing.

use std::cell::Cell;
use std::rc::Rc;

/// What is said, as the framework says it.
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How it stands with the body of the request that is under way on one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Continue(Rc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    /// It is held back.
    held: Cell<bool>,
    /// The body is being read.
    wanted: Cell<bool>,
}

impl Continue {
    /// Somebody begins to read the body.
    pub(crate) fn want(&self) {
        self.0.wanted.set(true);
    }

    /// What is on its way out: how many bytes of it are held back.
    pub(crate) fn hold(&self, bytes: &[u8]) -> usize {
        if !bytes.starts_with(CONTINUE) {
            // The answer, after which nobody waits for anything.
            self.0.held.set(false);
            self.0.wanted.set(false);
            return 0;
        }
        if self.0.wanted.get() {
            return 0;
        }
        self.0.held.set(true);
        CONTINUE.len()
    }

    /// Whether it is to be said now.
    pub(crate) fn is_due(&self) -> bool {
        self.0.held.get() && self.0.wanted.get()
    }

    /// It has been said.
    pub(crate) fn said(&self) {
        self.0.held.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_back_until_the_body_is_read_or_the_answer_is_there() {
        let told = Continue::default();
        assert_eq!((told.hold(CONTINUE), told.is_due()), (CONTINUE.len(), false));
        told.want();
        assert!(told.is_due());
        told.said();
        assert!(!told.is_due());
        assert_eq!(told.hold(b"HTTP/1.1 200 OK"), 0);
        // Of the next request: together with its refusal.
        assert_eq!(told.hold(&[CONTINUE, b"HTTP/1.1 421 "].concat()), CONTINUE.len());
        assert_eq!(told.hold(b"HTTP/1.1 421 "), 0);
        told.want();
        assert!(!told.is_due(), "it has been answered");
        // The next body is read at once: nothing is held.
        assert_eq!(told.hold(b"HTTP/1.1 200 OK"), 0);
        told.want();
        assert_eq!(told.hold(CONTINUE), 0);
    }
}
