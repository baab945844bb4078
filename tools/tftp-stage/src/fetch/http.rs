//! HTTP, by the crate ureq: redirects followed, proxies from the environment, nothing decompressed on the way.

use std::io::Read;

use mn_cli::{Deadline, Error, Result};
use ureq::{Agent, Proxy};

/// Redirects followed.
const REDIRECTS: u32 = 10;

/// An answer that has the file, or says that it is unchanged.
pub struct Response(ureq::http::Response<ureq::Body>);

/// Asks for `url`, unless it still has the mark `etag`.
///
/// # Errors
/// Status 2 for an address that is none, 3 for an answer without the file, 124 when the time is up.
pub fn get(url: &str, etag: Option<&str>, deadline: Deadline) -> Result<Response> {
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
    if let Some(etag) = etag {
        request = request.header("If-None-Match", etag);
    }
    let response = request.call().map_err(|error| failure(url, &error))?;
    let status = response.status();
    if status.as_u16() != 200 && !(status.as_u16() == 304 && etag.is_some()) {
        return Err(Error::lab(format_args!("cannot fetch '{url}': the server answers {status}")));
    }
    Ok(Response(response))
}

/// Whether the server runs on this machine, where no proxy can reach it.
fn is_local(url: &str) -> bool {
    let authority = url.split('/').nth(2).unwrap_or_default();
    ["127.", "localhost:", "[::1]"].iter().any(|host| authority.starts_with(host)) || authority == "localhost"
}

fn failure(url: &str, error: &ureq::Error) -> Error {
    match error {
        ureq::Error::Timeout(_) => Error::timeout(format_args!("cannot fetch '{url}' in time")),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            Error::wrong(format_args!("cannot fetch '{url}': not an address"))
        }
        ureq::Error::Io(error) => {
            let reason = error.raw_os_error().map(nix::errno::Errno::from_raw);
            let reason = reason.map_or_else(|| error.to_string(), |errno| errno.desc().to_owned());
            Error::lab(format_args!("cannot fetch '{url}': {reason}"))
        }
        other => Error::lab(format_args!("cannot fetch '{url}': {other}")),
    }
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
