//! One run's folder: which file lies where.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::RecordError;

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: impl Into<PathBuf>) -> Folder {
        Folder(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The run's id: the folder's own name.
    pub fn run(&self) -> String {
        self.0.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    pub fn plan(&self) -> PathBuf {
        self.0.join("plan.json")
    }

    /// Where each value of the plan came from.
    pub fn origins(&self) -> PathBuf {
        self.0.join("origins.json")
    }

    pub fn events(&self) -> PathBuf {
        self.0.join("events.jsonl")
    }

    pub fn windows(&self) -> PathBuf {
        self.0.join("windows.jsonl")
    }

    pub fn vitals(&self) -> PathBuf {
        self.0.join("vitals.jsonl")
    }

    pub fn histograms(&self) -> PathBuf {
        self.0.join("histograms.hlog")
    }

    pub fn summary(&self) -> PathBuf {
        self.0.join("summary.json")
    }

    /// Where what processes print goes; made with the run's folder.
    pub fn outputs(&self) -> PathBuf {
        self.0.join("output")
    }

    /// Where a process's own output goes.
    pub fn output(&self, process: &str) -> PathBuf {
        self.outputs().join(format!("{process}.log"))
    }

    /// Writes a file of the folder whole or not at all: under another name, then renamed.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, RecordError> {
        let path = self.0.join(name);
        let draft = self.0.join(format!(".{name}.tmp"));
        let written = (|| {
            let mut file = File::create(&draft)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        })();
        match written {
            Ok(()) => Ok(path),
            Err(why) => {
                let _ = fs::remove_file(&draft);
                Err(RecordError::write(&path, why))
            }
        }
    }

    /// Whether its writer is still alive: it holds a lock on the entries' file, and the kernel lets go of it when the
    /// writer dies, however it dies.
    pub fn is_live(&self) -> bool {
        is_locked(&self.events())
    }
}

/// Whether somebody else holds a lock on this file.
pub(super) fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => false,
    }
}

/// A name for a run that sorts by time and can be read: `20261123-214500-NAME-xxxx`.
///
/// `when` is the wall time as `20261123T214500Z` (or with any other marks between the digits); `salt` tells runs of one
/// second apart.
pub fn run_id(when: &str, name: &str, salt: u64) -> String {
    let digits: String = when.chars().filter(char::is_ascii_digit).take(14).collect();
    let (day, time) = digits.split_at(digits.len().min(8));
    let mut slug = String::new();
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 40 {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    let slug = if slug.is_empty() { "drill" } else { slug };
    format!("{day}-{time}-{slug}-{:04x}", salt & 0xffff)
}

/// Whether a name is one that [`run_id`] makes.
pub(super) fn is_run_id(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let [day, time, slug @ .., salt] = parts.as_slice() else { return false };
    let made_of =
        |text: &str, length: usize, part: fn(&u8) -> bool| text.len() == length && text.bytes().all(|b| part(&b));
    made_of(day, 8, u8::is_ascii_digit)
        && made_of(time, 6, u8::is_ascii_digit)
        && made_of(salt, 4, |b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
        && !slug.is_empty()
        && slug
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_sorts_and_reads() {
        assert_eq!(
            run_id("20261123T214500Z", "Pre-sale  peak (双十一)!", 0x0001_2a3f),
            "20261123-214500-pre-sale-peak-2a3f"
        );
        assert_eq!(run_id("2026-11-23 21:45:00", "双十一", 1), "20261123-214500-drill-0001");
        assert!(run_id("20261123T214500Z", "a", 9) < run_id("20261123T214501Z", "a", 1));
        assert_eq!(run_id("", "x", 0), "--x-0000");
    }

    #[test]
    fn an_id_is_known_again() {
        for name in ["Pre-sale  peak (双十一)!", "双十一", "a"] {
            assert!(is_run_id(&run_id("20261123T214500Z", name, 0x0001_2a3f)), "{name}");
        }
        for other in [
            "",
            "sample",
            "20261123-214500",
            "20261123-214500-2a3f",
            "20261123-214500-Peak-2a3f",
            "20261123-214500--2a3f",
            "2026112-214500-peak-2a3f",
            "20261123-214500-peak-2a3g",
            "20261123-214500-peak-2a3f-",
        ] {
            assert!(!is_run_id(other), "{other}");
        }
    }

    #[test]
    fn a_file_is_put_whole() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path());
        folder.put("summary.json", b"{}").unwrap();
        assert_eq!(fs::read(folder.summary()).unwrap(), b"{}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(Folder::new(root.path().join("no")).put("a", b"").is_err());
    }
}
