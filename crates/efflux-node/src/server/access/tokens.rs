//! A file of tokens.
//!
//! ```toml
//! [[token]]
//! id = "3f2a9c01"
//! name = "billing"
//! sha256 = "…"                            # of the secret, which nobody has but its owner
//! created = "2026-01-01T00:00:00Z"
//! expires = "2027-01-01T00:00:00Z"        # may be left out
//! requests_per_second = 100               # may be left out
//! permissions = ["consume:orders", "append:invoices.*"]
//!
//! [[certificate]]
//! name = "billing.example"                # a name of a host that the certificate is for
//! requests_per_second = 100               # may be left out
//! permissions = ["consume:orders"]
//! ```

use std::fs;
use std::io::{ErrorKind as IoKind, Write};
use std::path::Path;

use efflux_flow::particle::{PayloadHash, Timestamp};
use efflux_flow::storage::{Error, Result};
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::certificate::{Certificate, CertificateForm, Certified};
use super::identity::CERTIFICATE;
use super::permission::Permission;
use super::secret;

/// Most bytes of a file of tokens: 1 MiB, some thousands.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Tokens of one node.
#[derive(Debug, Default)]
pub struct Tokens {
    all: Vec<Token>,
    certificates: Vec<Certificate>,
}

/// A token, without its secret.
#[derive(Debug)]
pub struct Token {
    /// What it is called by.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is not valid.
    pub expires: Option<Timestamp>,
    /// Requests a second at most.
    pub requests_per_second: Option<u32>,
    /// What it allows.
    pub permissions: Vec<Permission>,
    hash: PayloadHash,
    pub(super) bucket: Bucket,
}

/// What a new token is to be.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// From when on it is not valid.
    pub expires: Option<Timestamp>,
    /// Requests a second at most.
    pub requests_per_second: Option<u32>,
    /// What it allows.
    pub permissions: Vec<Permission>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    token: Vec<TokenForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    certificate: Vec<CertificateForm>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenForm {
    id: String,
    name: String,
    sha256: String,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_second: Option<u32>,
    permissions: Vec<Permission>,
}

impl Tokens {
    /// Reads a file of tokens; none when there is no file.
    ///
    /// # Errors
    /// `Invalid` when it holds something else, `Unavailable` when it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let refuse = |why: String| Error::invalid(format!("tokens {}: {why}", path.display()));
        match fs::metadata(path) {
            Err(error) if error.kind() == IoKind::NotFound => return Ok(Self::default()),
            Ok(found) if found.len() > FILE_BYTES_MAX => {
                return Err(refuse(format!("more than {FILE_BYTES_MAX} bytes")));
            }
            _ => {}
        }
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| Error::io(format!("read {}", path.display()), error))?;
        let form: FileForm = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        let all = form.token.into_iter().map(Token::try_from);
        let all: Vec<Token> = all
            .collect::<Result<_>>()
            .map_err(|error| refuse(error.to_string()))?;
        let certificates = form.certificate.into_iter().map(Certificate::from);
        Ok(Self {
            all,
            certificates: certificates.collect(),
        })
    }

    /// Changes a file of tokens, and returns them as they are then. Two that do so at once do it one
    /// after the other.
    ///
    /// # Errors
    /// As for [`Tokens::read`] and [`Tokens::write`], and what `change` returns; nothing was changed
    /// then.
    pub fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<(Self, T)> {
        // The folder is locked, because the file itself is replaced.
        let failed = |error| Error::io(format!("lock the folder of {}", path.display()), error);
        let folder = fs::File::open(folder_of(path)).map_err(failed)?;
        folder.lock().map_err(failed)?;
        let mut tokens = Self::read(path)?;
        let changed = change(&mut tokens)?;
        tokens.write(path)?;
        Ok((tokens, changed))
    }

    /// Writes the file anew: a crash leaves the one or the other. A new file is readable for its
    /// owner alone; one that was there keeps its owner, its group and who may read it.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let failed = |error| Error::io(format!("write {}", path.display()), error);
        let form = FileForm {
            token: self.all.iter().map(TokenForm::from).collect(),
            certificate: self.certificates.iter().map(|it| it.form.clone()).collect(),
        };
        let text = toml::to_string(&form).map_err(|error| Error::invalid(error.to_string()))?;
        let beside = path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside).map_err(failed)?;
        if let Ok(before) = fs::metadata(path) {
            keep_owner(&file, &before).map_err(failed)?;
        }
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&beside, path).map_err(failed)?;
        let folder = fs::File::open(folder_of(path)).map_err(failed)?;
        folder.sync_all().map_err(failed)
    }

    /// All tokens, in the order in which they were made.
    #[must_use]
    pub fn all(&self) -> &[Token] {
        &self.all
    }

    /// Adds a token, and returns its id and its secret, which cannot be had again.
    ///
    /// # Errors
    /// `Unavailable` when the system has no randomness.
    pub fn add(&mut self, token: NewToken, now: Timestamp) -> Result<(String, String)> {
        let fresh = secret::fresh()?;
        self.all.push(Token {
            id: fresh.id.clone(),
            name: token.name,
            created: now,
            expires: token.expires,
            requests_per_second: token.requests_per_second,
            permissions: token.permissions,
            hash: fresh.hash,
            bucket: Bucket::new(token.requests_per_second),
        });
        Ok((fresh.id, fresh.secret))
    }

    /// Takes a token away.
    ///
    /// # Errors
    /// `NotFound` when there is none with this id.
    pub fn revoke(&mut self, id: &str) -> Result<()> {
        let before = self.all.len();
        self.all.retain(|token| token.id != id);
        match self.all.len() < before {
            true => Ok(()),
            false => Err(Error::not_found(format!("there is no token {id}"))),
        }
    }

    /// The token with this secret, if it is valid at that time.
    pub(super) fn identify(&mut self, secret: &str, now: Timestamp) -> Option<&mut Token> {
        let id = secret::id_of(secret)?;
        let token = self.all.iter_mut().find(|token| token.id == id)?;
        (secret::is_of(secret, &token.hash) && token.is_valid(now)).then_some(token)
    }

    /// What the owner of a token or certificate may do at that time, by the name of its identity.
    pub(super) fn permissions(&self, name: &str, now: Timestamp) -> Option<&[Permission]> {
        if let Some(name) = name.strip_prefix(CERTIFICATE) {
            let mut certificates = self.certificates.iter();
            let certificate = certificates.find(|it| it.form.name == name)?;
            return Some(&certificate.form.permissions);
        }
        let token = self.all.iter().find(|token| token.id == name)?;
        token.is_valid(now).then_some(&token.permissions)
    }

    /// What is said of the owner of a certificate: the first that names it.
    pub(super) fn certified(&mut self, certified: &Certified) -> Option<&mut Certificate> {
        let mut certificates = self.certificates.iter_mut();
        certificates.find(|certificate| certificate.is_of(certified))
    }

    /// Goes on counting requests where an earlier reading of the file stood.
    pub(super) fn keep_rates(&mut self, earlier: &Self) {
        for token in &mut self.all {
            if let Some(before) = earlier.all.iter().find(|before| before.id == token.id) {
                token.bucket = token.bucket.or_rest_of(before.bucket);
            }
        }
        for certificate in &mut self.certificates {
            certificate.keep_rate(&earlier.certificates);
        }
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Gives a file the owner, the group and the mode of the one that it replaces, so that who could read
/// that can read this.
#[cfg(unix)]
fn keep_owner(file: &fs::File, before: &fs::Metadata) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
        fchown(file, Some(before.uid()), Some(before.gid()))?;
    }
    file.set_permissions(before.permissions())
}

#[cfg(not(unix))]
fn keep_owner(_file: &fs::File, _before: &fs::Metadata) -> std::io::Result<()> {
    Ok(())
}

impl Token {
    fn is_valid(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl TryFrom<TokenForm> for Token {
    type Error = Error;

    fn try_from(form: TokenForm) -> Result<Self> {
        let refuse = |what: &str| Error::invalid(format!("token {}: {what}", form.id));
        let time = |text: &str| text.parse().map_err(|_| refuse("a time is none"));
        Ok(Self {
            created: time(&form.created)?,
            expires: form.expires.as_deref().map(time).transpose()?,
            hash: form.sha256.parse().map_err(|_| refuse("sha256 is none"))?,
            bucket: Bucket::new(form.requests_per_second),
            id: form.id,
            name: form.name,
            requests_per_second: form.requests_per_second,
            permissions: form.permissions,
        })
    }
}

impl From<&Token> for TokenForm {
    fn from(token: &Token) -> Self {
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            sha256: token.hash.to_string(),
            created: token.created.to_string(),
            expires: token.expires.map(|expires| expires.to_string()),
            requests_per_second: token.requests_per_second,
            permissions: token.permissions.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(expires: Option<i64>) -> NewToken {
        NewToken {
            name: "billing".to_owned(),
            expires: expires.map(Timestamp::from_nanos),
            requests_per_second: None,
            permissions: vec!["read:*".parse().unwrap()],
        }
    }

    #[test]
    fn tokens_are_kept_without_their_secrets_and_known_by_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let now = Timestamp::from_nanos(5);
        let mut tokens = Tokens::read(&path).unwrap();
        let (id, secret) = tokens.add(token(None), now).unwrap();
        let (_, short) = tokens.add(token(Some(7)), now).unwrap();
        tokens.write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&secret) && text.contains(&id), "{text}");

        let mut read = Tokens::read(&path).unwrap();
        assert_eq!(read.all().len(), 2);
        assert_eq!(read.identify(&secret, now).unwrap().id, id);
        assert!(read.identify(&short, Timestamp::from_nanos(6)).is_some());
        assert!(read.identify(&short, Timestamp::from_nanos(7)).is_none());
        let altered = secret.replace('0', "1");
        assert!(altered == secret || read.identify(&altered, now).is_none());
        assert!(read.identify("", now).is_none());
        read.revoke(&id).unwrap();
        assert!(read.identify(&secret, now).is_none());
        assert!(read.revoke(&id).is_err());
    }

    #[test]
    fn changes_at_once_are_all_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let now = Timestamp::from_nanos(5);
                    Tokens::change(&path, |tokens| tokens.add(token(None), now)).unwrap()
                })
            })
            .collect();
        let made = threads.into_iter().map(|thread| thread.join().unwrap().1);
        let ids: std::collections::BTreeSet<_> = made.map(|(id, _)| id).collect();
        let read = Tokens::read(&path).unwrap();
        let kept = read.all().iter().map(|token| token.id.clone()).collect();
        assert_eq!((ids.len(), ids), (8, kept));
    }

    #[cfg(unix)]
    #[test]
    fn who_may_read_the_file_still_may_when_it_was_changed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let now = Timestamp::from_nanos(5);
        let (_, (id, _)) = Tokens::change(&path, |tokens| tokens.add(token(None), now)).unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        Tokens::change(&path, |tokens| tokens.revoke(&id)).unwrap();
        assert_eq!(mode(), 0o640);
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        for text in ["token = 1", "[[token]]\nid = \"a\"", "[[tokens]]", "\u{0}"] {
            fs::write(&path, text).unwrap();
            assert!(Tokens::read(&path).is_err(), "{text}");
        }
    }
}
