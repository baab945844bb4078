//! What a scalar means: the rules of YAML 1.1 as PyYAML has them.

use serde_json::{Number, Value};

use crate::python::float_repr;
use crate::timestamp::timestamp;

/// The meaning of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resolved {
    /// Text: the scalar's own.
    Text,
    /// Anything else: null, a boolean, a number, or the printed form of what JSON cannot hold.
    Value(Value),
    /// A plain `<<`: as a key, it merges; as a value, it means nothing.
    Merge,
    /// A plain `=`: as a key it is text; as a value, it means nothing.
    Equals,
}

/// Resolves a plain scalar without a tag.
///
/// # Errors
///
/// When it has the shape of a number or date that has no value.
pub(crate) fn plain(text: &str) -> Result<Resolved, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Resolved::Value(Value::Null)),
        "<<" => return Ok(Resolved::Merge),
        "=" => return Ok(Resolved::Equals),
        _ => {}
    }
    if let Some(value) = boolean(text) {
        return Ok(Resolved::Value(Value::Bool(value)));
    }
    if let Some(value) = float(text) {
        return Ok(Resolved::Value(float_value(value)));
    }
    if let Some(value) = integer(text) {
        return value.map(Resolved::Value);
    }
    match timestamp(text) {
        Some(printed) => Ok(Resolved::Value(Value::String(printed?))),
        None => Ok(Resolved::Text),
    }
}

/// Resolves a scalar that carries a tag of the YAML repository (`!!str`, `!!int`, …).
///
/// # Errors
///
/// When the tag is unknown or the text does not fit it.
pub(crate) fn tagged(tag: &str, text: &str) -> Result<Resolved, String> {
    let value = match (tag, text.trim()) {
        ("str", _) => return Ok(Resolved::Text),
        ("null", _) => Some(Ok(Value::Null)),
        ("bool", text) => boolean(text).map(|value| Ok(Value::Bool(value))),
        ("int", text) => integer(text),
        ("float", text) => float(text).or_else(|| text.parse().ok()).map(|value| Ok(float_value(value))),
        _ => return Err(format!("tag '!!{tag}' is not supported")),
    };
    match value {
        Some(value) => value.map(Resolved::Value),
        None => Err(format!("'{text}' does not fit the tag '!!{tag}'")),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// JSON has no infinities: they become the text Python prints.
fn float_value(float: f64) -> Value {
    Number::from_f64(float).map_or_else(|| Value::String(float_repr(float)), Value::Number)
}

fn float(text: &str) -> Option<f64> {
    let (negative, body) = sign(text);
    let magnitude = match body {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        ".nan" | ".NaN" | ".NAN" if body.len() == text.len() => f64::NAN,
        _ if body.contains(':') => sexagesimal_float(body)?,
        _ if body.starts_with('.') && body.len() != text.len() => return None,
        _ => decimal_float(body)?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Digits around a point, and an exponent only with its sign: `1e3` and `1.0e3` are text.
fn decimal_float(body: &str) -> Option<f64> {
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (body, None),
    };
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-'])?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    let (whole, fraction) = mantissa.split_once('.')?;
    let fits = if whole.is_empty() { is_number(fraction) } else { is_number(whole) && is_digits(fraction) };
    if !fits {
        return None;
    }
    body.replace('_', "").parse().ok()
}

fn sexagesimal_float(body: &str) -> Option<f64> {
    let (groups, fraction) = body.rsplit_once('.')?;
    let (first, rest) = groups.split_once(':')?;
    if !is_number(first) || !rest.split(':').all(is_sixtieth) || !is_digits(fraction) {
        return None;
    }
    let (mut sum, mut base) = (0.0, 1.0);
    for group in body.replace('_', "").rsplit(':') {
        sum += group.parse::<f64>().ok()? * base;
        base *= 60.0;
    }
    Some(sum)
}

/// An integer in any of the five spellings; `Some(Err)` when 64 bits cannot hold it.
fn integer(text: &str) -> Option<Result<Value, String>> {
    let (negative, body) = sign(text);
    let (digits, radix) = if let Some(digits) = body.strip_prefix("0b") {
        (digits, 2)
    } else if let Some(digits) = body.strip_prefix("0x") {
        (digits, 16)
    } else if body.len() > 1 && body.starts_with('0') {
        (&body[1..], 8)
    } else if body.contains(':') {
        return sexagesimal(body).map(|sum| signed(negative, sum, text));
    } else {
        (body, 10)
    };
    if digits.is_empty()
        || !digits.chars().all(|c| c == '_' || c.is_digit(radix))
        || (radix == 10 && digits.starts_with('_'))
    {
        return None;
    }
    let bare = digits.replace('_', "");
    match radix {
        // `0_` is zero, but `0x_` and `0b_` have no digits at all.
        8 if bare.is_empty() => Some(signed(negative, Some(0), text)),
        _ if bare.is_empty() => Some(Err(format!("'{text}' is a number without digits: quote it if it is text"))),
        _ => Some(signed(negative, i128::from_str_radix(&bare, radix).ok(), text)),
    }
}

/// Groups of sixty, as in `12:30`: `Some(None)` when the sum is out of range.
fn sexagesimal(body: &str) -> Option<Option<i128>> {
    let (first, rest) = body.split_once(':')?;
    if !is_number(first) || !rest.split(':').all(is_sixtieth) {
        return None;
    }
    let bare = body.replace('_', "");
    Some(bare.split(':').try_fold(0i128, |sum, group| sum.checked_mul(60)?.checked_add(group.parse().ok()?)))
}

fn signed(negative: bool, magnitude: Option<i128>, text: &str) -> Result<Value, String> {
    let value = magnitude.map(|magnitude| if negative { -magnitude } else { magnitude });
    match value.and_then(Number::from_i128) {
        Some(number) => Ok(Value::Number(number)),
        None => Err(format!("integer '{text}' does not fit in 64 bits: quote it")),
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && is_digits(text)
}

/// `0` to `59`, with or without a leading zero.
fn is_sixtieth(group: &str) -> bool {
    match group.as_bytes() {
        [unit] => unit.is_ascii_digit(),
        [ten, unit] => (b'0'..=b'5').contains(ten) && unit.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(text: &str) -> Value {
        match plain(text) {
            Ok(Resolved::Text) => json!(text),
            Ok(Resolved::Value(value)) => value,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn booleans_have_three_letter_cases_and_six_words() {
        for text in ["yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"] {
            assert_eq!(value(text), json!(true), "{text}");
        }
        for text in ["no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"] {
            assert_eq!(value(text), json!(false), "{text}");
        }
        for text in ["y", "n", "Y", "tRue", "oN", "nO"] {
            assert_eq!(value(text), json!(text), "{text}");
        }
    }

    #[test]
    fn null_has_four_spellings_and_nothing() {
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(value(text), Value::Null, "{text}");
        }
        assert_eq!(value("nUll"), json!("nUll"));
    }

    // Every right-hand side was read by PyYAML 6.0.3's safe loader.
    #[test]
    fn integers_have_five_spellings() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("+12", 12),
            ("1_000", 1000),
            ("1_", 1),
            ("0_", 0),
            ("010", 8),
            ("0777", 511),
            ("-012", -10),
            ("060", 48),
            ("00", 0),
            ("0x1F", 31),
            ("-0x_f", -15),
            ("0b11", 3),
            ("0b1_0", 2),
            ("12:30", 750),
            ("9:30", 570),
            ("20:30", 1230),
            ("12:30:45", 45045),
            ("10:20:30:40:50:55", 8_041_827_055_i64),
            ("-1:30", -90),
            ("1:5", 65),
            ("1_0:30", 630),
        ] {
            assert_eq!(value(text), json!(expected), "{text}");
        }
        assert_eq!(value("18446744073709551615"), json!(u64::MAX));
        assert_eq!(value("-9223372036854775808"), json!(i64::MIN));
    }

    #[test]
    fn floats_need_a_point_and_a_signed_exponent() {
        for (text, expected) in [
            ("1.10", 1.1),
            (".5", 0.5),
            ("1.", 1.0),
            ("-1.5", -1.5),
            ("+.0", f64::NAN),
            ("1.0e+3", 1000.0),
            ("1_000.5", 1000.5),
            ("190:20:30.15", 685_230.15),
            ("1:2.", 62.0),
            ("0.1e-2", 0.001),
        ] {
            // `+.0` is text: a point in front takes no sign.
            let expected = if expected.is_nan() { json!(text) } else { json!(expected) };
            assert_eq!(value(text), expected, "{text}");
        }
        assert_eq!(value(".inf"), json!("inf"));
        assert_eq!(value("-.INF"), json!("-inf"));
        assert_eq!(value(".NaN"), json!("nan"));
    }

    #[test]
    fn what_only_resembles_a_number_is_text() {
        for text in [
            "08",
            "09:30",
            "0o10",
            "1e3",
            "1.0e3",
            "12e03",
            "1.2.3",
            "1,000",
            "00:11:22:33:44:55",
            "1:60",
            "-.5",
            "_1",
            "+",
            "-",
            ".",
            "0x",
            "0b",
            "0b12",
            "0xg",
            "1:2:",
            ":30",
            "+-1",
            "-.nan",
            "1.5e+",
            "._5",
            "é1",
        ] {
            assert_eq!(value(text), json!(text), "{text}");
        }
    }

    #[test]
    fn numbers_without_a_value_are_errors() {
        for text in [
            "18446744073709551616",
            "-9223372036854775809",
            "0x_",
            "0b_",
            "9999999999999999999999999999999999999999999",
        ] {
            assert!(plain(text).is_err(), "{text}");
        }
        let groups = format!("1{}", ":59".repeat(100));
        assert!(plain(&groups).is_err());
    }

    #[test]
    fn a_tag_decides_before_the_shape() {
        assert_eq!(tagged("str", "12"), Ok(Resolved::Text));
        assert_eq!(tagged("int", "12"), Ok(Resolved::Value(json!(12))));
        assert_eq!(tagged("float", "12"), Ok(Resolved::Value(json!(12.0))));
        assert_eq!(tagged("bool", "yes"), Ok(Resolved::Value(json!(true))));
        assert!(tagged("int", "twelve").is_err());
        assert!(tagged("binary", "aGk=").is_err());
    }
}
