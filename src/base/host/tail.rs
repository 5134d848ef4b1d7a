//! What a program complains of.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use crate::base::units::Span;

/// How long the rest may take to come once it is asked for: whoever still holds the other end may never say more.
const REST: Span = Span::millis(200);

/// The last of what a program says, read as it comes: whoever says too much is neither held up nor kept.
#[derive(Debug)]
pub struct Tail {
    kept: Arc<Mutex<VecDeque<u8>>>,
    ended: Mutex<mpsc::Receiver<()>>,
}

impl Tail {
    /// Keeps so many bytes. Reads on a thread of its own, which ends when all that could say more have ended.
    pub fn of(mut said: impl Read + Send + 'static, keep: usize) -> io::Result<Tail> {
        let kept: Arc<Mutex<VecDeque<u8>>> = Arc::default();
        let (going_on, ended) = mpsc::channel::<()>();
        let into = kept.clone();
        let read = move || {
            let (mut chunk, _going_on) = ([0; 4096], going_on);
            loop {
                match said.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(read) => {
                        let mut kept = lock(&into);
                        kept.extend(chunk.iter().take(read));
                        let over = kept.len().saturating_sub(keep);
                        kept.drain(..over);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        };
        std::thread::Builder::new().name("tail".to_owned()).spawn(read)?;
        Ok(Tail { kept, ended: Mutex::new(ended) })
    }

    /// What it is; waits a moment for what has been said and not been read.
    pub fn text(&self) -> String {
        let _ = lock(&self.ended).recv_timeout(REST.to_std());
        let kept = lock(&self.kept);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_of_it_is_kept() {
        let tail = Tail::of(io::repeat(b'x').take(1 << 20).chain(&b"the end"[..]), 10).unwrap();
        assert_eq!(tail.text(), "xxxthe end");
    }

    #[test]
    fn who_never_ends_is_not_waited_for() {
        let (reader, mut writer) = io::pipe().unwrap();
        let tail = Tail::of(reader, 10).unwrap();
        io::Write::write_all(&mut writer, b"so far").unwrap();
        while tail.text() != "so far" {}
        drop(writer);
    }
}
