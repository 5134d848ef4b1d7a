//! Starting a process again in two steps, for whoever wants to do something to it before it is ready.

use super::{Happening, PlatformError, Process};

impl Process {
    /// Starts it again at the same address, in the same folder, and does not wait until it is ready.
    pub async fn launch_again(&self) -> Result<(), PlatformError> {
        if !self.is_ours() {
            return Err(PlatformError::NotOurs { process: self.name().to_owned() });
        }
        self.launch().await?;
        self.tell(Happening::Started { process: self.id(), pid: self.pid() });
        Ok(())
    }

    /// Waits until it is ready, and says so; starts it before if nobody of it lives. Gives its process id.
    pub async fn come_up(&self) -> Result<u32, PlatformError> {
        if self.is_gone() {
            self.launch_again().await?;
        }
        self.wait_ready().await?;
        self.tell(Happening::Ready { process: self.id() });
        Ok(self.pid())
    }

    /// Of its first process; 0 where there is none.
    fn pid(&self) -> u32 {
        self.tree().and_then(|tree| tree.root).map_or(0, |root| root.pid)
    }
}
