//! Which characters a person sees.

/// Whether a character can be seen, or is an ordinary space: no control, nothing that turns the direction of what is read
/// (U+202E and its like), nothing of no width or "ignorable by default" (Unicode `Default_Ignorable_Code_Point`). Two texts of
/// visible characters that look the same are not made different by what is not seen.
pub fn is_visible(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_told_from_what_can() {
        for character in
            "\0\t\r\n\u{7f}\u{85}\u{200b}\u{200d}\u{200e}\u{202e}\u{2066}\u{2069}\u{feff}\u{2028}\u{e0041}".chars()
        {
            assert!(!is_visible(character), "{character:?}");
        }
        assert!("Zoë Müller, Łódź 東京 Москва القاهرة 🙂 €1 – “x”".chars().all(is_visible));
    }
}
