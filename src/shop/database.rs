//! A part's database: one writer thread that commits in groups, and a few readers. A write is acknowledged only after
//! the commit of its group is on the disk.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::ShopError;
use super::metrics::Page;
use super::problem::Problem;

/// Writes that one commit may carry. More would make its last one wait for all the others.
const GROUP: usize = 128;
const READERS: usize = 4;
/// Reads that may wait for a reader.
const WAITING_READS: usize = 512;

/// A write on its way through a group: tried, then told how its group ended. May be tried twice.
trait Write: Send {
    fn attempt(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    fn committed(self: Box<Self>);
    fn failed(self: Box<Self>, error: &rusqlite::Error);
    fn abandoned(&self) -> bool;
}

struct Pending<T, F> {
    run: F,
    outcome: Option<T>,
    done: oneshot::Sender<Result<T, Problem>>,
}

impl<T: Send, F: FnMut(&Connection) -> rusqlite::Result<T> + Send> Write for Pending<T, F> {
    fn attempt(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.outcome = Some((self.run)(connection)?);
        Ok(())
    }

    fn committed(self: Box<Self>) {
        let Self { outcome, done, .. } = *self;
        // Whoever asked may have gone; the write stands all the same.
        let _ = done.send(outcome.ok_or_else(|| storage("the write was never tried")));
    }

    fn failed(self: Box<Self>, error: &rusqlite::Error) {
        let _ = self.done.send(Err(storage(&error.to_string())));
    }

    fn abandoned(&self) -> bool {
        self.done.is_closed()
    }
}

fn storage(what: &str) -> Problem {
    Problem::unavailable("storage", format!("the storage failed: {what}"))
}

#[derive(Debug, Default)]
struct Counts {
    groups: AtomicU64,
    writes: AtomicU64,
    shed: AtomicU64,
}

/// Cheap to clone; the writer thread ends when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Database {
    writes: mpsc::Sender<Box<dyn Write>>,
    readers: Arc<Readers>,
    counts: Arc<Counts>,
}

struct Readers {
    idle: Mutex<Vec<Connection>>,
    room: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Database {
    pub(super) fn open(folder: &Path, name: &str, schema: &str, queue: usize) -> Result<Self, ShopError> {
        let unusable = |source| ShopError::Folder { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let path = folder.join(name);
        let failed = |source| ShopError::Database { path: path.clone(), source };
        let form = form(schema);
        let writer = open_writer(&path, schema, form).map_err(failed)?;
        let written: i32 = writer.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if written != form {
            return Err(ShopError::OtherVersion { path });
        }
        // The new file's name must be as durable as what is acknowledged in it.
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(unusable)?;
        let readers = (0..READERS).map(|_| open_reader(&path)).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        std::thread::Builder::new()
            .name(format!("{name} writer"))
            .spawn(move || write_groups(writer, receiver, &counted))
            .map_err(ShopError::Start)?;
        let readers = Readers {
            idle: Mutex::new(readers),
            room: Arc::new(Semaphore::new(READERS)),
            waiting: Arc::new(Semaphore::new(WAITING_READS)),
        };
        Ok(Self { writes: sender, readers: Arc::new(readers), counts })
    }

    /// Writes in the next group; shed at once when the queue is full. `run` must change nothing when it refuses: what it
    /// returns with `Ok` is committed. It may be run twice.
    pub(super) async fn write<T, F>(&self, run: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (done, answer) = oneshot::channel();
        self.writes.try_send(Box::new(Pending { run, outcome: None, done })).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                self.counts.shed.fetch_add(1, Ordering::Relaxed);
                Problem::shed("the queue of writes")
            }
            mpsc::error::TrySendError::Closed(_) => storage("the writer has ended"),
        })?;
        answer.await.unwrap_or_else(|_| Err(storage("the writer has ended")))
    }

    /// The same for work of our own that can wait for its turn.
    pub(super) async fn write_patiently<T, F>(&self, run: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (done, answer) = oneshot::channel();
        let sent = self.writes.send(Box::new(Pending { run, outcome: None, done })).await;
        sent.map_err(|_| storage("the writer has ended"))?;
        answer.await.unwrap_or_else(|_| Err(storage("the writer has ended")))
    }

    pub(super) async fn read<T, F>(&self, run: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let ended = |_| storage("the readers have ended");
        let waiting = Arc::clone(&self.readers.waiting).try_acquire_owned().map_err(|_| {
            self.counts.shed.fetch_add(1, Ordering::Relaxed);
            Problem::shed("the queue of reads")
        })?;
        let room =
            Arc::clone(&self.readers.room).acquire_owned().await.map_err(|_| storage("the readers have ended"))?;
        drop(waiting);
        let readers = Arc::clone(&self.readers);
        let work = move || {
            let _room = room;
            let connection = readers.idle().pop();
            let Some(connection) = connection else { return Err(storage("no reader is left")) };
            let outcome = run(&connection);
            readers.idle().push(connection);
            outcome.map_err(|error| storage(&error.to_string()))
        };
        tokio::task::spawn_blocking(work).await.map_err(ended)?
    }

    fn queued(&self) -> usize {
        self.writes.max_capacity() - self.writes.capacity()
    }

    pub(super) fn metrics(&self, page: &mut Page) {
        let counts = &self.counts;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        page.single("shop_write_queue_depth", "gauge", "Writes that wait for the disk.", self.queued());
        page.single(
            "shop_write_queue_shed_total",
            "counter",
            "Reads and writes refused, queue full.",
            load(&counts.shed),
        );
        page.single("shop_writes_total", "counter", "Writes committed.", load(&counts.writes));
        page.single("shop_commits_total", "counter", "Commits, each of a group of writes.", load(&counts.groups));
    }
}

impl Readers {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that stands for the schema: a file made by another one is not ours to work on.
fn form(schema: &str) -> i32 {
    let hash = schema.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash | 1).cast_signed()
}

fn open_writer(path: &Path, schema: &str, form: i32) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // Full: the log is synced at every commit, so that a commit survives the loss of power too.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384;
         PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    // All or nothing: a file that was begun and never finished is begun again.
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        connection.execute_batch(&format!("BEGIN; {schema} PRAGMA user_version = {form}; COMMIT;"))?;
    }
    Ok(connection)
}

fn open_reader(path: &PathBuf) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.execute_batch("PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;")?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn write_groups(connection: Connection, mut queue: mpsc::Receiver<Box<dyn Write>>, counts: &Counts) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = VecDeque::from([first]);
        while group.len() < GROUP {
            let Ok(next) = queue.try_recv() else { break };
            group.push_back(next);
        }
        // Nobody waits for them any more: they were given up, and shall not happen behind anybody's back.
        group.retain(|write| !write.abandoned());
        let Err(error) = commit(&connection, group.make_contiguous()) else {
            counts.groups.fetch_add(1, Ordering::Relaxed);
            counts.writes.fetch_add(group.len() as u64, Ordering::Relaxed);
            group.into_iter().for_each(Write::committed);
            continue;
        };
        if group.len() == 1 {
            group.into_iter().for_each(|write| write.failed(&error));
            continue;
        }
        // One of them spoilt the group: alone, it can only spoil itself.
        for mut write in group {
            match commit(&connection, std::slice::from_mut(&mut write)) {
                Ok(()) => {
                    counts.groups.fetch_add(1, Ordering::Relaxed);
                    counts.writes.fetch_add(1, Ordering::Relaxed);
                    write.committed();
                }
                Err(error) => write.failed(&error),
            }
        }
    }
}

fn commit(connection: &Connection, group: &mut [Box<dyn Write>]) -> rusqlite::Result<()> {
    if group.is_empty() {
        return Ok(());
    }
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let tried = group.iter_mut().try_for_each(|write| write.attempt(connection));
    let ended = tried.and_then(|()| connection.prepare_cached("COMMIT")?.execute([]).map(drop));
    if ended.is_err() && !connection.is_autocommit() {
        // It fails only where SQLite has rolled back by itself.
        let _ = connection.execute_batch("ROLLBACK");
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY) STRICT;";

    fn insert(n: i64) -> impl FnMut(&Connection) -> rusqlite::Result<usize> + Send {
        move |c| c.execute("INSERT INTO t VALUES (?1)", [n])
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_failing_write_spoils_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path(), "t.db", SCHEMA, 256).unwrap();
        let writes: Vec<_> = (0..100)
            .map(|n| {
                let database = database.clone();
                // Every tenth repeats the number before it, and is refused by the table.
                let value = if n % 10 == 9 { n - 1 } else { n };
                tokio::spawn(async move { database.write(insert(value)).await.is_ok() })
            })
            .collect();
        let mut good = 0;
        for write in writes {
            good += i64::from(write.await.unwrap());
        }
        let stored: i64 =
            database.read(|c| c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))).await.unwrap();
        assert_eq!((good, stored), (90_i64, 90));
    }

    #[test]
    fn a_file_of_another_form_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let open = |schema| Database::open(folder.path(), "t.db", schema, 1).map(drop);
        open(SCHEMA).unwrap();
        open(SCHEMA).unwrap();
        let other = open("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, m INTEGER) STRICT;").unwrap_err();
        assert!(matches!(other, ShopError::OtherVersion { .. }), "{other}");
        open(SCHEMA).unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_queue_sheds_and_an_abandoned_write_does_not_happen() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path(), "t.db", SCHEMA, 1).unwrap();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let (entered, mut inside) = mpsc::unbounded_channel();
        let busy = tokio::spawn({
            let database = database.clone();
            async move {
                let block = move |_: &Connection| {
                    let _ = entered.send(());
                    let _ = wait.recv();
                    Ok(())
                };
                database.write(block).await
            }
        });
        inside.recv().await.unwrap();
        let given_up = tokio::spawn({
            let database = database.clone();
            async move { database.write(insert(1)).await }
        });
        while database.queued() < 1 {
            tokio::task::yield_now().await;
        }
        let shed = database.write(insert(2)).await.unwrap_err();
        assert_eq!((shed.status.as_u16(), shed.retry_after), (503, Some(1)));
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
        release.send(()).unwrap();
        busy.await.unwrap().unwrap();
        database.write_patiently(insert(3)).await.unwrap();
        let stored: Vec<i64> =
            database.read(|c| c.prepare("SELECT n FROM t")?.query_map([], |row| row.get(0))?.collect()).await.unwrap();
        assert_eq!(stored, [3]);
    }
}
