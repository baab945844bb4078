//! A server on a thread of its own, which stops when it is dropped.

use std::future::Future;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mn_cli::{Cannot, Result};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Threads that wait for the disk.
pub const DISK_THREADS: usize = 4;
/// How long the end waits for what is on the disk.
const DISK_PATIENCE: Duration = Duration::from_secs(10);

/// A running server; it stops when this is dropped, and then touches no file any more.
pub struct Background {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Runs what `serve` gives on a thread of this name, until it ends or is to stop.
    ///
    /// # Errors
    /// Status 3 for a system without threads or descriptors.
    pub fn start<F>(name: &str, serve: impl FnOnce() -> F + Send + 'static) -> Result<Background>
    where
        F: Future<Output = ()>,
    {
        let what = || format!("start the server '{name}'");
        let runtime =
            Builder::new_current_thread().enable_all().max_blocking_threads(DISK_THREADS).build().cannot(what())?;
        let (stop, stopped) = oneshot::channel();
        let body = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = serve() => {}
                }
            });
            runtime.shutdown_timeout(DISK_PATIENCE);
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(body).cannot(what())?;
        Ok(Background { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has nothing to add to the end here.
            let _ = thread.join();
        }
    }
}
