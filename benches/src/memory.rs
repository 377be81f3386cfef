//! How much memory a process has, from `/proc`: Linux only.

use anyhow::{Context, Result};

/// The resident memory of a process.
#[derive(Clone, Copy, Debug)]
pub struct Resident {
    /// Now, in KiB.
    pub now_kib: u64,
    /// The most since the process began, in KiB.
    pub peak_kib: u64,
    /// The part of `now_kib` that is no file's: heap and stacks, in KiB. The rest is code, which is shared.
    pub anonymous_kib: u64,
    /// Threads.
    pub threads: u64,
}

impl Resident {
    /// Of this process.
    ///
    /// # Errors
    /// Where there is no `/proc`.
    pub fn own() -> Result<Self> {
        Self::read("self")
    }

    /// Of another process.
    ///
    /// # Errors
    /// When there is no such process, or no `/proc`.
    pub fn of(pid: u32) -> Result<Self> {
        Self::read(&pid.to_string())
    }

    fn read(pid: &str) -> Result<Self> {
        let path = format!("/proc/{pid}/status");
        let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.with_context(|| format!("{path} has no {name}"))
        };
        Ok(Self {
            now_kib: field("VmRSS")?,
            peak_kib: field("VmHWM")?,
            anonymous_kib: field("RssAnon")?,
            threads: field("Threads")?,
        })
    }
}

/// The processor time that a process has used so far, in seconds, to a hundredth.
///
/// # Errors
/// When there is no such process, or no `/proc`.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    // The second field is a name in parentheses; user and system time are the 12th and 13th after it.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: u32 = fields.map(|field| field.parse().unwrap_or(0_u32)).sum();
    // Linux counts them in hundredths of a second for every program.
    Ok(f64::from(ticks) / 100.0)
}

/// KiB as MB (10⁶ bytes).
#[must_use]
pub fn mb(kib: u64) -> f64 {
    // A float has 52 bits: exact far beyond any memory.
    #[allow(clippy::cast_precision_loss)]
    let kib = kib as f64;
    kib * 1024.0 / 1e6
}
