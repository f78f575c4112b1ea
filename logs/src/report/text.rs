//! Texts for the page: escaped, so that no name or setting becomes markup.

use crate::show::show_time;
use jiff::Timestamp;
use std::fmt::Write;

/// A text as HTML, for content and for attributes in double quotes. What moves the direction of writing, or isn't seen, is escaped.
pub(super) fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' => html.push('\n'),
            _ if letter.is_control() || is_turning(letter) => html.extend(letter.escape_default()),
            _ => html.push(letter),
        }
    }
    html
}

/// Marks that turn the direction of writing, or end a line.
fn is_turning(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// JSON for a `<script>`, which ends at the first `</script`, and which `<!--` opens anew. In JSON these signs are in strings only.
pub(super) fn json_for_script(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string can't fail.
                let _ = write!(safe, "\\u{:04x}", u32::from(letter));
            }
            _ => safe.push(letter),
        }
    }
    safe
}

/// When something was: UTC to the millisecond, or the time since the first row.
pub(super) fn show_when(at_ns: u64, first_ns: u64, is_utc: bool) -> String {
    let utc = Timestamp::from_nanosecond(at_ns.into()).ok().filter(|_| is_utc);
    match utc {
        Some(utc) => utc.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        None => show_time(at_ns.saturating_sub(first_ns)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        assert_eq!(escape("a < b & \"c\" > 'd'\n"), "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39;\n");
        assert_eq!(escape("\u{202e}x\u{0}\u{1b}é"), "\\u{202e}x\\u{0}\\u{1b}é");
    }

    #[test]
    fn no_json_ends_its_script() {
        let hostile = "</script><!--<script>\u{2028}\u{2029}&\"\\";
        let json = serde_json::to_string(hostile).unwrap();
        let safe = json_for_script(&json);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), hostile);
    }

    #[test]
    fn times_are_utc_or_since_the_first_row() {
        assert_eq!(show_when(1_764_000_000_123_456_789, 0, true), "2025-11-24 16:00:00.123");
        assert_eq!(show_when(u64::MAX, 0, true), "2554-07-21 23:34:33.709");
        assert_eq!(show_when(61_500_000_000, 1_000_000_000, false), "60.500 s");
        assert_eq!(show_when(0, 5, false), "0 ns");
    }
}
