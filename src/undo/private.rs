//! Private folders: made by us, named and marked as ours, and nothing but such a folder is ever removed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::UndoError;
use super::action::{Action, quoted};
use crate::base::host::{Identity, Marker, mounts_below};

const PREFIX: &str = "peakdrill-";
const TOKEN: &str = ".peakdrill";

/// Where the private folder of a run lies; not made yet.
pub(super) fn place(marker: &Marker) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("{PREFIX}{}-{}", marker.run.replace('/', "_"), marker.harness));
    // TMPDIR may be relative, and whoever undoes this works somewhere else.
    std::path::absolute(&folder).unwrap_or(folder)
}

/// Makes it, for us alone, and marks it. It must not be there yet.
pub(super) fn create(folder: &Path, token: &str) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)?;
    let marked = File::create_new(folder.join(TOKEN)).and_then(|mut file| file.write_all(token.as_bytes()));
    if marked.is_err() {
        // A full disk: half of it must not stay.
        let _ = fs::remove_file(folder.join(TOKEN));
        let _ = fs::remove_dir(folder);
    }
    marked
}

/// A private folder in the system's place for temporary things that goes with its maker: removed when this is dropped.
/// Should the harness die, its mark tells `recover` whose it was; a journal is told of it with [`Scratch::undo`].
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    token: String,
}

impl Scratch {
    /// One of that name for each harness.
    pub fn make(name: &str) -> Result<Scratch, UndoError> {
        let marker = Marker { run: name.to_owned(), harness: Identity::own(), process: "folder".to_owned() };
        let (folder, token) = (place(&marker), marker.to_string());
        match create(&folder, &token) {
            Ok(()) => Ok(Scratch { folder, token }),
            Err(source) => Err(UndoError::NoFolder { path: folder, source }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }

    pub fn undo(&self) -> Action {
        Action::RemoveFolder { folder: self.folder.clone(), token: self.token.clone() }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays carries the mark of a harness that will be dead: `residue` names it.
        let _ = remove(&self.folder, &self.token);
    }
}

/// Removes it if it is what we made: a real folder, with our token in it or nothing at all. Symbolic links in it are
/// removed, never followed. Fine when it is gone already.
pub(super) fn remove(folder: &Path, token: &str) -> io::Result<()> {
    let meta = match folder.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if !meta.is_dir() {
        return Err(io::Error::other("it is not a folder any more, so it is not the one that was made"));
    }
    if let [first, ..] = mounts_below(folder).as_slice() {
        return Err(io::Error::other(format!("something is mounted on {}", first.display())));
    }
    let marked = match fs::read(folder.join(TOKEN)) {
        // A crash within `create` leaves an empty token, or none.
        Ok(found) => found.is_empty() || found == token.as_bytes(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::read_dir(folder)?.next().is_none(),
        Err(error) => return Err(error),
    };
    if !marked {
        return Err(io::Error::other("it does not hold this run's token, so it is not the one that was made"));
    }
    // The token goes last: whoever is interrupted here can be followed by another.
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == TOKEN {
            continue;
        }
        let removed =
            if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        ignore_gone(removed)?;
    }
    ignore_gone(fs::remove_file(folder.join(TOKEN)))?;
    ignore_gone(fs::remove_dir(folder))
}

/// Those of any run in the system's place for temporary things, with their tokens.
pub(super) fn all() -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| {
            let token = fs::read_to_string(entry.path().join(TOKEN)).ok().filter(|token| !token.is_empty());
            Some((entry.path(), token.or_else(|| named(&entry.path()))?))
        })
        .collect()
}

/// The token that a folder was to get whose maker died before it had written it: its name tells, as long as nothing else
/// is in it.
fn named(folder: &Path) -> Option<String> {
    let mut inside = fs::read_dir(folder).ok()?;
    if inside.any(|entry| entry.is_ok_and(|entry| entry.file_name() != TOKEN)) {
        return None;
    }
    let (run, harness) = folder.file_name()?.to_str()?.strip_prefix(PREFIX)?.rsplit_once('-')?;
    Some(Marker { run: run.to_owned(), harness: harness.parse().ok()?, process: "folder".to_owned() }.to_string())
}

pub(super) fn remove_by_hand(folder: &Path) -> String {
    let unmount: String =
        mounts_below(folder).iter().rev().map(|mount| format!("umount {}; ", quoted(mount))).collect();
    let path = quoted(folder);
    format!("{unmount}rm -rf -- {path} || {{ chattr -R -ia -- {path}; rm -rf -- {path}; }}")
}

fn ignore_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_we_made_is_removed_and_links_are_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let foreign = home.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("precious"), "x").unwrap();

        let ours = home.path().join("ours");
        create(&ours, "token").unwrap();
        assert!(create(&ours, "token").is_err(), "never somebody else's folder");
        fs::create_dir(ours.join("deep")).unwrap();
        symlink(&foreign, ours.join("deep/link")).unwrap();
        symlink(&foreign, ours.join("link")).unwrap();
        assert!(remove(&ours, "another token").is_err());
        assert!(ours.join("deep").exists());
        remove(&ours, "token").unwrap();
        assert!(!ours.exists());
        remove(&ours, "token").unwrap();

        assert!(remove(&foreign, "token").is_err());
        symlink(&foreign, &ours).unwrap();
        assert!(remove(&ours, "token").is_err());
        assert!(foreign.join("precious").exists());
    }

    #[test]
    fn one_half_made_or_half_removed_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let ours = home.path().join("ours");
        fs::create_dir(&ours).unwrap();
        remove(&ours, "token").unwrap();
        assert!(!ours.exists());
        create(&ours, "token").unwrap();
        fs::write(ours.join(TOKEN), "").unwrap();
        remove(&ours, "token").unwrap();
        assert!(!ours.exists());
    }

    #[test]
    fn one_that_goes_with_its_maker_is_known_by_its_mark_and_a_look_alike_is_not() {
        let scratch = Scratch::make("private-test").unwrap();
        let ours = scratch.path().to_owned();
        assert!(ours.is_absolute() && Scratch::make("private-test").is_err());
        let known = |folder: &Path| all().into_iter().find(|(other, _)| other == folder).map(|(_, token)| token);
        let token = known(&ours).unwrap();
        assert_eq!(token.parse::<Marker>().unwrap().harness, Identity::own());
        // Killed before it was marked, and marked by nobody but with something in it.
        fs::write(ours.join(TOKEN), "").unwrap();
        assert_eq!(known(&ours), Some(token.clone()));
        fs::remove_file(ours.join(TOKEN)).unwrap();
        assert_eq!(known(&ours), Some(token.clone()));
        fs::write(ours.join("precious"), "x").unwrap();
        assert_eq!(known(&ours), None);
        drop(scratch);
        assert!(ours.join("precious").exists(), "without a mark it is not ours");
        fs::write(ours.join(TOKEN), &token).unwrap();
        remove(&ours, &token).unwrap();
        assert!(!ours.exists());
    }

    #[test]
    fn the_command_by_hand_removes_it() {
        let home = tempfile::tempdir().unwrap();
        let ours = home.path().join("it's ours");
        create(&ours, "token").unwrap();
        let command = remove_by_hand(&ours);
        assert!(std::process::Command::new("sh").args(["-c", &command]).status().unwrap().success());
        assert!(!ours.exists());
    }
}
