//! Files of keys that are rotated.

use std::fs::{self, File};
use std::io::{ErrorKind as IoKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use stationthis_core::notify::SigningKeys;
use stationthis_core::webhook::CallbackKeys;
use stationthis_core::{Error, ErrorKind, Result, Secret, Timestamp};

use crate::data_dir::{make, private, unavailable};

/// Keys of one file, the ended ones too: more rotations than that within [`ROTATED_KEPT`] are a mistake.
const KEYS_MAX: usize = 32;

/// Many keys' worth; more is not a key file.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// How long a key that was replaced still counts. A callback URL lives for a task's longest deadline, a week, and an
/// hour; and a receiver of webhooks has the same time to take its new secret.
pub const ROTATED_KEPT: Duration = Duration::from_secs(8 * 24 * 3600);

/// What stands for the key in the line of a revoked one.
const REVOKED: &str = "revoked";

/// A file of keys within a data folder, mode 0600.
///
/// A line is `ID KEY CREATED UNTIL`, the newest key first; the times may be missing, and `revoked` stands for a key that
/// was revoked. A host reads it at its start: what is changed here holds from its next start on. No lock of the folder
/// is needed.
#[derive(Debug)]
pub struct KeyFile {
    folder: PathBuf,
    name: &'static str,
    /// Ids are this letter and a number.
    letter: char,
    generate: fn() -> Result<Secret>,
}

/// The keys of one [`KeyFile`].
#[derive(Debug, Default)]
pub struct StoredKeys(Vec<StoredKey>);

/// A key with its times.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredKey {
    /// Its name, such as `k1`.
    pub id: String,
    /// `None` once it was revoked.
    key: Option<Secret>,
    /// When it was made, where that is known.
    pub created_at: Option<Timestamp>,
    /// When it ends, or was revoked.
    pub until: Option<Timestamp>,
}

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It signs what is made from now on.
    Signs,
    /// It was replaced, and counts until its end.
    Kept,
    /// It counts no more.
    Ended,
    /// It was revoked.
    Revoked,
}

impl KeyState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signs => "signs",
            Self::Kept => "kept",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
        }
    }
}

impl KeyFile {
    /// The keys of callback URLs: `callback-keys`.
    #[must_use]
    pub fn callback(folder: &Path) -> Self {
        let generate = || CallbackKeys::generate().map(|(_, key)| key);
        Self { folder: folder.to_owned(), name: "callback-keys", letter: 'k', generate }
    }

    /// The master keys of outgoing webhooks: `webhook-keys`.
    #[must_use]
    pub fn webhooks(folder: &Path) -> Self {
        let generate = || Ok(SigningKeys::generate());
        Self { folder: folder.to_owned(), name: "webhook-keys", letter: 'w', generate }
    }

    /// Reads the keys; where there is no file yet, makes it with a first key.
    ///
    /// # Errors
    /// `Corrupt` when the file cannot be understood, `StoreUnavailable` when it cannot be read or written.
    pub fn open(&self) -> Result<StoredKeys> {
        match self.read()? {
            Some(keys) => Ok(keys),
            None => self.change(|_| Ok(())),
        }
    }

    /// Makes a new key that signs from now on; the former one still counts for [`ROTATED_KEPT`].
    ///
    /// # Errors
    /// As [`open`](Self::open), and `Conflict` for more than 32 keys.
    pub fn rotate(&self, now: Timestamp) -> Result<StoredKeys> {
        self.change(|keys| {
            let end = now.plus(ROTATED_KEPT);
            for key in &mut keys.0 {
                key.until = key.until.or(Some(end));
            }
            // What ended as long ago as a kept key lasts can be of no interest to anybody.
            keys.0.retain(|key| key.until.is_none_or(|until| until.plus(ROTATED_KEPT) > now));
            if keys.0.len() >= KEYS_MAX {
                return Err(Error::new(ErrorKind::Conflict, "rotate keys")
                    .with_message(format!("{} has {KEYS_MAX} keys already.", self.path().display())));
            }
            self.add(keys, now)
        })
    }

    /// Ends a key at once and deletes it from the file. A new one is made when it was the one that signs.
    ///
    /// # Errors
    /// As [`open`](Self::open), and `NotFound` when no such key counts.
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<StoredKeys> {
        self.change(|keys| {
            let found = keys.0.iter_mut().find(|key| key.id == id && key.counts(now));
            let key = found.ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "revoke key").with_message(format!("No key {id:?} counts now."))
            })?;
            (key.key, key.until) = (None, Some(now));
            let signs = keys.0.iter().any(|key| key.key.is_some() && key.until.is_none());
            if signs { Ok(()) } else { self.add(keys, now) }
        })
    }

    fn add(&self, keys: &mut StoredKeys, now: Timestamp) -> Result<()> {
        let number = |key: &StoredKey| key.id.get(1..).and_then(|text| text.parse::<u32>().ok());
        let id = keys.0.iter().filter_map(number).max().unwrap_or(0).saturating_add(1);
        let id = format!("{}{id}", self.letter);
        keys.0.insert(0, StoredKey { id, key: Some((self.generate)()?), created_at: Some(now), until: None });
        Ok(())
    }

    /// Reads, changes and writes, alone: two at once would lose the keys of one.
    fn change(&self, change: impl FnOnce(&mut StoredKeys) -> Result<()>) -> Result<StoredKeys> {
        make(&self.folder)?;
        let path = self.path();
        let failed = |e: std::io::Error| unavailable(&path, e);
        let lock = private().create(true).truncate(false).open(path.with_extension("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut keys = match self.read()? {
            Some(keys) => keys,
            None => {
                let mut keys = StoredKeys::default();
                self.add(&mut keys, Timestamp::now())?;
                keys
            }
        };
        change(&mut keys)?;
        write_private(&path, &keys.to_text()).map_err(failed)?;
        Ok(keys)
    }

    fn read(&self) -> Result<Option<StoredKeys>> {
        let path = self.path();
        let mut text = String::new();
        match File::open(&path) {
            Ok(file) => file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|e| unavailable(&path, e))?,
            Err(e) if e.kind() == IoKind::NotFound => return Ok(None),
            Err(e) => return Err(unavailable(&path, e)),
        };
        StoredKeys::parse(&text).map(Some).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "read keys")
                .with_message(format!("{} does not hold lines of `ID KEY CREATED UNTIL`.", path.display()))
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.join(self.name)
    }
}

impl StoredKeys {
    /// Every key with what it is good for, the newest first.
    pub fn iter(&self, now: Timestamp) -> impl Iterator<Item = (&StoredKey, KeyState)> {
        let signs = self.0.iter().position(|key| key.counts(now));
        self.0.iter().enumerate().map(move |(at, key)| {
            let state = match &key.key {
                None => KeyState::Revoked,
                Some(_) if signs == Some(at) => KeyState::Signs,
                Some(_) if key.counts(now) => KeyState::Kept,
                Some(_) => KeyState::Ended,
            };
            (key, state)
        })
    }

    /// The keys that count now, for callback URLs.
    ///
    /// # Errors
    /// `Corrupt` when none is there or one is unusable.
    pub fn callback_keys(&self, now: Timestamp) -> Result<CallbackKeys> {
        self.fold(now, |keys: Option<CallbackKeys>, id, key, until| match keys {
            None => CallbackKeys::new(id, key),
            Some(keys) => keys.with_older(id, key, until),
        })
    }

    /// The keys that count now, for signing webhooks.
    ///
    /// # Errors
    /// `Corrupt` when none is there or one is unusable.
    pub fn signing_keys(&self, now: Timestamp) -> Result<SigningKeys> {
        self.fold(now, |keys: Option<SigningKeys>, _, key, until| match keys {
            None => SigningKeys::new(key),
            Some(keys) => keys.with_older(key, until),
        })
    }

    fn fold<T>(
        &self,
        now: Timestamp,
        add: impl Fn(Option<T>, &str, Secret, Option<Timestamp>) -> Result<T>,
    ) -> Result<T> {
        let unusable =
            || Error::new(ErrorKind::Corrupt, "use keys").with_message("A file of keys holds no usable key.");
        let counting = self.0.iter().filter(|key| key.counts(now));
        let all = counting.filter_map(|key| Some((key, key.key.clone()?))).try_fold(None, |keys, (key, secret)| {
            add(keys, &key.id, secret, key.until).map(Some).map_err(|e| unusable().with_source(e))
        });
        all?.ok_or_else(unusable)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let keys: Vec<StoredKey> = lines.map(StoredKey::parse).collect::<Option<_>>()?;
        let mut ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        (!keys.is_empty() && ids.len() == keys.len()).then_some(Self(keys))
    }

    fn to_text(&self) -> String {
        let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let lines = self.0.iter().map(|key| {
            let secret = key.key.as_ref().map_or(REVOKED, Secret::expose);
            format!("{} {secret} {} {}\n", key.id, time(key.created_at), time(key.until))
        });
        lines.collect()
    }
}

impl StoredKey {
    fn counts(&self, now: Timestamp) -> bool {
        self.key.is_some() && self.until.is_none_or(|until| now < until)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (id, key) = (words.next()?.to_owned(), words.next()?);
        let mut time = || match words.next() {
            None | Some("-") => Some(None),
            Some(text) => text.parse().ok().map(Some),
        };
        let (created_at, until) = (time()?, time()?);
        let key = (key != REVOKED).then(|| Secret::new(key));
        (words.next().is_none() && (key.is_some() || until.is_some())).then_some(Self { id, key, created_at, until })
    }
}

/// Whole or not at all: a key file that was cut short would refuse every callback after the next start.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut file = private().create(true).truncate(true).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(part, path)
}

#[cfg(test)]
mod tests;
