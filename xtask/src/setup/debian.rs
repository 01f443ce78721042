//! Debian packages: installed by root, where there is `apt-get`, and without the services in them
//! being started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::project::Project;
use crate::{Result, process};

/// What the packages' scripts ask before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// Its answer 101: no service is started, which is no failure.
const START_NOTHING: &str = "#!/bin/sh\nexit 101\n";

/// Installs packages; only root can.
pub(super) fn install(project: &Project, packages: &[&str]) -> Result {
    let user = process::output(project.command("id").arg("-u"))?;
    if user.trim() != "0" {
        return Err("only root can install packages".to_owned());
    }
    let _policy = NoServices::declare(Path::new(POLICY))?;
    let apt_get = |arguments: &[&str]| {
        let mut command = project.command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        process::run(command.args(arguments))
    };
    // The lists may be old; if they are good enough, the installation succeeds without new ones.
    let _ = apt_get(&["update", "-q"]);
    apt_get(
        &[
            &["install", "-q", "-y", "--no-install-recommends"],
            packages,
        ]
        .concat(),
    )
}

/// As long as this lives, an installation starts no service: a server on its default port would
/// be in the way of others, and the tests start their own.
struct NoServices<'a> {
    /// The file that was made; `None` where the machine has a policy of its own.
    made: Option<&'a Path>,
}

impl<'a> NoServices<'a> {
    fn declare(policy: &'a Path) -> Result<Self> {
        let folder = policy.parent();
        if policy.exists() || !folder.is_some_and(Path::exists) {
            return Ok(Self { made: None });
        }
        let may_run = fs::Permissions::from_mode(0o755);
        fs::write(policy, START_NOTHING)
            .and_then(|()| fs::set_permissions(policy, may_run))
            .map_err(|error| format!("{}: {error}", policy.display()))?;
        Ok(Self { made: Some(policy) })
    }
}

impl Drop for NoServices<'_> {
    fn drop(&mut self) {
        if let Some(policy) = self.made {
            // It was just written, so it can be removed.
            let _ = fs::remove_file(policy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_declared_for_as_long_as_packages_are_installed() {
        let folder = std::env::temp_dir().join(format!("efflux-policy-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let policy = folder.join("policy-rc.d");
        drop(NoServices::declare(&policy).unwrap());
        assert!(!policy.exists());

        let declared = NoServices::declare(&policy).unwrap();
        assert_eq!(fs::read_to_string(&policy).unwrap(), START_NOTHING);
        // A second one finds a policy and leaves it.
        drop(NoServices::declare(&policy).unwrap());
        assert!(policy.exists());
        drop(declared);
        assert!(!policy.exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
