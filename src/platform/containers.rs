//! Containers run already, and only those that carry the label are touched.

use super::PlatformError;
use crate::base::host::Docker;
use crate::plan::Container;

/// Whether all of them are there and may be touched, before anything is started.
pub(super) async fn check(containers: &[Container]) -> Result<(), PlatformError> {
    for one in containers {
        let (docker, name) = (Docker::at(&one.socket), one.container.clone());
        let asked = tokio::task::spawn_blocking(move || docker.allowed(&name)).await;
        let found = asked.map_err(std::io::Error::other).and_then(|found| found);
        found.map_err(|why| PlatformError::Container { container: one.name.clone(), why })?;
    }
    Ok(())
}
