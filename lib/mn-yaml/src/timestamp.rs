//! Dates and times of YAML 1.1, as Python's `datetime` prints them.

/// Whether a plain scalar is a timestamp, and then what `str()` of PyYAML's date or datetime
/// gives; an error when it looks like one but no calendar has it.
pub(crate) fn timestamp(text: &str) -> Option<Result<String, String>> {
    let mut rest = Cursor(text);
    let year = rest.digits(4, 4)?;
    rest.one("-")?;
    let month = rest.digits(1, 2)?;
    rest.one("-")?;
    let day = rest.digits(1, 2)?;
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rest.0.is_empty() {
        return (text.len() == 10).then(|| checked(is_date(year, month, day), date, text));
    }
    if rest.one("Tt").is_none() && rest.spaces() == 0 {
        return None;
    }
    let (hour, minute, second) = clock(&mut rest)?;
    let fraction = fraction(&mut rest);
    let zone = zone(&mut rest)?;
    let exists = is_date(year, month, day) && hour < 24 && minute < 60 && second < 60 && zone.is_some();
    let zone = zone.unwrap_or_default();
    let full = format!("{date} {hour:02}:{minute:02}:{second:02}{fraction}{zone}");
    Some(checked(exists, full, text))
}

fn checked(exists: bool, printed: String, text: &str) -> Result<String, String> {
    if exists { Ok(printed) } else { Err(format!("no such date or time '{text}': quote it if it is text")) }
}

fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year > 0 && (1..=days).contains(&day)
}

fn clock(rest: &mut Cursor) -> Option<(u32, u32, u32)> {
    let hour = rest.digits(1, 2)?;
    rest.one(":")?;
    let minute = rest.digits(2, 2)?;
    rest.one(":")?;
    Some((hour, minute, rest.digits(2, 2)?))
}

/// Microseconds, cut off after the sixth digit; Python prints none when they are zero.
fn fraction(rest: &mut Cursor) -> String {
    if rest.one(".").is_none() {
        return String::new();
    }
    let len = rest.0.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, after) = rest.0.split_at(len);
    rest.0 = after;
    let micros = format!("{:0<6}", &digits[..len.min(6)]);
    if micros == "000000" { String::new() } else { format!(".{micros}") }
}

/// `None`: this is no timestamp. `Some(None)`: an offset of a day or more.
fn zone(rest: &mut Cursor) -> Option<Option<String>> {
    if rest.0.is_empty() {
        return Some(Some(String::new()));
    }
    rest.spaces();
    if rest.one("Z").is_some() {
        return rest.0.is_empty().then(|| Some("+00:00".to_owned()));
    }
    let sign = rest.one("+-")?;
    let hours = rest.digits(1, 2)?;
    let minutes = if rest.one(":").is_some() { rest.digits(2, 2)? } else { 0 };
    let total = hours * 60 + minutes;
    let sign = if total == 0 { '+' } else { sign };
    rest.0.is_empty().then(|| (total < 24 * 60).then(|| format!("{sign}{:02}:{:02}", total / 60, total % 60)))
}

/// What is left to read.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    /// As many digits as there are, at least `min` and at most `max`.
    fn digits(&mut self, min: usize, max: usize) -> Option<u32> {
        let len = self.0.bytes().take(max).take_while(u8::is_ascii_digit).count();
        if len < min {
            return None;
        }
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        digits.parse().ok()
    }

    /// The next character, if it is one of `set`.
    fn one(&mut self, set: &str) -> Option<char> {
        let c = self.0.chars().next().filter(|c| set.contains(*c))?;
        self.0 = &self.0[c.len_utf8()..];
        Some(c)
    }

    /// Skips blanks and counts them.
    fn spaces(&mut self) -> usize {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let skipped = self.0.len() - rest.len();
        self.0 = rest;
        skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every right-hand side was printed by PyYAML 6.0.3.
    #[test]
    fn timestamps_print_as_python_prints_them() {
        for (text, expected) in [
            ("2024-01-01", "2024-01-01"),
            ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
            ("2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.100000-05:00"),
            ("2001-12-14 21:59:43.1234567 Z", "2001-12-14 21:59:43.123456+00:00"),
            ("2001-1-4   1:59:43.", "2001-01-04 01:59:43"),
            ("2001-12-14 21:59:43 -0", "2001-12-14 21:59:43+00:00"),
            ("2001-12-14 21:59:43+1:75", "2001-12-14 21:59:43+02:15"),
            ("2024-02-29", "2024-02-29"),
        ] {
            assert_eq!(timestamp(text), Some(Ok(expected.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_only_resembles_a_timestamp_is_none() {
        for text in
            ["2001-1-1", "2024-01-01x", "2024-01-01 10:00", "2024-01-01T1:2:3", "2024-01", "2024-01-01 10:00:00 +"]
        {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn days_that_do_not_exist_are_errors() {
        for text in ["2023-02-29", "2024-13-01", "0000-01-01", "2024-01-01 24:00:00", "2024-01-01 10:00:00 +24:00"] {
            assert!(timestamp(text).is_some_and(|r| r.is_err()), "{text}");
        }
    }
}
