//! An HTTP server of one file: the overlay, for a system that fetches it itself.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use mn_cli::{Cannot, Error, Result};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::background::Background;
use crate::port;

/// Connections at a time; one more waits.
const CONNECTIONS: usize = 8;
/// How long a request may take to come, and a client to take a piece of the answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that are read at a time.
const PIECE: u64 = 64 * 1024;

/// A running server; it stops when this is dropped.
pub struct Server {
    address: SocketAddr,
    path: String,
    _background: Background,
}

/// What is served.
struct Offer {
    file: File,
    size: u64,
    /// The path in the address.
    path: String,
}

impl Server {
    /// Serves `file` under its own name, at a port of `address` that the system chooses, to everybody who asks.
    ///
    /// # Errors
    /// Status 2 for a name that an address would have to spell otherwise, 3 for a file that cannot be read and an
    /// address that this machine does not have.
    pub fn start(address: Ipv4Addr, file: &Path) -> Result<Self> {
        let what = || format!("open '{}'", file.display());
        let path = format!("/{}", plain_name(file)?);
        let file = File::open(file).cannot(what())?;
        let size = file.metadata().cannot(what())?.len();
        let at = SocketAddrV4::new(address, 0);
        let listener = TcpListener::bind(at).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        let listener = port::bound(listener, at, "HTTP")?;
        let address = listener.local_addr().cannot("start the HTTP server")?;
        let offer = Arc::new(Offer { file, size, path: path.clone() });
        let background = Background::start("http", move || listen(listener, offer))?;
        Ok(Server { address, path, _background: background })
    }

    /// The file's address.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.path)
    }
}

/// The file's name, where it is the same in an address and in a shell's command.
fn plain_name(file: &Path) -> Result<&str> {
    let name = file.file_name().and_then(OsStr::to_str);
    let plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    name.filter(plain).ok_or_else(|| {
        Error::wrong(format_args!(
            "cannot let the board fetch '{}': its name may have letters, digits, dots, hyphens and underscores only, see \
             --name of 'overlay-pack'",
            file.display()
        ))
    })
}

/// Takes connections.
async fn listen(listener: TcpListener, offer: Arc<Offer>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(permit) = Arc::clone(&free).acquire_owned().await {
        let (stream, client) = port::accepted(&listener).await;
        let offer = Arc::clone(&offer);
        tokio::spawn(async move {
            if let Err(reason) = serve(stream, client, &offer, PATIENCE).await {
                mn_cli::note(1, format_args!("http: {client}: failed: {reason}"));
            }
            drop(permit);
        });
    }
}

/// Answers one request, unless for too long neither it nor a piece of the answer passes.
async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    offer: &Arc<Offer>,
    patience: Duration,
) -> std::result::Result<(), String> {
    let passed = Arc::new(AtomicU64::new(0));
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(&request, offer, &passed);
        mn_cli::note(
            1,
            format_args!("http: {client}: {} '{}': {}", request.method(), request.uri(), response.status()),
        );
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut before = 0;
    loop {
        match timeout(patience, connection.as_mut()).await {
            Ok(outcome) => return outcome.map_err(|error| error.to_string()),
            Err(_) => {
                let now = passed.load(Ordering::Relaxed);
                if now == before {
                    return Err(format!("nothing has passed for {patience:?}"));
                }
                before = now;
            }
        }
    }
}

/// The answer to a request.
fn answer(request: &Request<Incoming>, offer: &Arc<Offer>, passed: &Arc<AtomicU64>) -> Response<Pieces> {
    let status = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, path) if path == offer.path => StatusCode::OK,
        (&Method::GET | &Method::HEAD, _) => StatusCode::NOT_FOUND,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    };
    let left = if status == StatusCode::OK { offer.size } else { 0 };
    let mut response = Response::new(Pieces { offer: Arc::clone(offer), at: 0, left, passed: Arc::clone(passed) });
    *response.status_mut() = status;
    let (name, value) = match status {
        StatusCode::METHOD_NOT_ALLOWED => (ALLOW, "GET, HEAD"),
        _ => (CONTENT_TYPE, "application/octet-stream"),
    };
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

/// The file, or nothing, piece by piece.
struct Pieces {
    offer: Arc<Offer>,
    at: u64,
    left: u64,
    /// Bytes that have been asked for.
    passed: Arc<AtomicU64>,
}

impl Pieces {
    /// The next piece. A local file is read at once.
    fn read(&mut self) -> io::Result<Bytes> {
        let mut piece = vec![0; PIECE.min(self.left) as usize];
        self.offer.file.read_exact_at(&mut piece, self.at)?;
        self.at += piece.len() as u64;
        self.left -= piece.len() as u64;
        self.passed.store(self.at, Ordering::Relaxed);
        Ok(piece.into())
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready((self.left > 0).then(|| self.read().map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn a_client_that_asks_or_takes_nothing_is_left() {
        let file = tempfile::tempfile().unwrap();
        // More than the sockets between them hold.
        let size = 64 << 20;
        file.set_len(size).unwrap();
        let offer = Arc::new(Offer { file, size, path: "/overlay".to_owned() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        for request in ["", "GET /overlay HTTP/1.1\r\n\r\n"] {
            let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            client.write_all(request.as_bytes()).unwrap();
            let (stream, address) = port::accepted(&listener).await;
            let left = serve(stream, address, &offer, Duration::from_millis(200)).await;
            assert_eq!(left, Err("nothing has passed for 200ms".to_owned()), "{request}");
        }
    }
}
