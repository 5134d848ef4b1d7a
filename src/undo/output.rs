//! What processes have printed, which may hold secrets: it goes straight to files, so that no process ever waits for the
//! harness and all of it outlives a dead one; what is secret in it is taken out once the processes are gone.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::base::template::Masker;

/// How the names of drafts begin.
const DRAFT: &str = ".masked-";

/// Takes the secrets out of every file of `folder`, each replaced whole or not at all. Fine when it is not there.
pub(super) fn mask(folder: &Path, secrets: &Masker) -> io::Result<()> {
    for path in files(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(DRAFT) {
            fs::remove_file(&path)?;
            continue;
        }
        // Looked through first: most have nothing to hide, and need no room for a second one.
        if !secrets.copy(File::open(&path)?, io::sink())? {
            continue;
        }
        let draft = folder.join(format!("{DRAFT}{name}"));
        let written = File::create(&draft).and_then(|file| {
            let mut file = BufWriter::new(file);
            secrets.copy(File::open(&path)?, &mut file)?;
            file.flush()?;
            file.get_ref().sync_data()?;
            fs::rename(&draft, &path)
        });
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written?;
    }
    Ok(())
}

/// Removes the files: for those who do not know what is secret in them.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    files(folder)?.into_iter().try_for_each(fs::remove_file)
}

/// Regular files only: links are not followed.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
