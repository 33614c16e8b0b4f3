//! User service that forwards every call to another server.

use corespun::{Channel, Request, Response, Sender, Status, Streaming};

use crate::user::user_service_client::UserServiceClient;
use crate::user::user_service_server::UserService;
use crate::user::{ImportSummary, ListUsersRequest, UserRequest, UserResponse};

/// Service that forwards calls. Their trace context is passed on without any code here.
pub struct Relay {
    next: UserServiceClient,
}

impl Relay {
    /// Creates a relay to the server behind `channel`.
    pub fn new(channel: Channel) -> Self {
        Self {
            next: UserServiceClient::new(channel),
        }
    }
}

impl UserService for Relay {
    async fn get_user(
        &self,
        request: Request<UserRequest>,
    ) -> Result<Response<UserResponse>, Status> {
        self.next.get_user(request.into_inner()).await
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
        out: &mut Sender<UserResponse>,
    ) -> Result<(), Status> {
        let users = self.next.list_users(request.into_inner()).await?;
        let mut users = users.into_inner();
        while let Some(user) = users.message().await? {
            out.send(user).await?;
        }
        Ok(())
    }

    async fn import_users(
        &self,
        requests: &mut Streaming<UserResponse>,
    ) -> Result<Response<ImportSummary>, Status> {
        let mut import = self.next.import_users(()).await?;
        while let Some(user) = requests.message().await? {
            import.send(user).await?;
        }
        import.finish().await
    }

    async fn lookup(
        &self,
        requests: &mut Streaming<UserRequest>,
        out: &mut Sender<UserResponse>,
    ) -> Result<(), Status> {
        let (mut wanted, mut found) = self.next.lookup(()).await?;
        while let Some(request) = requests.message().await? {
            wanted.send(request).await?;
            if let Some(user) = found.message().await? {
                out.send(user).await?;
            }
        }
        drop(wanted);
        found.message().await.map(drop)
    }
}
