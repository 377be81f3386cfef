//! Secrets: text that cannot be printed or serialised.

use secrecy::{ExposeSecret, SecretString};

/// An API key, a token or a MAC key. It has no `Display` and no `Serialize`; `Debug` prints `[redacted]`; the memory
/// is wiped when it is dropped (I14).
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself. Every caller of this is a place to audit.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("canary-4711");
        assert!(!format!("{secret:?} {:#?}", Some(&secret)).contains("canary"));
        assert_eq!(secret.expose(), "canary-4711");
    }
}
