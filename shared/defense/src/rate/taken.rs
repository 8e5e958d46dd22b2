//! What was really taken, and so what can be given back.

/// What was really taken of a limit: less than was demanded where its debt is as deep as it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// The time in which it comes back.
    micros: i64,
    /// It was taken in the memory of the process, because the shared store beside it could not tell.
    alone: bool,
}

impl Taken {
    pub(crate) const fn new(micros: i64) -> Self {
        Self { micros, alone: false }
    }

    pub(crate) const fn micros(self) -> i64 {
        self.micros
    }

    /// The same, in the memory of the process.
    pub(crate) const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    pub(crate) const fn is_alone(self) -> bool {
        self.alone
    }

    /// What is left of it when this is owed after all: the microseconds in which it would come back.
    pub(crate) fn less(self, owed: i64) -> Self {
        Self { micros: self.micros.saturating_sub(owed).max(0), ..self }
    }
}
