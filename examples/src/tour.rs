//! Client that makes all four kinds of calls to the user service, and checks every response.

use std::fmt;
use std::time::Duration;

use corespun::{Code, Request, Status};

use crate::user::user_service_client::UserServiceClient;
use crate::user::{ListUsersRequest, UserRequest, UserResponse};

/// Timeout of each call.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Id without a user.
const UNKNOWN_ID: i32 = 999_999_999;

/// Response that differs from the expected one, as one line.
#[derive(Debug)]
pub struct Mismatch(String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

/// Makes all calls and prints each response through `print`. Three users are imported with ids from
/// `base_id`, which must be free.
///
/// # Errors
///
/// The first response that is not as expected.
pub async fn run(
    client: &UserServiceClient,
    base_id: i32,
    mut print: impl FnMut(&str),
) -> Result<(), Mismatch> {
    print(&one_user(client).await?);
    print(&a_page(client).await?);
    print(&an_import(client, base_id).await?);
    print(&a_lookup(client).await?);
    print(&a_refusal(client, UNKNOWN_ID, Code::NotFound).await?);
    print(&a_refusal(client, 0, Code::InvalidArgument).await?);
    Ok(())
}

async fn one_user(client: &UserServiceClient) -> Result<String, Mismatch> {
    let call = "GetUser(1)";
    let user = client
        .get_user(timed(UserRequest { id: 1 }))
        .await
        .map_err(failed(call))?;
    let user = user.into_inner();
    expect(call, "a user with id 1", &user, user.id == 1)?;
    expect(call, "a user with a name", &user, !user.name.is_empty())?;
    Ok(format!("{call}: {}", line(&user)))
}

async fn a_page(client: &UserServiceClient) -> Result<String, Mismatch> {
    let call = "ListUsers(page 1 of 5 users)";
    let request = timed(ListUsersRequest {
        page: 1,
        page_size: 5,
    });
    let answer = client.list_users(request).await.map_err(failed(call))?;
    let mut stream = answer.into_inner();
    let mut users = Vec::new();
    while let Some(user) = stream.message().await.map_err(failed(call))? {
        users.push(user);
    }
    expect(call, "5 users", &users, users.len() == 5)?;
    expect(
        call,
        "users in the order of their ids",
        &users,
        users.is_sorted_by_key(|u| u.id),
    )?;
    Ok(format!("{call}: {}", lines(&users)))
}

async fn an_import(client: &UserServiceClient, base_id: i32) -> Result<String, Mismatch> {
    let call = &format!("ImportUsers(3 users from id {base_id})");
    let users = ["Ada Lovelace", "Grace Hopper", "Radia Perlman"]
        .into_iter()
        .zip(base_id..);
    let users = users.map(|(name, id)| UserResponse {
        id,
        name: name.to_owned(),
        email: format!("user.{id}@example.com"),
    });
    let users: Vec<UserResponse> = users.collect();
    let mut import = client.import_users(timed(())).await.map_err(failed(call))?;
    for user in &users {
        import.send(user.clone()).await.map_err(failed(call))?;
    }
    let summary = import.finish().await.map_err(failed(call))?.into_inner();
    expect(call, "3 imported users", &summary, summary.imported == 3)?;

    let back = client
        .get_user(timed(UserRequest { id: base_id }))
        .await
        .map_err(failed(call))?;
    expect(
        call,
        "the first user back",
        &back,
        back.get_ref() == &users[0],
    )?;
    Ok(format!("{call}: imported {}", summary.imported))
}

async fn a_lookup(client: &UserServiceClient) -> Result<String, Mismatch> {
    let call = "Lookup(1, 2, 3)";
    let (mut requests, mut answers) = client.lookup(timed(())).await.map_err(failed(call))?;
    let mut users = Vec::new();
    // One at a time: each answer comes before the next request goes.
    for id in 1..=3 {
        requests
            .send(UserRequest { id })
            .await
            .map_err(failed(call))?;
        let user = answers.message().await.map_err(failed(call))?;
        expect(
            call,
            &format!("a user with id {id}"),
            &user,
            user.as_ref().map(|u| u.id) == Some(id),
        )?;
        users.extend(user);
    }
    requests.finish();
    let end = answers.message().await.map_err(failed(call))?;
    expect(call, "the end after three users", &end, end.is_none())?;
    Ok(format!("{call}: {}", lines(&users)))
}

async fn a_refusal(client: &UserServiceClient, id: i32, code: Code) -> Result<String, Mismatch> {
    let call = &format!("GetUser({id})");
    match client.get_user(timed(UserRequest { id })).await {
        Ok(answer) => Err(mismatch(call, code.name(), answer.get_ref())),
        Err(status) => {
            expect(call, code.name(), &status, status.code() == code)?;
            Ok(format!("{call}: {} {}", code.name(), status.message()))
        }
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

fn failed(call: &str) -> impl Fn(Status) -> Mismatch {
    move |status| Mismatch(format!("{call}: failed: {status}"))
}

fn expect(call: &str, wanted: &str, got: &dyn fmt::Debug, holds: bool) -> Result<(), Mismatch> {
    if holds {
        Ok(())
    } else {
        Err(mismatch(call, wanted, got))
    }
}

fn mismatch(call: &str, wanted: &str, got: &dyn fmt::Debug) -> Mismatch {
    Mismatch(format!("{call}: expected {wanted}, not {got:?}"))
}

fn line(user: &UserResponse) -> String {
    format!("{} {} <{}>", user.id, user.name, user.email)
}

fn lines(users: &[UserResponse]) -> String {
    users.iter().map(line).collect::<Vec<_>>().join(", ")
}
