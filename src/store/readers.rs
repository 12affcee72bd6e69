//! Reader threads: a look-up never blocks the runtime, whatever the disk does.

use std::thread;

use tokio::sync::oneshot;

use super::{Error, Reader, Result};

type Task<R> = Box<dyn FnOnce(&mut R) + Send>;

/// How many look-ups may wait.
const WAITING: usize = 4096;

/// A few threads, each with a connection of its own. Clones share them.
pub struct Readers<R> {
    tasks: async_channel::Sender<Task<R>>,
}

impl<R> Clone for Readers<R> {
    fn clone(&self) -> Self {
        Self { tasks: self.tasks.clone() }
    }
}

impl<R: Reader + Send + 'static> Readers<R> {
    /// Starts a thread for each reader. They end with the last clone.
    pub fn start(readers: Vec<R>) -> std::io::Result<Self> {
        let (tasks, waiting) = async_channel::bounded::<Task<R>>(WAITING);
        for mut reader in readers {
            let waiting = waiting.clone();
            let run = move || {
                while let Ok(task) = waiting.recv_blocking() {
                    task(&mut reader);
                }
            };
            thread::Builder::new().name("reader".to_owned()).spawn(run)?;
        }
        Ok(Self { tasks })
    }

    /// Runs a look-up. Too many waiting is an error at once.
    pub async fn run<T: Send + 'static>(
        &self,
        look_up: impl FnOnce(&mut R) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, answer) = oneshot::channel();
        let task: Task<R> = Box::new(move |reader| _ = done.send(look_up(reader)));
        self.tasks
            .try_send(task)
            .map_err(|_| Error::Unavailable("too many look-ups are waiting".to_owned()))?;
        answer.await.unwrap_or_else(|_| Err(Error::Unavailable("the look-up failed".to_owned())))
    }
}
