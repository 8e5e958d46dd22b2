//! Prose of documentation comments as HTML: escaped, with what stands between back quotes as code.

use std::fmt;

use askama::filters::{Escaper as _, Html};

/// A text whose `code` is marked.
pub(super) struct Words(String);

impl Words {
    pub(super) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces: Vec<&str> = self.0.split('`').collect();
        // Back quotes come in pairs, or they stand for themselves.
        if pieces.len().is_multiple_of(2) {
            return Html.write_escaped_str(f, &self.0);
        }
        for (at, piece) in pieces.iter().enumerate() {
            let code = at % 2 == 1;
            f.write_str(if code { "<code>" } else { "" })?;
            Html.write_escaped_str(&mut *f, piece)?;
            f.write_str(if code { "</code>" } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn what_stands_between_back_quotes_is_code_and_everything_is_escaped() {
        let shown = |text: &str| Words::of(text).to_string();
        assert_eq!(shown("Give `<next>` & go."), "Give <code>&#60;next&#62;</code> &#38; go.");
        assert_eq!(shown("one ` alone <b>"), "one ` alone &#60;b&#62;");
    }
}
