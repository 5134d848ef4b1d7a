//! One append-only file of lines. A line reaches the kernel in one write, so it outlives a SIGKILL of the writer; the
//! first failure sticks, so that nothing is ever appended after a torn line.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::RecordError;

#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: File,
    lost: Option<RecordError>,
}

impl Lines {
    /// Opens `path` for appending; it is made when it is not there.
    pub(super) fn append_to(path: &Path) -> Result<Lines, RecordError> {
        let file = File::options().append(true).create(true).open(path).map_err(|why| RecordError::write(path, why))?;
        Ok(Lines { path: path.to_owned(), file, lost: None })
    }

    pub(super) fn lock(&self) -> Result<(), RecordError> {
        self.file.try_lock().map_err(|why| RecordError::write(&self.path, why))
    }

    /// Appends whole lines, each ended by a newline.
    pub(super) fn append(&mut self, text: &[u8]) -> Result<(), RecordError> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone());
        }
        self.file.write_all(text).map_err(|why| {
            let lost = RecordError::write(&self.path, why);
            self.lost = Some(lost.clone());
            lost
        })
    }

    /// Waits until the disk has it.
    pub(super) fn sync(&self) -> Result<(), RecordError> {
        self.file.sync_data().map_err(|why| RecordError::write(&self.path, why))
    }
}

/// Whole lines of a file from its beginning; ends at the first that has no newline or is no UTF-8.
#[derive(Debug)]
pub(super) struct WholeLines {
    path: PathBuf,
    file: Option<BufReader<File>>,
    buffer: Vec<u8>,
}

impl WholeLines {
    /// A file that is not there has no lines.
    pub(super) fn of(path: &Path) -> Result<WholeLines, RecordError> {
        let file = match File::open(path) {
            Ok(file) => Some(BufReader::with_capacity(1 << 16, file)),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => None,
            Err(why) => return Err(RecordError::read(path, why)),
        };
        Ok(WholeLines { path: path.to_owned(), file, buffer: Vec::new() })
    }

    pub(super) fn next(&mut self) -> Result<Option<&str>, RecordError> {
        let Some(file) = &mut self.file else { return Ok(None) };
        self.buffer.clear();
        file.read_until(b'\n', &mut self.buffer).map_err(|why| RecordError::read(&self.path, why))?;
        if self.buffer.pop() != Some(b'\n') {
            self.end();
            return Ok(None);
        }
        if std::str::from_utf8(&self.buffer).is_err() {
            self.end();
        }
        Ok(std::str::from_utf8(&self.buffer).ok())
    }

    /// No more lines: what follows cannot be trusted.
    pub(super) fn end(&mut self) {
        self.file = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_now_and_ever_after() {
        let mut lines = Lines::append_to(Path::new("/dev/full")).unwrap();
        let first = lines.append(b"a\n").unwrap_err().to_string();
        assert!(first.contains("No space left"), "{first}");
        lines.file = tempfile::tempfile().unwrap();
        assert_eq!(lines.append(b"b\n").unwrap_err().to_string(), first);
    }
}
