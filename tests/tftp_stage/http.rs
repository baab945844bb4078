//! A web server for a test.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What is answered under a path.
#[derive(Clone)]
pub enum Answer {
    /// The file.
    File(Vec<u8>),
    /// The file, under a mark that makes a second request short.
    Marked(&'static str, Vec<u8>),
    /// Only this status line.
    Status(&'static str),
    /// The file, somewhere else.
    Elsewhere(&'static str),
    /// Fewer bytes than announced.
    Cut(Vec<u8>),
    /// Half of the file, and then nothing for as long as the client waits.
    Stalled(Vec<u8>),
}

/// A server on loopback; it ends with the test.
pub struct Http {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Http {
    pub fn serve(answers: &[(&'static str, Answer)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Arc<HashMap<_, _>> = Arc::new(answers.iter().cloned().collect());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, log) = (Arc::clone(&answers), Arc::clone(&log));
                // A client that goes away in between is part of some tests.
                std::thread::spawn(move || drop(answer(stream.unwrap(), &answers, &log)));
            }
        });
        Http { address, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far: path, and the status that was answered.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(stream: TcpStream, answers: &HashMap<&'static str, Answer>, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut mark = String::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("if-none-match:") {
            mark = value.trim().to_owned();
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (head, body, end) = reply(answers.get(path), &mark);
    log.lock().unwrap().push(format!("{path} {}", &head[..3]));
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {head}Connection: close\r\n\r\n")?;
    stream.write_all(&body)?;
    if end == End::Wait {
        // Until the client closes.
        std::io::Read::read(&mut stream, &mut [0])?;
    }
    Ok(())
}

#[derive(PartialEq)]
enum End {
    Close,
    Wait,
}

fn reply(answer: Option<&Answer>, mark: &str) -> (String, Vec<u8>, End) {
    let sized = |status: &str, more: &str, size: usize| format!("{status}\r\n{more}Content-Length: {size}\r\n");
    match answer.cloned() {
        Some(Answer::File(body)) => (sized("200 OK", "", body.len()), body, End::Close),
        Some(Answer::Marked(etag, _)) if mark == etag => (sized("304 Not Modified", "", 0), vec![], End::Close),
        Some(Answer::Marked(etag, body)) => {
            (sized("200 OK", &format!("ETag: {etag}\r\n"), body.len()), body, End::Close)
        }
        Some(Answer::Status(status)) => (sized(status, "", 0), vec![], End::Close),
        Some(Answer::Elsewhere(path)) => (sized("302 Found", &format!("Location: {path}\r\n"), 0), vec![], End::Close),
        Some(Answer::Cut(body)) => (sized("200 OK", "", body.len() + 100), body, End::Close),
        Some(Answer::Stalled(body)) => (sized("200 OK", "", body.len() * 2), body, End::Wait),
        None => (sized("404 Not Found", "", 0), vec![], End::Close),
    }
}
