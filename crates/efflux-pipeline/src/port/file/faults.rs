//! What is wrong with the settings of files.

use super::place::checked;
use super::{FileLayout, FilePortSettings};
use crate::setting_fault::SettingFault;

impl FilePortSettings {
    /// All that is wrong, without looking at the folder.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let has_folder = !self.folder.as_os_str().is_empty();
        faults.extend(SettingFault::unless(
            has_folder,
            "folder",
            "no folder is named",
        ));
        // Whatever stands in its places: what is wrong here is wrong for all messages.
        if let Err(error) = checked(self.path.filled_with("x")) {
            faults.push(SettingFault::from(error).within("path"));
        }
        if self.layout == FileLayout::Each {
            let rotation = [
                ("rotate_bytes", self.rotate_bytes.is_some()),
                ("rotate_after", self.rotate_after.is_some()),
            ];
            let what = "files that hold one message each are not rotated: remove rotate_bytes and \
                        rotate_after, or set layout to append";
            for (name, is_set) in rotation {
                faults.extend(SettingFault::unless(!is_set, name, what));
            }
            let what = "files that hold one message each need names of their own: use {id} in path";
            faults.extend(SettingFault::unless(!self.path.is_fixed(), "path", what));
        }
        let is_some = self.rotate_bytes.is_none_or(|bytes| bytes.0 > 0);
        let what = "a file of 0 bytes: at least 1 is needed";
        faults.extend(SettingFault::unless(is_some, "rotate_bytes", what));
        let is_some = self.rotate_after.is_none_or(|after| !after.0.is_zero());
        let what = "a file of no time: at least 1ms is needed";
        faults.extend(SettingFault::unless(is_some, "rotate_after", what));
        faults
    }
}
