//! Users in an SQLite file: one connection per shard, every statement prepared once.

mod error;
mod population;

use std::fs::OpenOptions;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Row, Transaction,
    TransactionBehavior,
};

use crate::user::UserResponse;
pub use error::{ImportError, OpenCause, OpenError};
pub use population::FIRST_USERS;

/// Longest wait of a shard for another one's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const SCHEMA: &str =
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL)";
const TABLE_EXISTS: &str =
    "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'users')";
const INSERT: &str = "INSERT INTO users (id, name, email) VALUES (?1, ?2, ?3)";
const BY_ID: &str = "SELECT id, name, email FROM users WHERE id = ?1";
const FROM_OFFSET: &str = "SELECT id, name, email FROM users ORDER BY id LIMIT ?1 OFFSET ?2";
const AFTER_ID: &str = "SELECT id, name, email FROM users WHERE id > ?1 ORDER BY id LIMIT ?2";

/// Connection of one shard to the database.
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Creates the database of users at `path` where it is missing, and fills a new table with the
    /// first [`FIRST_USERS`] users; returns true if it did. Call it once, before the shards
    /// [`Store::open`] the file.
    ///
    /// # Errors
    ///
    /// The file cannot be created, read or written, is not a database, or has another kind of
    /// table.
    pub fn create(path: &Path) -> Result<bool, OpenError> {
        OpenError::wrap(path, || {
            // SQLite would only report "unable to open database file"; the kernel gives the reason.
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            let connection = connect(path)?;
            let mode = turn_on_log(&connection)?;
            if mode != "wal" {
                tracing::warn!(%mode, "no write-ahead log here: readers wait for imports");
            }
            Ok(fill_if_missing(&connection)?)
        })
    }

    /// Opens the database that [`Store::create`] prepared.
    ///
    /// # Errors
    /// As [`Store::create`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        OpenError::wrap(path, || {
            let connection = connect(path)?;
            for statement in [INSERT, BY_ID, FROM_OFFSET, AFTER_ID] {
                connection.prepare_cached(statement)?;
            }
            Ok(Self { connection })
        })
    }

    /// Returns the user with this id.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub fn user(&self, id: i32) -> rusqlite::Result<Option<UserResponse>> {
        self.connection
            .prepare_cached(BY_ID)?
            .query_row([id], read_user)
            .optional()
    }

    /// Returns up to `limit` users in the order of their ids, from the one at `offset`.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub fn users_from(&self, offset: u64, limit: usize) -> rusqlite::Result<Vec<UserResponse>> {
        self.users(
            FROM_OFFSET,
            (bound(limit), i64::try_from(offset).unwrap_or(i64::MAX)),
        )
    }

    /// Returns up to `limit` users in the order of their ids, from the first above `id`.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub fn users_after(&self, id: i32, limit: usize) -> rusqlite::Result<Vec<UserResponse>> {
        self.users(AFTER_ID, (id, bound(limit)))
    }

    fn users(&self, query: &str, parameters: impl Params) -> rusqlite::Result<Vec<UserResponse>> {
        self.connection
            .prepare_cached(query)?
            .query_map(parameters, read_user)?
            .collect()
    }

    /// Stores all users in one transaction, or none: when one of them fails, or when `still_wanted`
    /// returns false at the end.
    ///
    /// # Errors
    ///
    /// An id is taken, the client has left, or the database cannot be written.
    pub fn import(
        &self,
        users: &[UserResponse],
        still_wanted: impl FnOnce() -> bool,
    ) -> Result<(), ImportError> {
        let transaction = begin(&self.connection)?;
        for (index, user) in users.iter().enumerate() {
            insert(&self.connection, user).map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::ConstraintViolation) => ImportError::Exists { index, id: user.id },
                _ => ImportError::Sqlite(error),
            })?;
        }
        if !still_wanted() {
            return Err(ImportError::Abandoned);
        }
        Ok(transaction.commit()?)
    }
}

/// Connects to an existing file, with `NO_MUTEX` because only one shard's thread uses the
/// connection.
fn connect(path: &Path) -> Result<Connection, OpenCause> {
    // To SQLite a relative `:memory:` or `file:` is no path, an absolute one is.
    let path = std::path::absolute(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // With a write-ahead log a power failure may lose the last imports, never the database.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Sets the journal mode, and returns the current one. This change is the only one that does not
/// wait for a lock by itself, so that one of several starting processes may have to try again.
fn turn_on_log(connection: &Connection) -> rusqlite::Result<String> {
    let began = Instant::now();
    loop {
        let mode =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match mode {
            Err(error) if is_busy(&error) && began.elapsed() < BUSY_TIMEOUT => {
                thread::sleep(Duration::from_millis(5));
            }
            mode => return mode,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// Fills the table if it is missing. The lock is taken first, so that only one of several processes
/// fills it.
fn fill_if_missing(connection: &Connection) -> rusqlite::Result<bool> {
    let transaction = begin(connection)?;
    if connection.query_row(TABLE_EXISTS, [], |row| row.get(0))? {
        return Ok(false);
    }
    connection.execute(SCHEMA, [])?;
    for user in population::first_users() {
        insert(connection, &user)?;
    }
    transaction.commit()?;
    Ok(true)
}

/// Starts a transaction that writes. Transactions never nest: all of ours end before their function
/// returns, and none of these functions waits.
fn begin(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}

fn insert(connection: &Connection, user: &UserResponse) -> rusqlite::Result<()> {
    connection
        .prepare_cached(INSERT)?
        .execute((user.id, &user.name, &user.email))?;
    Ok(())
}

fn read_user(row: &Row<'_>) -> rusqlite::Result<UserResponse> {
    Ok(UserResponse {
        id: row.get(0)?,
        name: row.get(1)?,
        email: row.get(2)?,
    })
}

/// Converts a limit on rows to SQLite's form, in which a negative one means none.
fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
