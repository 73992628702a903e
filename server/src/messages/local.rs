//! Mails that stay on this machine, for development.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use gatelodge_core::{
    messages::{Outgoing, SendError, Sender},
    provider::MessageChannel,
};
use lettre::message::Mailbox;

use super::mail::compose;

/// Puts each mail into a folder, as a file `<id>.eml` that mail programs open.
/// Sorted by name, later ones come last.
pub(crate) struct FolderSender {
    pub(crate) folder: PathBuf,
    pub(crate) sender: Mailbox,
}

#[async_trait]
impl Sender for FolderSender {
    fn channel(&self) -> MessageChannel {
        MessageChannel::Mail
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let mail = compose(&self.sender, outgoing).map_err(|e| SendError::Never(e.to_string()))?;
        let file = self.folder.join(format!("{}.eml", outgoing.id));
        let (folder, shown) = (self.folder.clone(), file.clone());
        let written = tokio::task::spawn_blocking(move || write(&folder, &file, &mail.formatted()));
        match written.await {
            Ok(Ok(())) => {
                let file = shown.display();
                tracing::info!(%file, "a mail was put into the folder for mails");
                Ok(())
            }
            Ok(Err(error)) => Err(SendError::Later(format!(
                "the folder for mails cannot be used: {error}"
            ))),
            Err(_) => Err(SendError::Later("the mail was not written".to_owned())),
        }
    }
}

/// Nobody else may read it: links and codes are in it.
fn write(folder: &Path, file: &Path, mail: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let draft = file.with_extension("part");
    let mut open = fs::OpenOptions::new();
    open.write(true).create(true).truncate(true).mode(0o600);
    open.open(&draft)?.write_all(mail)?;
    fs::rename(&draft, file)
}

/// Prints each mail's text.
pub(crate) struct ConsoleSender;

#[async_trait]
impl Sender for ConsoleSender {
    fn channel(&self) -> MessageChannel {
        MessageChannel::Mail
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let rendered = &outgoing.rendered;
        let text = format!(
            "\n==== a mail to {}: {}\n{}====\n",
            outgoing.to,
            rendered.subject,
            rendered.text.expose()
        );
        // Whoever closed the output does not want to see mails.
        let _unseen = io::stdout().write_all(text.as_bytes());
        Ok(())
    }
}
