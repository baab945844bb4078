//! Other places for the job's artefacts and repositories.

/// A prefix of addresses and what takes its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewrite {
    old: String,
    new: String,
}

impl Rewrite {
    /// Reads `OLD=NEW`; the first equals sign divides.
    ///
    /// # Errors
    /// When there is none, or nothing before it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((old, new)) if !old.is_empty() => Ok(Self { old: old.to_owned(), new: new.to_owned() }),
            _ => Err("a rewrite is given as OLD=NEW".to_owned()),
        }
    }
}

/// The address after the first rewrite whose prefix it has.
pub fn rewritten(url: &str, rewrites: &[Rewrite]) -> String {
    let found = rewrites.iter().find_map(|rewrite| Some((rewrite, url.strip_prefix(&*rewrite.old)?)));
    found.map_or_else(|| url.to_owned(), |(rewrite, rest)| format!("{}{rest}", rewrite.new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_prefix_that_matches_counts() {
        let rewrites = ["http://a/b=file:///x?y=1", "http://a=file:///z"].map(|text| Rewrite::parse(text).unwrap());
        assert_eq!(rewritten("http://a/b/c", &rewrites), "file:///x?y=1/c");
        assert_eq!(rewritten("http://a/c", &rewrites), "file:///z/c");
        assert_eq!(rewritten("https://a/c", &rewrites), "https://a/c");
    }

    #[test]
    fn a_rewrite_needs_a_prefix() {
        assert!(Rewrite::parse("=x").is_err());
        assert!(Rewrite::parse("x").is_err());
        assert_eq!(rewritten("ab", &[Rewrite::parse("a=").unwrap()]), "b");
    }
}
