//! Reader threads: a look-up never blocks the runtime, whatever the disk does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Error, Result};

type Task<R> = Box<dyn FnOnce(&mut R) + Send>;

/// How many look-ups may wait.
const WAITING: usize = 4096;

/// How many that wait are looked up together, so that they share one snapshot. More would let a long one
/// hold up too many while another thread is idle.
const TOGETHER: usize = 16;

/// Whoever looks things up.
pub trait LooksUp: Send + 'static {
    /// Runs look-ups so that all of them see one moment, which is not before this call.
    fn at_one_moment(&mut self, look_ups: impl FnOnce(&mut Self));
}

/// A few threads, each with a connection of its own. Clones share them.
pub struct Readers<R> {
    tasks: async_channel::Sender<Task<R>>,
    answer_within: Duration,
}

impl<R> Clone for Readers<R> {
    fn clone(&self) -> Self {
        Self { tasks: self.tasks.clone(), answer_within: self.answer_within }
    }
}

impl<R: LooksUp> Readers<R> {
    /// Starts a thread for each reader. They end with the last clone.
    pub fn start(readers: Vec<R>, answer_within: Duration) -> std::io::Result<Self> {
        let (tasks, waiting) = async_channel::bounded::<Task<R>>(WAITING);
        for mut reader in readers {
            let waiting = waiting.clone();
            let run = move || {
                while let Ok(first) = waiting.recv_blocking() {
                    let more = std::iter::from_fn(|| waiting.try_recv().ok());
                    let tasks: Vec<Task<R>> = std::iter::once(first).chain(more.take(TOGETHER - 1)).collect();
                    reader.at_one_moment(|reader| {
                        for task in tasks {
                            // Whoever asked is told, because the task takes its sender with it; the thread stays.
                            _ = catch_unwind(AssertUnwindSafe(|| task(reader)));
                        }
                    });
                }
            };
            thread::Builder::new().name("reader".to_owned()).spawn(run)?;
        }
        Ok(Self { tasks, answer_within })
    }

    /// Runs a look-up. An error at once where too many are waiting, and after `answer_within` in any case.
    pub async fn run<T: Send + 'static>(
        &self,
        look_up: impl FnOnce(&mut R) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, answer) = oneshot::channel();
        let task: Task<R> = Box::new(move |reader| {
            // Nobody waits any more for what was asked too long ago.
            if !done.is_closed() {
                _ = done.send(look_up(reader));
            }
        });
        let failed = |why: &str| Error::Unavailable(why.to_owned());
        self.tasks.try_send(task).map_err(|_| failed("too many look-ups are waiting"))?;
        match timeout(self.answer_within, answer).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err(failed("the look-up panicked")),
            Err(_) => Err(failed("the look-up takes too long")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    impl LooksUp for i32 {
        fn at_one_moment(&mut self, look_ups: impl FnOnce(&mut Self)) {
            look_ups(self);
        }
    }

    fn trouble<T>(found: Result<T>) -> String {
        found.err().expect("no answer").to_string()
    }

    #[tokio::test]
    async fn a_look_up_that_panics_fails_alone() {
        let readers = Readers::start(vec![0], Duration::from_secs(60)).unwrap();
        for n in 0..3 {
            let found = readers.run::<()>(|_| panic!("provoked")).await;
            assert!(trouble(found).contains("panicked"));
            assert_eq!(readers.run(move |_| Ok(n)).await.unwrap(), n, "the thread goes on");
        }
    }

    #[tokio::test]
    async fn a_look_up_that_hangs_is_given_up_and_so_are_those_behind_it() {
        let readers = Readers::start(vec![0], Duration::from_millis(50)).unwrap();
        let (go_on, held) = mpsc::channel::<()>();
        let hanging = readers.run(move |_| Ok(held.recv().is_err()));
        assert!(trouble(hanging.await).contains("too long"));
        let late = readers.run::<()>(|looked_up| {
            *looked_up += 1;
            Ok(())
        });
        assert!(trouble(late.await).contains("too long"));
        drop(go_on);
        let looked_up = loop {
            if let Ok(looked_up) = readers.run(|looked_up| Ok(*looked_up)).await {
                break looked_up;
            }
        };
        assert_eq!(looked_up, 0, "nobody waited for the one behind it any more");
    }
}
