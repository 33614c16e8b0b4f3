//! Users of one import, checked as they arrive and held until the last one.
//!
//! All calls of a shard share its connection, so a transaction must not stay open while a call
//! waits for its next message: other calls would read and write inside it. An import therefore
//! collects its users first, within limits, and writes them at the end without waiting.

use corespun::Status;

use crate::user::UserResponse;

/// Largest number of users in one import.
pub const IMPORT_USERS_MAX: usize = 100_000;

/// Largest total size of the names and addresses in one import, in bytes.
pub const IMPORT_BYTES_MAX: usize = 32 << 20;

/// Largest number of characters of an invalid value in an error text.
const SHOWN_CHARS_MAX: usize = 40;

/// Users that passed the checks.
#[derive(Default)]
pub(crate) struct Batch {
    users: Vec<UserResponse>,
    bytes: usize,
}

impl Batch {
    /// Checks and adds a user.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT with index and field; RESOURCE_EXHAUSTED when a limit is exceeded.
    pub(crate) fn push(&mut self, user: UserResponse) -> Result<(), Status> {
        let index = self.users.len();
        check(&user)
            .map_err(|what| Status::invalid_argument(format!("user at index {index}: {what}")))?;
        if index >= IMPORT_USERS_MAX {
            return Err(Status::resource_exhausted(format!(
                "an import takes at most {IMPORT_USERS_MAX} users"
            )));
        }
        self.bytes += user.name.len() + user.email.len();
        if self.bytes > IMPORT_BYTES_MAX {
            return Err(Status::resource_exhausted(format!(
                "user at index {index}: names and emails exceed {IMPORT_BYTES_MAX} bytes"
            )));
        }
        self.users.push(user);
        Ok(())
    }

    /// Returns the users in the order of arrival.
    pub(crate) fn users(&self) -> &[UserResponse] {
        &self.users
    }
}

/// Returns the name of an invalid field with its value, as an error.
fn check(user: &UserResponse) -> Result<(), String> {
    let UserResponse { id, name, email } = user;
    if *id <= 0 {
        return Err(format!("id must be positive, not {id}"));
    }
    if name.trim().is_empty() {
        return Err(format!("name must not be empty, as {} is", shown(name)));
    }
    if !email.contains('@') {
        return Err(format!("email must contain '@', unlike {}", shown(email)));
    }
    Ok(())
}

/// Returns the start of a value in quotes, because a status is sent in headers, where space is
/// limited.
fn shown(value: &str) -> String {
    let mut start: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    if start.len() < value.len() {
        start.push('…');
    }
    format!("{start:?}")
}

#[cfg(test)]
mod tests {
    use corespun::Code;

    use super::*;

    fn user(id: i32, name: &str, email: &str) -> UserResponse {
        UserResponse {
            id,
            name: name.to_owned(),
            email: email.to_owned(),
        }
    }

    #[test]
    fn bad_users() {
        let long = "x".repeat(1 << 20);
        for (bad, words) in [
            (
                user(0, "Ada", "ada@example.com"),
                "id must be positive, not 0",
            ),
            (user(i32::MIN, "Ada", "ada@example.com"), "not -2147483648"),
            (
                user(1, "", "ada@example.com"),
                "name must not be empty, as \"\" is",
            ),
            (user(1, " \t", "ada@example.com"), "as \" \\t\" is"),
            (user(1, "Ada", ""), "email must contain '@', unlike \"\""),
            (
                user(1, "Ada", "ada.example.com"),
                "unlike \"ada.example.com\"",
            ),
            (user(1, "Ada", &long), "xxx…\""),
        ] {
            let mut batch = Batch::default();
            batch
                .push(user(7, "Eve", "eve@example.com"))
                .expect("a good user");
            let status = batch.push(bad).expect_err(words);
            assert_eq!(status.code(), Code::InvalidArgument);
            let message = status.message();
            assert!(message.starts_with("user at index 1: "), "{message}");
            assert!(message.contains(words), "{message}");
            assert!(message.len() < 200, "{message}");
        }
    }

    #[test]
    fn too_many_users() {
        let mut batch = Batch::default();
        for id in 1..=100_000 {
            batch.push(user(id, "A", "@")).expect("within the bound");
        }
        let status = batch
            .push(user(100_001, "A", "@"))
            .expect_err("one too many");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().contains("100000"), "{status}");
        assert_eq!(batch.users().len(), IMPORT_USERS_MAX);
    }

    #[test]
    fn too_many_bytes() {
        let mut batch = Batch::default();
        let name = "x".repeat(IMPORT_BYTES_MAX / 8 - 1);
        for id in 1..=8 {
            batch.push(user(id, &name, "@")).expect("within the bound");
        }
        let status = batch.push(user(9, "A", "@")).expect_err("too much");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().contains("index 8"), "{status}");
    }
}
