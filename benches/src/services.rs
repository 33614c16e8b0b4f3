//! Both bench services on corespun, with the responses of [`crate::answers`].

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use corespun::prost::bytes::Bytes;
use corespun::server::{Interceptor, Routes, Service};
use corespun::{Request, Response, Sender, Status, Streaming};

use crate::Work;
use crate::answers::{self, USER_EMAIL, USER_NAME};
use benchmark::benchmark_service_server::{BenchmarkService, BenchmarkServiceServer};
use benchmark::{Payload, SimpleRequest, SimpleResponse};
use user::user_service_server::{UserService, UserServiceServer};
use user::{ImportSummary, ListUsersRequest, UserRequest, UserResponse};

pub mod user {
    //! Code that corespun generates for package `user`.
    corespun::include_proto!("user");
}

pub mod benchmark {
    //! Code that corespun generates for package `grpc.testing`.
    corespun::include_proto!("grpc.testing");
}

/// `user.UserService` with constant responses; it has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Users {
    /// CPU work of each `GetUser` in addition to the call itself.
    work: Work,
}

/// `grpc.testing.BenchmarkService`: payloads of the requested size.
#[derive(Debug, Clone, Copy)]
pub struct Benchmark;

/// Returns both services, registered for one shard.
pub fn routes() -> Routes {
    intercepted(Vec::new())
}

/// Returns both services, with interceptors around all calls.
pub fn intercepted(interceptors: Vec<Rc<dyn Interceptor>>) -> Routes {
    let mut routes = Routes::intercepted(interceptors);
    routes.add(users());
    routes.add(benchmark());
    routes
}

/// Returns `user.UserService`.
pub fn users() -> impl Service {
    UserServiceServer::new(Users::default())
}

/// Returns `user.UserService` with CPU work for each `GetUser`.
pub fn working_users(work: Work) -> impl Service {
    UserServiceServer::new(Users { work })
}

/// Returns `grpc.testing.BenchmarkService`.
pub fn benchmark() -> impl Service {
    BenchmarkServiceServer::new(Benchmark)
}

fn user(id: i32) -> UserResponse {
    UserResponse {
        id,
        name: USER_NAME.to_owned(),
        email: USER_EMAIL.to_owned(),
    }
}

impl UserService for Users {
    async fn get_user(
        &self,
        request: Request<UserRequest>,
    ) -> Result<Response<UserResponse>, Status> {
        self.work.run();
        Ok(Response::new(user(request.get_ref().id)))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
        out: &mut Sender<UserResponse>,
    ) -> Result<(), Status> {
        let count = answers::users_on_page(request.get_ref().page_size)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        for id in 1..=count {
            out.send(user(id)).await?;
        }
        Ok(())
    }

    async fn import_users(
        &self,
        requests: &mut Streaming<UserResponse>,
    ) -> Result<Response<ImportSummary>, Status> {
        let mut imported = 0;
        while requests.message().await?.is_some() {
            imported += 1;
        }
        Ok(Response::new(ImportSummary { imported }))
    }

    async fn lookup(
        &self,
        requests: &mut Streaming<UserRequest>,
        out: &mut Sender<UserResponse>,
    ) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            out.send(user(request.id)).await?;
        }
        Ok(())
    }
}

fn answer(request: &SimpleRequest) -> Result<SimpleResponse, Status> {
    if let Some(wanted) = &request.response_status
        && wanted.code != 0
    {
        return Err(Status::new(wanted.code.into(), wanted.message.clone()));
    }
    let body = answers::payload(request.response_size)
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let payload = Payload {
        body: Bytes::from_static(body),
        ..Payload::default()
    };
    Ok(SimpleResponse {
        payload: Some(payload),
        ..SimpleResponse::default()
    })
}

impl BenchmarkService for Benchmark {
    async fn unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        answer(request.get_ref()).map(Response::new)
    }

    async fn streaming_call(
        &self,
        requests: &mut Streaming<SimpleRequest>,
        out: &mut Sender<SimpleResponse>,
    ) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            out.send(answer(&request)?).await?;
        }
        Ok(())
    }

    async fn streaming_from_client(
        &self,
        requests: &mut Streaming<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        let mut last = SimpleRequest::default();
        while let Some(request) = requests.message().await? {
            last = request;
        }
        answer(&last).map(Response::new)
    }

    async fn streaming_from_server(
        &self,
        request: Request<SimpleRequest>,
        out: &mut Sender<SimpleResponse>,
    ) -> Result<(), Status> {
        let reply = answer(request.get_ref())?;
        loop {
            out.send(reply.clone()).await?;
        }
    }

    async fn streaming_both_ways(
        &self,
        requests: &mut Streaming<SimpleRequest>,
        out: &mut Sender<SimpleResponse>,
    ) -> Result<(), Status> {
        let first = requests.message().await?.unwrap_or_default();
        let reply = answer(&first)?;
        while !has_ended(requests).await? {
            out.send(reply.clone()).await?;
        }
        Ok(())
    }
}

/// Reads one request if there is one, without waiting; returns true once the client has
/// half-closed.
async fn has_ended(requests: &mut Streaming<SimpleRequest>) -> Result<bool, Status> {
    let mut next = pin!(requests.message());
    let next = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
    match next {
        Poll::Ready(Ok(request)) => Ok(request.is_none()),
        Poll::Ready(Err(status)) => Err(status),
        Poll::Pending => Ok(false),
    }
}
