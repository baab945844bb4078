//! The little of HTTP (RFC 9110, RFC 9112) that fetching one file takes.

/// The longest request that is looked at, in bytes.
pub const LONGEST: usize = 8 * 1024;

/// What a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The file.
    Whole,
    /// What there would be to say of it.
    Head,
    /// There is no such file.
    NotFound,
    /// Files are only read here.
    NotAllowed,
    /// It is no request.
    Bad,
}

/// Whether the empty line has come.
pub fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|four| four == b"\r\n\r\n") || head.windows(2).any(|two| two == b"\n\n")
}

/// The answer to a request for the file that is served as `path`.
pub fn answer(head: &[u8], path: &str) -> Answer {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else { return Answer::Bad };
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match words.as_slice() {
        ["GET", target, version] if version.starts_with("HTTP/1.") && named(target) == path => Answer::Whole,
        ["HEAD", target, version] if version.starts_with("HTTP/1.") && named(target) == path => Answer::Head,
        ["GET" | "HEAD", _, version] if version.starts_with("HTTP/1.") => Answer::NotFound,
        [_, _, version] if version.starts_with("HTTP/1.") => Answer::NotAllowed,
        _ => Answer::Bad,
    }
}

/// The path of a target, which a proxy names whole.
fn named(target: &str) -> &str {
    let rest = target.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    rest.unwrap_or(target).split('?').next().unwrap_or_default()
}

/// The status, as it stands in the first line.
pub fn status(answer: Answer) -> &'static str {
    match answer {
        Answer::Whole | Answer::Head => "200 OK",
        Answer::NotFound => "404 Not Found",
        Answer::NotAllowed => "405 Method Not Allowed",
        Answer::Bad => "400 Bad Request",
    }
}

/// All before the file of `size` bytes.
pub fn head(answer: Answer, size: u64) -> String {
    let length = if matches!(answer, Answer::Whole | Answer::Head) { size } else { 0 };
    let allow = if answer == Answer::NotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    format!(
        "HTTP/1.1 {}\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n{allow}Connection: close\r\n\r\n",
        status(answer)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_file_is_there() {
        let answer = |line: &str| super::answer(format!("{line}\r\nHost: x\r\n\r\n").as_bytes(), "/7-overlay.tar.gz");
        for (line, expected) in [
            ("GET /7-overlay.tar.gz HTTP/1.1", Answer::Whole),
            ("GET http://10.0.0.1:8080/7-overlay.tar.gz?x HTTP/1.0", Answer::Whole),
            ("HEAD /7-overlay.tar.gz HTTP/1.1", Answer::Head),
            ("GET / HTTP/1.1", Answer::NotFound),
            ("GET /../7-overlay.tar.gz HTTP/1.1", Answer::NotFound),
            ("PUT /7-overlay.tar.gz HTTP/1.1", Answer::NotAllowed),
            ("GET /7-overlay.tar.gz", Answer::Bad),
            ("", Answer::Bad),
        ] {
            assert_eq!(answer(line), expected, "{line}");
        }
        assert_eq!(super::answer(b"\xff\xfe HTTP/1.1\n\n", "/x"), Answer::Bad);
    }

    #[test]
    fn a_request_ends_with_an_empty_line() {
        assert!(is_whole(b"GET / HTTP/1.0\r\n\r\n") && is_whole(b"GET / HTTP/1.0\n\n"));
        assert!(!is_whole(b"GET / HTTP/1.0\r\nHost: x\r\n"));
    }

    #[test]
    fn an_answer_says_how_long_it_is_and_that_it_is_the_last() {
        assert!(head(Answer::Whole, 42).starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(head(Answer::Head, 42).contains("\r\nContent-Length: 42\r\n"));
        assert!(head(Answer::NotFound, 42).contains("\r\nContent-Length: 0\r\n"));
        assert!(head(Answer::NotAllowed, 42).ends_with("\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n"));
    }
}
