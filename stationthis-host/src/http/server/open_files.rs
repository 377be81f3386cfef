//! Each connection is an open file, and systems allow a process few of them unless it asks for more.

/// What a host holds open besides its clients' connections, with room to spare: the database and its readers, calls to
/// services and to those who are told, files on their way.
const OTHER_FILES: u64 = 512;

/// Asks the system for as many open files as `connections` need; how many connections there can be.
#[cfg(unix)]
pub(super) fn allow(connections: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    let has = getrlimit(Resource::Nofile);
    let mut allowed = has.current.unwrap_or(u64::MAX);
    if allowed < needed {
        // Not to what is possible at most: some programs walk through all numbers up to their limit.
        let wanted = has.maximum.unwrap_or(u64::MAX).min(needed);
        match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: has.maximum }) {
            Ok(()) => allowed = wanted,
            Err(error) => tracing::debug!(%error, "the limit of open files stays"),
        }
    }
    let possible = fitting(allowed, connections);
    if possible < connections {
        tracing::warn!(
            allowed,
            needed,
            possible,
            "few files may be open (ulimit -n): fewer clients are served at a time"
        );
    }
    possible
}

/// Where the system has no such limit.
#[cfg(not(unix))]
pub(super) const fn allow(connections: usize) -> usize {
    connections
}

/// At least a few, and half of what is allowed where that is little.
#[cfg(unix)]
fn fitting(allowed: u64, connections: usize) -> usize {
    let room = allowed.saturating_sub(OTHER_FILES).max(allowed / 2).max(1);
    usize::try_from(room).unwrap_or(usize::MAX).min(connections)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        assert_eq!(fitting(1_000_000, 2048), 2048);
        assert_eq!(fitting(2048 + OTHER_FILES, 2048), 2048);
        assert_eq!(fitting(2047 + OTHER_FILES, 2048), 2047);
        assert_eq!(fitting(256, 2048), 128);
        assert_eq!(fitting(0, 2048), 1);
        assert!(allow(16) >= 1);
    }
}
