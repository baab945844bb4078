//! HTTP, by the crate ureq: redirects followed, proxies from the environment, nothing decompressed on the way.

use std::io::{self, ErrorKind, Read};

use mn_cli::{Deadline, Error, Result};
use ureq::{Agent, Proxy};

/// Redirects followed.
const REDIRECTS: u32 = 10;

/// An answer that has the file, or says that it is unchanged.
pub struct Response(ureq::http::Response<ureq::Body>);

/// Asks for `url` with these headers, within the deadline, which also ends the reading of the body. A header
/// `If-None-Match` allows the answer that the file is unchanged.
///
/// # Errors
/// Status 2 for an address or a header that is none, 3 for an answer without the file, 124 when the time is up.
pub fn get(url: &str, headers: &[(&str, &str)], deadline: Deadline) -> Result<Response> {
    let proxy = if is_local(url) { None } else { Proxy::try_from_env() };
    let config = Agent::config_builder()
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(REDIRECTS)
        .timeout_global(Some(deadline.remaining()))
        .user_agent(concat!("pumice/", env!("CARGO_PKG_VERSION")))
        // The digests and sizes are those of the file as it lies on the server.
        .accept_encoding("identity")
        .build();
    let mut request = Agent::from(config).get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.call().or_else(failure)?;
    let status = response.status().as_u16();
    let conditional = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("if-none-match"));
    if status != 200 && !(status == 304 && conditional) {
        return Err(Error::lab(format_args!("the server answers {}", response.status())));
    }
    Ok(Response(response))
}

/// Whether the server runs on this machine, where no proxy can reach it.
fn is_local(url: &str) -> bool {
    let authority = url.split('/').nth(2).unwrap_or_default();
    ["127.", "localhost:", "[::1]"].iter().any(|host| authority.starts_with(host)) || authority == "localhost"
}

fn failure<T>(error: ureq::Error) -> Result<T> {
    match error {
        ureq::Error::Timeout(_) => Err(Error::timeout("out of time")),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Err(Error::wrong("not an address, or not a header")),
        ureq::Error::Io(error) => Err(Error::lab(mn_cli::reason(&error))),
        other => Err(Error::lab(other)),
    }
}

/// Whether the time of a request ran out while its body was read; ureq wraps its own error.
pub fn is_timeout(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|error| error.downcast_ref());
    error.kind() == ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

impl Response {
    /// Whether the file is the one whose mark was sent.
    pub fn is_unchanged(&self) -> bool {
        self.0.status().as_u16() == 304
    }

    /// The size in bytes, if the server says it.
    pub fn size(&self) -> Option<u64> {
        self.0.body().content_length()
    }

    /// The file's mark, empty if the server gives none.
    pub fn etag(&self) -> String {
        let value = self.0.headers().get("etag").and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    }

    /// The file.
    pub fn into_body(self) -> impl Read {
        self.0.into_body().into_reader()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_is_asked_for_what_is_on_this_machine() {
        for url in ["http://127.0.0.1:8000/a", "http://localhost/a", "http://localhost:80/a", "http://[::1]/a"] {
            assert!(is_local(url), "{url}");
        }
        for url in ["http://localhost.example/a", "http://example/127.0.0.1", "http://10.0.0.1/"] {
            assert!(!is_local(url), "{url}");
        }
    }
}
