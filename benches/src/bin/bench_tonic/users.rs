//! `user.UserService` with constant responses.

use std::ops::RangeInclusive;

use corespun_benches::answers::{RECEIVE_BYTES_MAX, USER_EMAIL, USER_NAME, users_on_page};
use tonic::codegen::tokio_stream::{self, Iter};
use tonic::{Request, Response, Status, Streaming};

use crate::reply::ReplyEach;
use schema::user_service_server::{UserService, UserServiceServer};
use schema::{ImportSummary, ListUsersRequest, UserRequest, UserResponse};

mod schema {
    //! Code that tonic generates for package `user`.
    include!(concat!(env!("OUT_DIR"), "/tonic/user.rs"));
}

/// Service without state, so that shards share nothing.
pub(crate) struct Users;

impl Users {
    /// Returns the tonic service with the limits of all bench servers.
    pub(crate) fn service() -> UserServiceServer<Self> {
        UserServiceServer::new(Self).max_decoding_message_size(RECEIVE_BYTES_MAX)
    }
}

fn user(id: i32) -> Result<UserResponse, Status> {
    Ok(UserResponse {
        id,
        name: USER_NAME.to_owned(),
        email: USER_EMAIL.to_owned(),
    })
}

type UserIds = std::iter::Map<RangeInclusive<i32>, fn(i32) -> Result<UserResponse, Status>>;

#[tonic::async_trait]
impl UserService for Users {
    async fn get_user(
        &self,
        request: Request<UserRequest>,
    ) -> Result<Response<UserResponse>, Status> {
        user(request.get_ref().id).map(Response::new)
    }

    type ListUsersStream = Iter<UserIds>;

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<Self::ListUsersStream>, Status> {
        let count = users_on_page(request.get_ref().page_size)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let reply: fn(i32) -> Result<UserResponse, Status> = user;
        Ok(Response::new(tokio_stream::iter((1..=count).map(reply))))
    }

    async fn import_users(
        &self,
        request: Request<Streaming<UserResponse>>,
    ) -> Result<Response<ImportSummary>, Status> {
        let mut users = request.into_inner();
        let mut imported = 0;
        while users.message().await?.is_some() {
            imported += 1;
        }
        Ok(Response::new(ImportSummary { imported }))
    }

    type LookupStream = ReplyEach<UserRequest, UserResponse>;

    async fn lookup(
        &self,
        request: Request<Streaming<UserRequest>>,
    ) -> Result<Response<Self::LookupStream>, Status> {
        let reply = |request: UserRequest| user(request.id);
        Ok(Response::new(ReplyEach::new(request.into_inner(), reply)))
    }
}
