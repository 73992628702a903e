//! A small disk in memory. Only root can make one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A file system in memory, gone when this is dropped.
#[derive(Debug)]
pub struct Tmpfs {
    path: PathBuf,
}

impl Tmpfs {
    /// One of so many KiB at an empty folder, which is made; none if this account may not.
    pub fn mount(path: &Path, kib: u64) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let size = format!("size={kib}k,mode=0700");
        let made = mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], path);
        made.then(|| Self {
            path: path.to_owned(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it another size.
    pub fn resize(&self, kib: u64) {
        assert!(mount(&["-o", &format!("remount,size={kib}k")], &self.path));
    }

    /// Lets nobody write to it, or lets them again.
    pub fn read_only(&self, is_read_only: bool) {
        let how = if is_read_only {
            "remount,ro"
        } else {
            "remount,rw"
        };
        assert!(mount(&["-o", how], &self.path));
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // At once if nobody uses it, otherwise when nobody does any more.
        Command::new("umount")
            .arg("--lazy")
            .arg(&self.path)
            .status()
            .ok();
    }
}

fn mount(arguments: &[&str], path: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(path).output();
    output.is_ok_and(|output| output.status.success())
}
