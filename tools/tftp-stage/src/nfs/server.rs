//! The server's sockets, its thread, and its end.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mn_cli::{Cannot, Result};
use nfs_mamont::service::nlm::NlmService;
use nfs_mamont::{Impl, ServerContext};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::adapter::{Adapter, TRANSFER};
use super::directory::Directory;
use super::mount::Mounts;
use super::portmap::{self, Service};
use crate::background::{Background, DISK_THREADS};
use crate::port;

/// NFS's and MOUNT's port.
const PORT: u16 = 2049;

/// READs and WRITEs in memory at a time: 4 MiB together.
const BUFFERS: usize = 32;

/// Portmapper connections at a time; each asks one question.
const PORTMAP_CONNECTIONS: usize = 16;

/// How long a portmapper connection may take over its question.
const PORTMAP_PATIENCE: Duration = Duration::from_secs(10);

/// A running server; it stops when this is dropped, and then touches no file any more.
pub struct Server {
    _background: Background,
}

struct Sockets {
    nfs: TcpListener,
    portmap_tcp: TcpListener,
    portmap_udp: UdpSocket,
}

impl Server {
    /// Serves `export` (an absolute path) at `address`.
    ///
    /// Clients that connect before this returns are served, too: the ports are open.
    ///
    /// # Errors
    /// A port that is taken or not allowed, a directory that cannot be opened.
    pub fn start(address: Ipv4Addr, export: &Path) -> Result<Self> {
        let directory = Directory::open(export).cannot(format_args!("export '{}'", export.display()))?;
        let directory = Arc::new(directory);
        let sockets = Sockets::bind(address)?;
        let mounts = Arc::new(Mounts { directory: Arc::clone(&directory), export: export.to_owned() });
        let background = Background::start("nfs", move || run(sockets, directory, mounts))?;
        Ok(Server { _background: background })
    }
}

impl Sockets {
    fn bind(address: Ipv4Addr) -> Result<Self> {
        let listen = |purpose, port| {
            let address = SocketAddrV4::new(address, port);
            let socket = TcpListener::bind(address).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
            port::bound(socket, address, purpose)
        };
        let udp = SocketAddrV4::new(address, portmap::PORT);
        let socket = UdpSocket::bind(udp).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        Ok(Sockets {
            nfs: listen("NFS", PORT)?,
            portmap_tcp: listen("the portmapper", portmap::PORT)?,
            portmap_udp: port::bound(socket, udp, "the portmapper")?,
        })
    }
}

/// Serves all ports.
async fn run(sockets: Sockets, directory: Arc<Directory>, mounts: Arc<Mounts>) {
    tokio::spawn(answer_datagrams(sockets.portmap_udp));
    tokio::spawn(answer_connections(sockets.portmap_tcp));
    serve(sockets.nfs, directory, mounts).await;
}

/// Serves NFS and MOUNT.
///
/// The protocol layer catches SIGINT and ends at it, with an error to whoever is connected. But a board is served
/// until its reader goes. So the signal is looked for first: what would end is set aside, never to be asked again
/// but with its connections alive, and another takes over the port.
async fn serve(listener: TcpListener, directory: Arc<Directory>, mounts: Arc<Mounts>) {
    const SIZE: NonZeroUsize = NonZeroUsize::new(TRANSFER).expect("not 0");
    const COUNT: NonZeroUsize = NonZeroUsize::new(BUFFERS).expect("not 0");
    const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(DISK_THREADS).expect("not 0");
    let Ok(mut interrupts) = signal(SignalKind::interrupt()) else { return };
    let mut set_aside = Vec::new();
    while let Ok(listener) = listener.try_clone().and_then(tokio::net::TcpListener::from_std) {
        let context = ServerContext::new(Arc::new(Impl::new(SIZE, COUNT)), CONCURRENCY);
        context.add_backend(Arc::new(Adapter(Arc::clone(&directory))));
        let locks = Arc::new(NlmService::new());
        let mut server = Box::pin(nfs_mamont::handle_forever(listener, context, Arc::clone(&mounts), locks));
        tokio::select! {
            biased;
            _ = interrupts.recv() => {}
            _ = &mut server => return,
        }
        set_aside.push(server);
    }
}

fn services() -> [Service; 2] {
    use nfs_mamont::consts::{mount, nfsv3};
    [
        Service { program: nfsv3::NFS_PROGRAM, version: nfsv3::NFS_VERSION, port: PORT },
        Service { program: mount::MOUNT_PROGRAM, version: mount::MOUNT_VERSION, port: PORT },
    ]
}

async fn answer_datagrams(socket: UdpSocket) {
    let Ok(socket) = tokio::net::UdpSocket::from_std(socket) else { return };
    let mut request = [0; portmap::LONGEST_REQUEST];
    loop {
        // An error here is news of an earlier answer that nobody wanted.
        if let Ok((length, client)) = socket.recv_from(&mut request).await
            && let Some(reply) = portmap::answer(&request[..length], &services())
        {
            let _ = socket.send_to(&reply, client).await;
        }
    }
}

async fn answer_connections(listener: TcpListener) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let free = Arc::new(Semaphore::new(PORTMAP_CONNECTIONS));
    while let Ok(permit) = Arc::clone(&free).acquire_owned().await {
        let (stream, _) = port::accepted(&listener).await;
        tokio::spawn(async move {
            let _ = timeout(PORTMAP_PATIENCE, answer_connection(stream)).await;
            drop(permit);
        });
    }
}

/// Answers the questions of one connection, each in one record (RFC 5531, 11).
async fn answer_connection(mut stream: TcpStream) -> io::Result<()> {
    const LAST: u32 = 0x8000_0000;
    loop {
        let mark = stream.read_u32().await?;
        let length = (mark & !LAST) as usize;
        if mark & LAST == 0 || length > portmap::LONGEST_REQUEST {
            return Ok(());
        }
        let mut request = vec![0; length];
        stream.read_exact(&mut request).await?;
        let Some(reply) = portmap::answer(&request, &services()) else { return Ok(()) };
        stream.write_u32(LAST | reply.len() as u32).await?;
        stream.write_all(&reply).await?;
    }
}
