//! The automaton over a stream finds what a slow and obvious search finds, and what a wait finds for any patterns does not
//! depend on how the bytes are cut into reads.
//!
//! Input: patterns, a line each, an empty line, then what the console prints.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mn_console::expect::{Expect, Hit};
use mn_console::matcher::{Matcher, Patterns};
use regex::bytes::{Regex, RegexBuilder};

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.windows(2).position(|two| two == b"\n\n") else { return };
    let (Ok(patterns), text) = (std::str::from_utf8(&input[..end]), &input[end + 2..]) else { return };
    let patterns: Vec<&str> = patterns.lines().take(4).collect();
    let text = &text[..text.len().min(200)];
    let Ok(fast) = Patterns::new(&patterns) else { return };
    let whole = awaited(&fast, [text]);
    for size in [1, 7] {
        assert_eq!(awaited(&fast, text.chunks(size)), whole, "{patterns:?} in reads of {size}");
    }
    let Some(slow) = obvious(&patterns) else { return };
    let expected = first(&slow, text);
    for size in [1, 7, text.len().max(1)] {
        let mut matcher = Matcher::new(&fast);
        let mut before = 0;
        let mut found = None;
        for read in text.chunks(size) {
            found = matcher.feed(read).map(|found| (before + found.used, found.pattern));
            before += read.len();
            if found.is_some() {
                break;
            }
        }
        assert_eq!(found, expected, "{patterns:?} in reads of {size}");
    }
});

/// What a wait finds when the console is silent after its last byte.
fn awaited<'a>(patterns: &Patterns, reads: impl IntoIterator<Item = &'a [u8]>) -> Option<Hit> {
    let mut expect = Expect::default();
    expect.wait(patterns);
    let hit = reads.into_iter().find_map(|read| {
        expect.push(read);
        expect.find(|_| ())
    });
    hit.or_else(|| expect.quiet())
}

/// The patterns, each to end where the text ends; none where one asks what stands around it, which the end would answer.
fn obvious(patterns: &[&str]) -> Option<Vec<Regex>> {
    let one = |pattern: &&str| {
        let parsed = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()?;
        if !parsed.properties().look_set().is_empty() {
            return None;
        }
        RegexBuilder::new(&format!("(?:{pattern})\\z")).unicode(false).dot_matches_new_line(true).build().ok()
    };
    patterns.iter().map(one).collect()
}

/// The first place at which a match ends, and the first pattern that does.
fn first(patterns: &[Regex], text: &[u8]) -> Option<(usize, usize)> {
    (1..=text.len()).find_map(|end| {
        let pattern = patterns.iter().position(|pattern| pattern.is_match(&text[..end]))?;
        Some((end, pattern))
    })
}
