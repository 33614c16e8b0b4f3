//! User service: responses of each call, and refusal of invalid input.

use corespun::details::ErrorDetails;
use corespun::runtime::now;
use corespun::{Code, Request, Response, Sender, Status, Streaming};
use rusqlite::ErrorCode;

use crate::import::Batch;
use crate::store::{ImportError, Store};
use crate::user::user_service_server::UserService;
use crate::user::{ImportSummary, ListUsersRequest, UserRequest, UserResponse};

/// Number of users on a page if the client leaves it unset.
pub const PAGE_SIZE_DEFAULT: usize = 50;

/// Largest number of users on a page.
pub const PAGE_SIZE_MAX: usize = 1000;

/// Largest number of rows read at once; other calls can run between two reads.
const CHUNK_USERS: usize = 100;

/// Approximate size of a user on the wire in bytes, to read only as many rows as can be sent.
const USER_BYTES: usize = 64;

/// User service of one shard.
pub struct Users {
    store: Store,
}

impl Users {
    /// Creates a service on this shard's connection to the database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    fn find(&self, id: i32) -> Result<UserResponse, Status> {
        if id <= 0 {
            return Err(invalid("id", format!("id must be positive, not {id}")));
        }
        let found = self.store.user(id).map_err(store_failed)?;
        found.ok_or_else(|| Status::not_found(format!("no user has id {id}")))
    }
}

impl UserService for Users {
    async fn get_user(
        &self,
        request: Request<UserRequest>,
    ) -> Result<Response<UserResponse>, Status> {
        self.find(request.get_ref().id).map(Response::new)
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
        out: &mut Sender<UserResponse>,
    ) -> Result<(), Status> {
        let Page { offset, size } = Page::of(request.get_ref())?;
        let mut left = size;
        let first = self.store.users_from(offset, rows(left, out));
        let mut chunk = first.map_err(store_failed)?;
        while let Some(last) = chunk.last() {
            let last = last.id;
            left = left.saturating_sub(chunk.len());
            for user in chunk {
                out.send(user).await?;
            }
            if left == 0 {
                break;
            }
            // Continues after the last id, because users imported meanwhile shift offsets.
            let next = self.store.users_after(last, rows(left, out));
            chunk = next.map_err(store_failed)?;
        }
        Ok(())
    }

    async fn import_users(
        &self,
        requests: &mut Streaming<UserResponse>,
    ) -> Result<Response<ImportSummary>, Status> {
        let mut batch = Batch::default();
        while let Some(user) = requests.message().await? {
            batch.push(user)?;
        }
        let users = batch.users();
        let in_time = || requests.deadline().is_none_or(|deadline| now() < deadline);
        self.store.import(users, in_time).map_err(import_failed)?;
        let imported = i32::try_from(users.len()).unwrap_or(i32::MAX);
        Ok(Response::new(ImportSummary { imported }))
    }

    async fn lookup(
        &self,
        requests: &mut Streaming<UserRequest>,
        out: &mut Sender<UserResponse>,
    ) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            out.send(self.find(request.id)?).await?;
        }
        Ok(())
    }
}

/// Returns the number of rows to read next, at least 1: as many as can be sent, so that a client
/// that does not read makes the server hold none.
fn rows(left: usize, out: &Sender<UserResponse>) -> usize {
    let fitting = (out.room() / USER_BYTES).max(1);
    left.min(CHUNK_USERS).min(fitting)
}

/// Page of users.
#[derive(Debug, PartialEq)]
struct Page {
    /// Number of users before the page.
    offset: u64,
    /// Largest number of users on the page.
    size: usize,
}

impl Page {
    /// Returns the page of a request. An unset number is 0 in proto3: page 0 is the first one, as
    /// is page 1, and size 0 is the default.
    fn of(request: &ListUsersRequest) -> Result<Self, Status> {
        let ListUsersRequest { page, page_size } = *request;
        let number = u64::try_from(page)
            .map_err(|_| invalid("page", format!("page must be positive, not {page}")))?;
        let size = match usize::try_from(page_size) {
            Ok(0) => PAGE_SIZE_DEFAULT,
            Ok(size @ 1..=PAGE_SIZE_MAX) => size,
            _ => {
                let text = format!("page_size must be 1 to {PAGE_SIZE_MAX}, not {page_size}");
                return Err(invalid("page_size", text));
            }
        };
        Ok(Self {
            offset: number.saturating_sub(1) * size as u64,
            size,
        })
    }
}

/// Returns the status for an invalid field: a text for people, and details for programs.
fn invalid(field: &str, text: String) -> Status {
    let mut details = ErrorDetails::new();
    details.add_bad_request_violation(field, &text);
    Status::with_error_details(Code::InvalidArgument, text, details)
}

/// Returns the status for a failed store; the log has the cause, for the operator.
fn store_failed(error: rusqlite::Error) -> Status {
    tracing::error!(%error, "the store failed");
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Status::unavailable("the store is busy with other imports: try again")
        }
        _ => Status::internal(format!("the store failed: {error}")),
    }
}

fn import_failed(error: ImportError) -> Status {
    match error {
        ImportError::Exists { index, id } => {
            Status::already_exists(format!("user at index {index}: id {id} exists already"))
        }
        ImportError::Abandoned => {
            Status::deadline_exceeded("the deadline passed before the import was done")
        }
        ImportError::Sqlite(error) => store_failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        for ((page, page_size), (offset, size)) in [
            ((0, 0), (0, 50)),
            ((1, 0), (0, 50)),
            ((2, 0), (50, 50)),
            ((1, 1), (0, 1)),
            ((3, 1000), (2000, 1000)),
            ((i32::MAX, 1000), (2_147_483_646_000, 1000)),
        ] {
            let read = Page::of(&ListUsersRequest { page, page_size });
            assert_eq!(read.expect("a good page"), Page { offset, size });
        }
    }

    #[test]
    fn bad_pages() {
        for (page, page_size, words) in [
            (-1, 10, "page must be positive, not -1"),
            (i32::MIN, 0, "page must be positive, not -2147483648"),
            (1, -1, "page_size must be 1 to 1000, not -1"),
            (1, 1001, "page_size must be 1 to 1000, not 1001"),
            (0, i32::MIN, "page_size must be 1 to 1000, not -2147483648"),
        ] {
            let status = Page::of(&ListUsersRequest { page, page_size }).expect_err(words);
            assert_eq!(
                (status.code(), status.message()),
                (Code::InvalidArgument, words)
            );
            let violations = status.error_details().bad_request.unwrap().field_violations;
            assert_eq!(violations[0].field, words.split(' ').next().unwrap());
        }
    }
}
