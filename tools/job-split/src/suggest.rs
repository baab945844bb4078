//! The word that was probably meant.

/// `: did you mean 'WORD'?` for the known word nearest to `typed`, or nothing when none is near.
pub fn suggest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(String::new, |word| format!(": did you mean '{word}'?"))
}

/// The same for the middle of a sentence: ` (did you mean 'WORD'?)`.
pub fn aside<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(String::new, |word| format!(" (did you mean '{word}'?)"))
}

fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (typed.chars().count() / 3).clamp(1, 3);
    let near = known.into_iter().map(|word| (distance(typed, word), word)).filter(|(d, _)| *d <= most);
    near.min_by_key(|(d, _)| *d).map(|(_, word)| word)
}

/// How many letters must be added, left out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // A long word has no neighbours, and must not cost its square.
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_missing_swapped_or_wrong_is_seen() {
        for typed in ["gest", "gusest", "guets", "guesd"] {
            assert_eq!(suggest(typed, ["host", "guest"]), ": did you mean 'guest'?", "{typed}");
        }
    }

    #[test]
    fn a_different_word_is_not_forced() {
        assert_eq!(suggest("server", ["host", "guest"]), "");
        assert_eq!(suggest("to", ["role"]), "");
        assert_eq!(suggest(&"x".repeat(1 << 20), ["role"]), "");
    }
}
