//! A value that cannot be printed.

use std::fmt;

/// Holds a secret. It has no `Display`, no `Serialize`, and a `Debug` that tells nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Takes a secret in.
    pub fn new(secret: T) -> Self {
        Self(secret)
    }

    /// The secret, to be handed on and never to be shown.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_tells_nothing() {
        assert_eq!(format!("{:?}", Sensitive::new("sk-ant-secret")), "(secret)");
    }
}
