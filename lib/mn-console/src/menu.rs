//! A numbered menu of a firmware: the number of an entry.

use crate::lines::readable;

/// How a menu is drawn, and what is looked for; the fields of the step `choose` in mn-message(5).
#[derive(Debug, Clone)]
pub struct Menu {
    /// The entry's label.
    pub item: String,
    /// The label of the entry to take where there is no such entry.
    pub fallback: Option<String>,
    /// What stands around the number.
    pub item_markup: [String; 2],
    /// The characters of the number, with ranges: `0-9`.
    pub item_class: String,
    /// What stands between number and label.
    pub separator: String,
}

impl Menu {
    /// The number of the entry in `text`; where it stands there twice, the last.
    pub fn number_in(&self, text: &[u8]) -> Option<String> {
        let lines: Vec<&[u8]> = text.split(|byte| matches!(byte, b'\r' | b'\n')).collect();
        let labels = [Some(&self.item), self.fallback.as_ref()];
        let number = |label: &String| lines.iter().rev().find_map(|line| self.number_of(readable(line).trim(), label));
        labels.into_iter().flatten().find_map(number)
    }

    fn number_of(&self, line: &str, wanted: &str) -> Option<String> {
        let [open, close] = &self.item_markup;
        line.match_indices(open.as_str()).find_map(|(at, _)| {
            let rest = &line[at + open.len()..];
            let end = rest.find(|char| !self.is_number(char)).unwrap_or(rest.len());
            let label = rest[end..].strip_prefix(close.as_str())?.strip_prefix(self.separator.as_str())?;
            (end > 0 && label.trim() == wanted).then(|| rest[..end].to_owned())
        })
    }

    fn is_number(&self, char: char) -> bool {
        let class: Vec<char> = self.item_class.chars().collect();
        let ranges = class.windows(3).filter(|three| three[1] == '-');
        class.contains(&char) && char != '-' || ranges.into_iter().any(|three| (three[0]..=three[2]).contains(&char))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn menu(item: &str) -> Menu {
        let item_markup = ["[".to_owned(), "]".to_owned()];
        Menu { item: item.into(), fallback: None, item_markup, item_class: "0-9".into(), separator: " ".into() }
    }

    const TEXT: &[u8] =
        b"[1] Linaro Grub\r\n\x1b[0m[ 12] not this\r\n[2] LAVA PXE Grub\r\n[13] LAVA PXE Grub 2\r\nStart: ";

    #[test]
    fn an_entry_is_found_by_its_whole_label() {
        assert_eq!(menu("LAVA PXE Grub").number_in(TEXT).as_deref(), Some("2"));
        assert_eq!(menu("LAVA PXE Grub 2").number_in(TEXT).as_deref(), Some("13"));
    }

    #[test]
    fn an_entry_that_is_not_there_has_no_number() {
        assert_eq!(menu("LAVA PXE").number_in(TEXT), None);
        assert_eq!(menu("not this").number_in(TEXT), None);
    }

    #[test]
    fn the_fallback_is_taken_only_where_the_entry_is_missing() {
        let with = |item: &str| Menu { fallback: Some("Linaro Grub".to_owned()), ..menu(item) };
        assert_eq!(with("LAVA PXE Grub").number_in(TEXT).as_deref(), Some("2"));
        assert_eq!(with("nothing").number_in(TEXT).as_deref(), Some("1"));
    }

    #[test]
    fn of_a_menu_that_was_drawn_twice_the_last_counts() {
        assert_eq!(menu("A").number_in(b"[1] A\n[2] A\n").as_deref(), Some("2"));
    }
}
